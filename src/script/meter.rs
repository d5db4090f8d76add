//! What one call may still cost: CPU time over all its polls, wall time while it waits.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use mlua::Error;
use tokio::time::Sleep;

use super::fairness::{self, Queue, Turn};
use super::incarnation::Incarnation;
use super::owner::Begun;
use super::slot::{self, Allowance};
use super::{Call, Exit, ScriptError, with_current};
use crate::config::Budget;
use crate::shared::Limit;
use crate::telemetry::events;

/// How often a script goes on in one poll of its task, whatever it asks of the node itself.
const ROUNDS: u32 = 16;
/// nginx's status for a request whose client went away.
const CLIENT_GONE: u16 = 499;
/// nginx's level `info`.
const INFO: i64 = 7;
/// As nginx says it.
const GONE: &str = "client prematurely closed connection";

/// What one call may still cost.
pub(super) struct Meter {
    /// What it may cost in all.
    pub(super) budget: Budget,
    /// CPU time used so far.
    pub(super) used: Duration,
    /// Whether it was ended because its CPU time was spent.
    pub(super) cut: bool,
    /// Whether it was ended because it could not be suspended in time.
    stuck: bool,
    /// Whether it was ended because it waited too long.
    waited: bool,
    /// Whether it was suspended, and wants to go on.
    suspended: bool,
    /// Until when it is held because its owner used its share of this second, and for how long it was in
    /// all.
    pause: Option<Pin<Box<Sleep>>>,
    paused: Duration,
    queue: Rc<Queue>,
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
            stuck: false,
            waited: false,
            suspended: false,
            pause: None,
            paused: Duration::ZERO,
            queue: queue.clone(),
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
        let mut limit: Option<Limit> = None;
        let mut turn = Turn::new(self.queue.clone());
        let mut done = None;
        let _ending = Ending(call);
        poll_fn(|context| {
            for _ in 0..ROUNDS {
                let work = |waker: &Waker| all(vm, call, waker, &mut future, &mut done);
                let round = self.round(vm, call, (&mut turn, &mut limit), context, work);
                if let Some(polled) = round {
                    return polled;
                }
            }
            // Others have waited for long enough.
            fairness::wake_after_polling(context.waker());
            Poll::Pending
        })
        .await
    }

    /// Lets a call go on. None: what it asked of the node itself came at once, and it may go on again.
    fn round<T>(
        &mut self,
        vm: &Incarnation,
        call: &Rc<Call>,
        (turn, limit): (&mut Turn, &mut Option<Limit>),
        context: &mut Context<'_>,
        work: impl FnOnce(&Waker) -> Poll<mlua::Result<T>>,
    ) -> Option<Poll<mlua::Result<T>>> {
        let waits = !call.errands_are_done(context) && !call.threads.are_running();
        if waits || self.is_held(context) || !turn.has_come(context) {
            return Some(Poll::Pending);
        }
        if call.threads.is_abandoned(context, || call.say(INFO, GONE)) {
            call.leave(Exit::Respond(CLIENT_GONE));
            return Some(Poll::Ready(Err(Error::runtime("the client is gone"))));
        }
        call.threads.enter(context.waker());
        let (slice, was_suspended) = (Some(fairness::slice()), self.suspended);
        let (polled, cpu) = self.run(vm, call, slice, || work(context.waker()));
        let ended = polled.is_ready() || self.cut || call.exit.get().is_some();
        let goes_on = self.suspended && !ended;
        let pause = if goes_on { self.suspended_once_more() } else { None };
        turn.ran(cpu, (goes_on && pause.is_none()).then_some(context.waker()));
        let answered = !ended && call.begin_inner(context);
        if let Some(pause) = pause {
            return Some(self.hold(pause, context));
        }
        if polled.is_ready() || goes_on {
            return Some(polled);
        }
        if answered {
            return None;
        }
        // It may have been suspended between a native function's poll and its wait, and have
        // been woken since, when it was not its turn: it looks once more.
        if was_suspended {
            context.waker().wake_by_ref();
        }
        if !ended && !call.errands_are_done(context) {
            *limit = None;
            return Some(Poll::Pending);
        }
        Some(self.waiting(call, limit, context))
    }

    /// It computed for a whole slice: how long it is held, if it is.
    fn suspended_once_more(&self) -> Option<Duration> {
        events::OwnerSuspended { owner: &self.queue.account().name }.emit();
        self.queue.account().pause()
    }

    /// Runs `work`, a call into the VM or a poll of one; what that used.
    fn run<T>(
        &mut self,
        vm: &Incarnation,
        call: &Rc<Call>,
        slice: Option<Duration>,
        work: impl FnOnce() -> T,
    ) -> (T, Duration) {
        let left = self.left(call);
        let patient = self.queue.account().is_operator;
        let allowed = Allowance { left, slice, exact: self.suspended, patient };
        let running = slot::watch(&vm.lua, vm.interrupt, allowed);
        let result = with_current(call, work);
        let spent = running.end();
        self.used += spent.cpu;
        call.went_on(spent.from, spent.to);
        call.charge(spent.cpu);
        self.cut |= spent.cut;
        self.stuck |= spent.overstayed;
        self.suspended = spent.suspended;
        (result, spent.cpu)
    }

    /// CPU time that the call may still use: its own, and no more than whoever pays for it has.
    fn left(&self, call: &Call) -> Duration {
        let own = self.budget.cpu.saturating_sub(self.used + call.lent.get());
        call.payer_has().map_or(own, |others| own.min(others))
    }

    /// Its owner used its share of this second: it goes on in the next one, but not for ever.
    fn hold<T>(&mut self, pause: Duration, context: &mut Context<'_>) -> Poll<mlua::Result<T>> {
        self.paused += pause;
        if self.paused > self.budget.wait {
            return Poll::Ready(Err(Error::runtime("the call was ended")));
        }
        self.pause = Some(Box::pin(tokio::time::sleep(pause)));
        // So that it wakes the call.
        let _ = self.is_held(context);
        Poll::Pending
    }

    fn is_held(&mut self, context: &mut Context<'_>) -> bool {
        let held =
            self.pause.as_mut().is_some_and(|pause| pause.as_mut().poll(context).is_pending());
        if !held {
            self.pause = None;
        }
        held
    }

    /// A script waits: not at all if it was to end, and not for ever.
    fn waiting<T>(
        &mut self,
        call: &Call,
        limit: &mut Option<Limit>,
        context: &mut Context<'_>,
    ) -> Poll<mlua::Result<T>> {
        // Many short polls, each too short for the watchdog to see, add up too.
        self.cut |= self.left(call).is_zero();
        if self.cut || call.exit.get().is_some() {
            return Poll::Ready(Err(Error::runtime("the call was ended")));
        }
        let limit = limit.get_or_insert_with(|| Limit::of(self.budget.wait, context));
        if limit.poll(context).is_pending() {
            return Poll::Pending;
        }
        self.waited = true;
        Poll::Ready(Err(Error::runtime("the call was ended")))
    }

    /// Why the call came to `error`.
    pub(super) fn error(&self, call: &Call, error: &Error) -> ScriptError {
        if self.stuck {
            ScriptError::stuck(error)
        } else if self.cut {
            ScriptError::cpu(self.budget.cpu, Some(error))
        } else if self.paused > self.budget.wait {
            self.queue.account().spent()
        } else if self.waited {
            ScriptError::wait(self.budget.wait, &call.module)
        } else {
            let ScriptError { kind, message, traceback } = ScriptError::from_lua(error);
            let traceback = call.whole_trace(&message, traceback);
            ScriptError { kind, message, traceback }
        }
    }
}

