//! What one call may still cost: CPU time over all its polls, wall time while it waits.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use mlua::Error;
use tokio::time::Sleep;

use super::fairness::{self, Queue, Turn};
use super::incarnation::Incarnation;
use super::owner::Begun;
use super::slot::{self, Allowance};
use super::{Call, ScriptError, with_current};
use crate::config::Budget;
use crate::telemetry::events;

/// What one call may still cost.
pub(super) struct Meter {
    /// What it may cost in all.
    pub(super) budget: Budget,
    /// CPU time used so far.
    pub(super) used: Duration,
    /// Whether it was ended because its CPU time was spent.
    pub(super) cut: bool,
    /// Whether it was ended because it waited too long.
    waited: bool,
    /// Whether it was suspended, and wants to go on.
    suspended: bool,
    queue: Rc<Queue>,
    /// CPU time of which telemetry knows.
    told: Duration,
    _begun: Begun,
}

impl Meter {
    /// For a call of an owner that begins.
    ///
    /// # Errors
    /// If the owner has as many calls as it may, or used its CPU time.
    pub(super) fn begin(budget: Budget, queue: &Rc<Queue>) -> Result<Self, ScriptError> {
        Ok(Self {
            budget,
            used: Duration::ZERO,
            cut: false,
            waited: false,
            suspended: false,
            queue: queue.clone(),
            told: Duration::ZERO,
            _begun: queue.account().begin()?,
        })
    }

    /// Runs `work`, a call into the VM that may not wait.
    pub(super) fn once<T>(
        &mut self,
        vm: &Incarnation,
        call: &Rc<Call>,
        work: impl FnOnce() -> T,
    ) -> T {
        let (result, cpu) = self.run(vm, call, None, work);
        self.queue.charge(cpu);
        result
    }

    /// Polls a call to its end, or to the end of its budget. Where it computes for longer than a
    /// slice, it is suspended, and others have their turn.
    pub(super) async fn drive<T>(
        &mut self,
        vm: &Incarnation,
        call: &Rc<Call>,
        mut future: Pin<&mut impl Future<Output = mlua::Result<T>>>,
    ) -> mlua::Result<T> {
        let mut limit: Option<Pin<Box<Sleep>>> = None;
        let mut turn = Turn::new(self.queue.clone());
        poll_fn(|context| {
            if !call.errands_are_done(context) || !turn.has_come(context) {
                return Poll::Pending;
            }
            let slice = Some(fairness::slice());
            let was_suspended = self.suspended;
            let (polled, cpu) = self.run(vm, call, slice, || future.as_mut().poll(context));
            let ended = polled.is_ready() || self.cut || call.exit.get().is_some();
            let goes_on = self.suspended && !ended;
            if goes_on {
                self.tell();
            }
            turn.ran(cpu, goes_on.then_some(context.waker()));
            if polled.is_ready() || goes_on {
                return polled;
            }
            // It may have been suspended between a native function's poll and its wait, and have
            // been woken since, when it was not its turn: it looks once more.
            if was_suspended {
                context.waker().wake_by_ref();
            }
            if !call.errands_are_done(context) {
                limit = None;
                return Poll::Pending;
            }
            self.waiting(call, &mut limit, context)
        })
        .await
    }

    /// Runs `work`, a call into the VM or a poll of one; what that used.
    fn run<T>(
        &mut self,
        vm: &Incarnation,
        call: &Rc<Call>,
        slice: Option<Duration>,
        work: impl FnOnce() -> T,
    ) -> (T, Duration) {
        let left = self.budget.cpu.saturating_sub(self.used);
        let allowed = Allowance { left, slice, exact: self.suspended };
        let running = slot::watch(&vm.lua, vm.interrupt, allowed);
        let result = with_current(call, work);
        let spent = running.end();
        self.used += spent.cpu;
        self.cut |= spent.cut;
        self.suspended = spent.suspended;
        (result, spent.cpu)
    }

    /// A script waits: not at all if it was to end, and not for ever.
    fn waiting<T>(
        &mut self,
        call: &Call,
        limit: &mut Option<Pin<Box<Sleep>>>,
        context: &mut Context<'_>,
    ) -> Poll<mlua::Result<T>> {
        // Many short polls, each too short for the watchdog to see, add up too.
        self.cut |= self.used >= self.budget.cpu;
        if self.cut || call.exit.get().is_some() {
            return Poll::Ready(Err(Error::runtime("the call was ended")));
        }
        let limit = limit.get_or_insert_with(|| Box::pin(tokio::time::sleep(self.budget.wait)));
        if limit.as_mut().poll(context).is_pending() {
            return Poll::Pending;
        }
        self.waited = true;
        Poll::Ready(Err(Error::runtime("the call was ended")))
    }

    /// Tells whose CPU time it was, since the last time.
    fn tell(&mut self) {
        let owner = &self.queue.account().name;
        let cpu = self.used.saturating_sub(std::mem::replace(&mut self.told, self.used));
        events::OwnerComputed { owner, cpu, suspended: self.suspended }.emit();
    }

    /// Why the call came to `error`.
    pub(super) fn error(&self, call: &Call, error: &Error) -> ScriptError {
        if self.cut {
            ScriptError::cpu(self.budget.cpu, Some(error))
        } else if self.waited {
            ScriptError::wait(self.budget.wait, &call.module)
        } else {
            ScriptError::from_lua(error)
        }
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        self.suspended = false;
        self.tell();
    }
}
