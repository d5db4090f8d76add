//! Timers: functions that run later, outside of any exchange.

use std::cell::Cell;
use std::pin::pin;
use std::rc::{Rc, Weak};
use std::time::Duration;

use mlua::{Function, MultiValue, Value};
use tokio::sync::Notify;

use super::api::log;
use super::incarnation::Incarnation;
use super::meter::Meter;
use super::{Call, State};
use crate::config::Budget;
use crate::telemetry::events;
use crate::transaction::Phase;

/// The shortest time between two runs.
const SHORTEST: Duration = Duration::from_millis(1);

/// The timers of one state.
#[derive(Debug, Default)]
pub struct Timers {
    /// Waiting for their time.
    pub pending: Cell<usize>,
    /// Running now.
    pub running: Cell<usize>,
    /// No new ones are taken.
    retired: Cell<bool>,
    /// Wakes those that wait when the state retires, and the state when one is over.
    changed: Notify,
}

/// What a timer runs, and when.
struct Timer {
    state: Weak<State>,
    /// Where its function lives; a state that got a new VM forgets the timers of the old one.
    vm: Weak<Incarnation>,
    delay: Duration,
    at_once: bool,
    repeats: bool,
    function: Function,
    arguments: MultiValue,
    module: Rc<str>,
    budget: Budget,
}

/// Whether a timer came to its time.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Due {
    InTime,
    Premature,
}

impl State {
    /// Runs `function(premature, ...)` after `delay`, and then each `every` if that is given. It
    /// needs the worker's `LocalSet`. A timer does not keep its state alive.
    ///
    /// # Errors
    /// In lua-nginx-module's words: `too many pending timers`, `process exiting`.
    pub fn spawn_timer(
        self: &Rc<Self>,
        delay: Duration,
        every: Option<Duration>,
        function: Function,
        arguments: MultiValue,
        module: Rc<str>,
        budget: Budget,
    ) -> Result<(), &'static str> {
        let timers = self.timers();
        let at_once = delay.is_zero() && every.is_none();
        // As lua-nginx-module when it exits: what an exchange wants done now, still is.
        if timers.retired.get() && !at_once {
            return Err("process exiting");
        }
        if timers.pending.get() + timers.running.get() >= self.spec().max_timers {
            return Err("too many pending timers");
        }
        let Ok(vm) = self.vm() else { return Err("process exiting") };
        let timer = Timer {
            state: Rc::downgrade(self),
            vm: Rc::downgrade(&vm),
            delay: every.map_or(delay, |every| every.max(SHORTEST)),
            at_once,
            repeats: every.is_some(),
            function,
            arguments,
            module,
            budget,
        };
        timers.pending.set(timers.pending.get() + 1);
        tokio::task::spawn_local(timer.run(timers.clone()));
        if timers.retired.get() {
            self.outlive_timers();
        }
        Ok(())
    }

    /// Its timers, counted.
    pub fn timers(&self) -> &Rc<Timers> {
        &self.timers
    }

    /// The policy that wanted this state is no longer in force: pending timers run once more, with
    /// `premature` set, and no new ones are taken but for at once. The state lives until they are
    /// over.
    pub fn retire(&self) {
        self.timers.retire();
        self.outlive_timers();
    }

    fn outlive_timers(&self) {
        let timers = self.timers.clone();
        let Some(state) = self.itself.upgrade() else { return };
        if timers.pending.get() + timers.running.get() == 0 {
            return;
        }
        tokio::task::spawn_local(async move {
            while timers.pending.get() + timers.running.get() > 0 {
                timers.changed.notified().await;
            }
            drop(state);
        });
    }
}

impl Timer {
    async fn run(self, timers: Rc<Timers>) {
        let mut counted = Counted { timers: &timers, count: &timers.pending };
        loop {
            let due = timers.due(self.delay, self.at_once).await;
            counted.become_one_of(&timers.running);
            let alive = self.fire(due).await;
            if !alive || !self.repeats || due == Due::Premature {
                return;
            }
            counted.become_one_of(&timers.pending);
        }
    }

    /// Runs the function once; whether there is still somebody to run it for.
    async fn fire(&self, due: Due) -> bool {
        let (Some(state), Some(vm)) = (self.state.upgrade(), self.vm.upgrade()) else {
            return false;
        };
        let call = Call::new(Phase::Timer, self.module.clone(), None);
        log::trace(&call, || "lua ngx.timer expired".to_owned());
        let mut arguments = self.arguments.clone();
        arguments.push_front(Value::Boolean(due == Due::Premature));
        call.budget.set(self.budget);
        let ran = match Meter::begin(self.budget, &state.queue) {
            Ok(mut meter) => {
                let result = {
                    let _limited = vm.limit_after();
                    let future = pin!(self.function.call_async::<Value>(arguments));
                    let _lifting = vm.no_limit_from();
                    meter.drive(&vm, &call, future).await
                };
                state.finish(&vm, &call, &meter, result)
            }
            Err(error) => Err(error),
        };
        if let Err(error) = ran
            && state.account().may_speak()
        {
            events::ScriptFailed {
                module: &self.module,
                phase: Phase::Timer,
                kind: error.kind.as_str(),
                error: &error.message,
                traceback: &error.traceback,
                about: None,
            }
            .emit();
        }
        log::trace(&call, || "http lua close fake http connection".to_owned());
        true
    }
}

impl Timers {
    /// Whether the policy that wanted them is no longer in force.
    pub fn are_retired(&self) -> bool {
        self.retired.get()
    }

    /// Takes no new ones, and wakes those that wait.
    pub(super) fn retire(&self) {
        self.retired.set(true);
        self.changed.notify_waiters();
    }

    async fn due(&self, delay: Duration, at_once: bool) -> Due {
        if at_once {
            tokio::time::sleep(delay).await;
            return Due::InTime;
        }
        let mut retired = pin!(self.changed.notified());
        // From here on no word is missed, whether it is waited for or not.
        retired.as_mut().enable();
        let mut time = pin!(tokio::time::sleep(delay));
        loop {
            if self.retired.get() {
                return Due::Premature;
            }
            tokio::select! {
                () = &mut time => return Due::InTime,
                () = &mut retired => retired.set(self.changed.notified()),
            }
        }
    }
}

/// One timer in one of the counts, however its task ends.
struct Counted<'a> {
    timers: &'a Timers,
    count: &'a Cell<usize>,
}

impl<'a> Counted<'a> {
    fn become_one_of(&mut self, count: &'a Cell<usize>) {
        self.count.set(self.count.get().saturating_sub(1));
        count.set(count.get() + 1);
        self.count = count;
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.count.set(self.count.get().saturating_sub(1));
        self.timers.changed.notify_waiters();
    }
}
