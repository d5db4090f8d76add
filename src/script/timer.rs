//! Timers: functions that run later, outside of any exchange.

use std::cell::Cell;
use std::pin::pin;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::Duration;

use mlua::{Function, MultiValue, Thread};
use tokio::sync::Notify;

use super::incarnation::Incarnation;
use super::meter::Meter;
use super::soon::Script;
use super::{Call, State, tell};
use crate::config::{Budget, SocketSettings};
use crate::telemetry::events;
use crate::transaction::Phase;

/// nginx's levels `alert` and `debug`.
const ALERT: i64 = 2;
const DEBUG: i64 = 8;

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
#[derive(Clone)]
struct Timer {
    state: Weak<State>,
    /// Where its function lives; a state that got a new VM forgets the timers of the old one.
    vm: Weak<Incarnation>,
    delay: Duration,
    repeats: bool,
    work: Work,
}

/// What is run at the time.
#[derive(Clone)]
pub struct Work {
    /// The function; `premature` comes before its arguments.
    pub function: Function,
    /// The arguments.
    pub arguments: MultiValue,
    /// On which terms.
    pub terms: Terms,
}

/// On which terms a timer runs.
#[derive(Clone)]
pub struct Terms {
    /// Whose it is: the label in metrics.
    pub module: Rc<str>,
    /// What one run may cost.
    pub budget: Budget,
    /// Whose exchange it comes from, as logs tell it.
    pub peer: Option<Rc<str>>,
    /// How its sockets behave unless it says otherwise.
    pub sockets: Option<Arc<SocketSettings>>,
}

/// Whether a timer came to its time.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    InTime,
    Premature,
}

impl State {
    /// Runs `work` after `delay`, and then each `every` if that is given, whether or not the run
    /// before is over. To be called on a worker. A timer does not keep its state alive.
    ///
    /// # Errors
    /// In lua-nginx-module's words: `too many pending timers`, `process exiting`.
    pub fn spawn_timer(
        self: &Rc<Self>,
        delay: Duration,
        every: Option<Duration>,
        work: Work,
    ) -> Result<(), &'static str> {
        let timers = self.timers();
        let at_once = delay.is_zero() && every.is_none();
        // As lua-nginx-module when it exits: what an exchange wants done now, still is.
        if timers.retired.get() && !at_once {
            return Err("process exiting");
        }
        if timers.pending.get() >= self.spec().max_timers {
            return Err("too many pending timers");
        }
        let Ok(vm) = self.vm() else { return Err("process exiting") };
        let counted = Counted::new(timers.clone(), Stage::Pending);
        if at_once {
            let Work { function, arguments, terms } = work;
            self.run_soon(&vm, Script::Given(function, arguments), terms, counted);
        } else {
            let timer = Timer {
                state: Rc::downgrade(self),
                vm: Rc::downgrade(&vm),
                delay: every.map_or(delay, |every| every.max(SHORTEST)),
                repeats: every.is_some(),
                work,
            };
            tokio::task::spawn_local(timer.wait(counted));
        }
        if timers.retired.get() {
            self.outlive_timers();
        }
        Ok(())
    }

    /// As [`Self::spawn_timer`] for at once, of what `lay` puts onto the stack of a coroutine: a function,
    /// false, and its arguments. None, and nothing is done, where that says that there is none.
    pub(super) fn lay_timer(
        self: &Rc<Self>,
        lay: impl FnOnce(&Thread) -> Option<Terms>,
    ) -> Option<()> {
        let timers = self.timers();
        if timers.retired.get() || timers.pending.get() >= self.spec().max_timers {
            return None;
        }
        let vm = self.vm().ok()?;
        let thread = vm.idle.take(&vm.lua).ok()?;
        let terms = lay(&thread)?;
        let counted = Counted::new(timers.clone(), Stage::Pending);
        self.run_soon(&vm, Script::Laid(thread), terms, counted);
        Some(())
    }

    /// Its timers, counted.
    pub fn timers(&self) -> &Rc<Timers> {
        &self.timers
    }

    /// The policy that wanted this state is no longer in force: pending timers run once more, with
    /// `premature` set, and no new ones are taken but for at once. The state lives until they are
    /// over.
    pub fn retire(&self) {
        if !self.timers.retired.get() {
            self.timers.retire();
            self.outlive_timers();
        }
    }

    /// Waits until no timer is pending or running.
    pub async fn timers_are_over(&self) {
        self.timers.are_over().await;
    }

    fn outlive_timers(&self) {
        let Some(state) = self.itself.upgrade() else { return };
        if self.timers.any() {
            tokio::task::spawn_local(async move { state.timers_are_over().await });
        }
    }
}

