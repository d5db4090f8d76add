//! `ngx.timer` and `ngx.sleep`.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use mlua::{Function as LuaFunction, Lua, MultiValue, Value};
use tokio::time::Sleep;

use super::arguments::{at, bad_argument, check_number, fault, one, refusal, type_name};
use super::{EVERYWHERE, Function, Native, Stack, log};
use crate::script::fairness::wake_after_polling;
use crate::script::parked;
use crate::script::{Call, State, Terms, Waiting, Work, state_of};
use crate::transaction::{Phase, PhaseSet};

/// The longest delay or sleep: a day over which nothing would be remembered anyway.
const LONGEST: f64 = 86_400.0 * 365.0;

/// Where timers may be set.
pub const PHASES: PhaseSet = PhaseSet::of("IsrachbltBCFOH");

pub const FUNCTIONS: &[Function] = &[
    Function {
        name: "ngx.timer.at",
        phases: PHASES,
        syntax: "local ok, err = ngx.timer.at(delay, function(premature, ...) end, ...)",
        doc: "Runs a function once, `delay` seconds from now, outside of any exchange. Its first \
              argument tells whether the policy went out of force before its time.",
        native: Native::Now(|lua, call, args| timer(lua, call, args, "at", Repeat::Once)),
    },
    Function {
        name: "ngx.timer.every",
        phases: PHASES,
        syntax: "local ok, err = ngx.timer.every(delay, function(premature, ...) end, ...)",
        doc: "Runs a function every `delay` seconds.",
        native: Native::Now(|lua, call, args| timer(lua, call, args, "every", Repeat::Every)),
    },
    Function {
        name: "ngx.timer.running_count",
        phases: EVERYWHERE,
        syntax: "local count = ngx.timer.running_count()",
        doc: "How many timers of this state are running.",
        native: Native::Now(|lua, _, _| Ok(one(Value::Integer(counts(lua).1)))),
    },
    Function {
        name: "ngx.timer.pending_count",
        phases: EVERYWHERE,
        syntax: "local count = ngx.timer.pending_count()",
        doc: "How many timers of this state are waiting for their time.",
        native: Native::Now(|lua, _, _| Ok(one(Value::Integer(counts(lua).0)))),
    },
    Function {
        name: "ngx.sleep",
        phases: PhaseSet::of("ractCFH"),
        syntax: "ngx.sleep(seconds)",
        doc: "Waits, without holding up anybody else.",
        native: Native::Waits(sleep),
    },
];

/// How often a timer runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Repeat {
    Every,
    Once,
}

/// How many times a handler's CPU time a timer of it may take: nobody waits for a timer.
const PATIENCE: u32 = 10;

/// Between a timer and one that it sets.
const PAUSE: Duration = Duration::from_millis(1);

/// How many timers of this state are pending and running.
fn counts(lua: &Lua) -> (i64, i64) {
    let count = |state: Rc<State>| {
        let timers = state.timers();
        (timers.pending.get() as i64, timers.running.get() as i64)
    };
    state_of(lua).map(count).unwrap_or_default()
}

fn timer(
    lua: &Lua,
    call: &Rc<Call>,
    mut args: MultiValue,
    name: &str,
    repeat: Repeat,
) -> mlua::Result<MultiValue> {
    if args.len() < 2 {
        let got = args.len();
        return Err(fault(format!("expecting at least 2 arguments but got {got}")));
    }
    let delay = check_number(&args, 1, name)?;
    if !(0.0..=LONGEST).contains(&delay) {
        return Err(bad_argument(1, name, "delay out of range"));
    }
    if repeat == Repeat::Every && delay == 0.0 {
        return Err(bad_argument(1, name, "delay cannot be zero"));
    }
    let Value::Function(function) = at(&args, 2).clone() else {
        let got = type_name(at(&args, 2));
        return Err(bad_argument(2, name, &format!("Lua function expected, got {got}")));
    };
    args.pop_front();
    args.pop_front();
    match schedule(lua, call, Duration::from_secs_f64(delay), repeat, function, args) {
        Ok(()) => Ok(one(Value::Integer(1))),
        Err(words) => refusal(lua, words),
    }
}

/// Hands a timer to the state, or says why it takes none.
fn schedule(
    lua: &Lua,
    call: &Rc<Call>,
    mut delay: Duration,
    repeat: Repeat,
    function: LuaFunction,
    args: MultiValue,
) -> Result<(), &'static str> {
    let state = state_of(lua).ok_or("process exiting")?;
    let every = (repeat == Repeat::Every).then_some(delay);
    if call.phase == Phase::Timer {
        if state.timers().are_retired() {
            // Else timers that start timers would keep a retired state for ever.
            return Err("process exiting");
        }
        // Nor may a chain of them take every turn.
        delay = delay.max(PAUSE);
    }
    state.spawn_timer(delay, every, Work { function, arguments: args, terms: terms(call) })
}

/// On which terms a timer runs that this call sets.
pub fn terms(call: &Call) -> Terms {
    let mut budget = call.budget.get();
    if call.phase != Phase::Timer {
        budget.cpu *= PATIENCE;
    }
    let sockets = call.socket_settings();
    Terms { module: call.module.clone(), budget, peer: call.peer(), sockets }
}

/// A sleep of which nothing is told.
pub enum Sleeping {
    /// Of no time: others run before it; whether they were let.
    Passing(bool),
    Timed(Pin<Box<Sleep>>),
}

impl Sleeping {
    /// One of that many seconds; none: it is not for a script to sleep so long.
    pub fn of(call: &Call, seconds: f64) -> Option<Self> {
        if !(0.0..=LONGEST).contains(&seconds) {
            return None;
        }
        if seconds == 0.0 && call.threads.may_skip() {
            return Some(Self::Passing(false));
        }
        Some(Self::Timed(Box::pin(tokio::time::sleep(Duration::from_secs_f64(seconds)))))
    }
}

impl parked::Native for Sleeping {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        match self {
            Self::Passing(passed) => {
                if std::mem::replace(passed, true) {
                    return Poll::Ready(());
                }
                wake_after_polling(context.waker());
                Poll::Pending
            }
            Self::Timed(sleep) => sleep.as_mut().poll(context),
        }
    }

    fn put(self: Box<Self>, _: &mut Stack<'_>) -> usize {
        0
    }
}

/// A sleep that was not slept to its end is told when its timer goes.
struct Pending<'a>(&'a Call);

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        log::trace(self.0, || "lua clean up the timer for pending ngx.sleep".to_owned());
    }
}

fn sleep(_: Lua, call: Rc<Call>, args: MultiValue) -> Waiting<'static, mlua::Result<MultiValue>> {
    Box::pin(async move {
        let seconds = check_number(&args, 1, "sleep")?;
        if !(0.0..=LONGEST).contains(&seconds) {
            return Err(fault(format!("invalid sleep duration \"{seconds}\"")));
        }
        log::trace(&call, || format!("lua ready to sleep for {} ms", (seconds * 1000.0) as u64));
        let pending = Pending(&call);
        if seconds == 0.0 && call.threads.may_skip() {
            tokio::task::yield_now().await;
        } else {
            tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
        }
        std::mem::forget(pending);
        log::trace(&call, || format!("lua sleep timer expired: \"{}\"", log::target(&call)));
        Ok(MultiValue::new())
    })
}