/// One poll of a call: of its own coroutine, and of its light threads. It is over when all are.
fn all<T>(
    vm: &Incarnation,
    call: &Rc<Call>,
    waker: &Waker,
    own: &mut Pin<&mut impl Future<Output = mlua::Result<T>>>,
    done: &mut Option<T>,
) -> Poll<mlua::Result<T>> {
    let failed = Cell::new(None);
    let go_on = || {
        if done.is_none() {
            match own.as_mut().poll(&mut Context::from_waker(waker)) {
                Poll::Ready(Ok(value)) => *done = Some(value),
                Poll::Ready(Err(error)) => failed.set(Some(error)),
                Poll::Pending => {}
            }
        }
    };
    let is_leaving = || {
        let failure = failed.take();
        let is_leaving = failure.is_some() || call.exit.get().is_some();
        failed.set(failure);
        is_leaving
    };
    call.threads.poll(&vm.lua, waker, go_on, is_leaving);
    if let Some(error) = failed.take() {
        return Poll::Ready(Err(error));
    }
    match done.take() {
        Some(value) if !call.threads.are_running() => Poll::Ready(Ok(value)),
        value => {
            *done = value;
            Poll::Pending
        }
    }
}

/// A call is over, however that came: so are its light threads, and what it had done for it.
struct Ending<'a>(&'a Rc<Call>);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.threads.end();
        self.0.end_errands();
    }
}