impl Timer {
    /// Waits for its time, again and again if it repeats; each run is a task of its own.
    async fn wait(self, mut counted: Counted) {
        let timers = counted.timers.clone();
        loop {
            let due = timers.due(self.delay).await;
            let goes_on = self.repeats && due == Due::InTime;
            let next = goes_on.then(|| Counted::new(timers.clone(), Stage::Pending));
            if self.state.strong_count() == 0 || self.vm.strong_count() == 0 {
                return;
            }
            tokio::task::spawn_local(self.clone().run(counted, due));
            let Some(next) = next else { return };
            counted = next;
        }
    }

    /// One run.
    async fn run(self, counted: Counted, due: Due) {
        let (Some(state), Some(vm)) = (self.state.upgrade(), self.vm.upgrade()) else { return };
        let Work { function, arguments, terms } = self.work;
        run(&state, &vm, (Script::Given(function, arguments), terms), counted, due).await;
    }
}

/// One run of a timer, if there are not too many.
pub(super) async fn run(
    state: &Rc<State>,
    vm: &Rc<Incarnation>,
    (script, terms): (Script, Terms),
    mut counted: Counted,
    due: Due,
) {
    trace("lua ngx.timer expired");
    counted.become_running();
    if counted.timers.running.get() > state.spec().max_running_timers {
        return refused(state, script.function(vm).as_ref());
    }
    let Terms { module, budget, peer, sockets } = terms;
    let call = Call::new(Phase::Timer, module, None);
    call.aside.peer.replace(peer);
    call.aside.socket_settings.replace(sockets);
    call.budget.set(budget);
    let ran = match Meter::begin(budget, &state.queue) {
        Ok(mut meter) => {
            let result = match script.begin(vm, due) {
                Ok(run) => meter.drive(vm, &call, pin!(run)).await,
                Err(error) => Err(error),
            };
            state.finish(vm, &call, &meter, result)
        }
        Err(error) => Err(error),
    };
    if let Err(error) = ran {
        tell(&call, state, &error);
    }
    trace("http lua close fake http connection");
}

/// Too many are running: the log says which one is not.
fn refused(state: &State, function: Option<&Function>) {
    if !state.account().may_speak() {
        return;
    }
    let defined = function.map(Function::info);
    let source = defined.as_ref().and_then(|defined| defined.source.as_deref());
    let file = source.unwrap_or("(unknown)").trim_start_matches(['@', '=']);
    let mark = if file.starts_with('/') { "@" } else { "=" };
    let line = defined.as_ref().and_then(|defined| defined.line_defined).unwrap_or_default();
    let most = state.spec().max_running_timers;
    let message = format!(
        "lua failed to run timer with function defined at {mark}{file}:{line}: {most} \
         lua_max_running_timers are not enough"
    );
    events::Said { level: ALERT, message: &message, about: None }.emit();
}

/// What lua-nginx-module tells at level `debug` of its process.
fn trace(message: &str) {
    if events::ScriptSaid::is_wanted(DEBUG) {
        events::Said { level: DEBUG, message, about: None }.emit();
    }
}

impl Timers {
    /// Whether the policy that wanted them is no longer in force.
    pub fn are_retired(&self) -> bool {
        self.retired.get()
    }

    fn any(&self) -> bool {
        self.pending.get() + self.running.get() > 0
    }

    async fn are_over(&self) {
        while self.any() {
            self.changed.notified().await;
        }
    }

    /// Takes no new ones, and wakes those that wait.
    pub(super) fn retire(&self) {
        self.retired.set(true);
        self.changed.notify_waiters();
    }

    async fn due(&self, delay: Duration) -> Due {
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
pub(super) struct Counted {
    timers: Rc<Timers>,
    stage: Stage,
}

/// How far a timer is.
#[derive(Clone, Copy)]
enum Stage {
    Pending,
    Running,
}

impl Counted {
    fn new(timers: Rc<Timers>, stage: Stage) -> Self {
        let one = Self { timers, stage };
        one.count().set(one.count().get() + 1);
        one
    }

    fn become_running(&mut self) {
        self.leave();
        self.stage = Stage::Running;
        self.count().set(self.count().get() + 1);
    }

    fn leave(&self) {
        self.count().set(self.count().get().saturating_sub(1));
    }

    fn count(&self) -> &Cell<usize> {
        match self.stage {
            Stage::Pending => &self.timers.pending,
            Stage::Running => &self.timers.running,
        }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.leave();
        self.timers.changed.notify_waiters();
    }
}
