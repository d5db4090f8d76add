//! `ngx.thread`: light threads; `ngx.on_abort`, the one that runs when the client goes away.

use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;

use mlua::{Lua, MultiValue, Thread, Value};

use super::arguments::{at, bad_argument, fault, one, refusal, string};
use super::{Function, Native, Step, quick};
use crate::script::coroutine::is_light;
use crate::script::light::identity;
use crate::script::parked::Answer;
use crate::script::{Call, Light, Threads, Waiting, reason};
use crate::transaction::PhaseSet;

/// Where scripts may wait.
pub const PHASES: PhaseSet = PhaseSet::of("ractCFH");

pub const FUNCTIONS: &[Function] = &[
    Function {
        name: "ngx.thread.spawn",
        phases: PHASES,
        syntax: "local thread = ngx.thread.spawn(function(...) end, ...)",
        doc: "Runs a function beside the script, until it first waits; from then on it goes on by \
              itself. The phase ends when the script and all of its threads have, or one of them \
              leaves with `ngx.exit` or its like. A call has at most 1000 that run.",
        native: Native::MayWait(spawn),
    },
    Function {
        name: "ngx.thread.wait",
        phases: PHASES,
        syntax: "local ok, ... = ngx.thread.wait(thread1, thread2, ...)",
        doc: "Waits until the first of them ends: true and what it returned, or false and its error. \
              Only who made a thread can wait for it.",
        native: Native::MayWait(wait),
    },
    Function {
        name: "ngx.thread.kill",
        phases: PHASES,
        syntax: "local ok, err = ngx.thread.kill(thread)",
        doc: "Ends a thread, whatever it waits for. Only who made it can.",
        native: Native::MayWait(kill),
    },
    Function {
        name: "ngx.on_abort",
        phases: PhaseSet::of("rac"),
        syntax: "local ok, err = ngx.on_abort(function() end)",
        doc: "Runs a function as a light thread when the client goes away, where the route's \
              `lua: { watch_client: true }` has that noticed; without one the script is ended then.",
        native: Native::Now(on_abort),
    },
];

fn on_abort(lua: &Lua, call: &Rc<Call>, mut args: MultiValue) -> mlua::Result<MultiValue> {
    let Some(Value::Function(function)) = args.pop_front() else {
        return Err(bad_argument(1, "on_abort", "Lua function expected"));
    };
    if !call.threads.are_watching() {
        return refusal(lua, "lua_check_client_abort is off");
    }
    if call.threads.on_abort(lua, function)? {
        return Ok(one(Value::Integer(1)));
    }
    refusal(lua, "duplicate call")
}

/// Is given a fresh light thread, made of the function and the arguments that its script gave.
fn spawn(lua: &Lua, call: &Rc<Call>, mut args: MultiValue) -> mlua::Result<Step> {
    let Some(Value::Thread(thread)) = args.pop_front() else {
        return Err(bad_argument(1, "spawn", "Lua function expected"));
    };
    let light = call.threads.spawn(lua, thread, quick::caller())?;
    Ok(match begun(call, &light) {
        Some(waiting) => Step::Waits(waiting),
        None => Step::Done(one(Value::Thread(light.thread.clone()))),
    })
}

/// What somebody waits for who began a light thread, and gets it then; none: it goes on at once.
pub fn begun(call: &Call, light: &Light) -> Option<Waiting<'static, Answer>> {
    if call.threads.turn() {
        return None;
    }
    let thread = light.thread.clone();
    Some(Box::pin(async move {
        Threads::own_turn().await;
        Ok(one(Value::Thread(thread)))
    }))
}

/// The thread that an argument names.
fn named(args: &MultiValue, index: usize, function: &str) -> mlua::Result<Thread> {
    match at(args, index) {
        Value::Thread(thread) => Ok(thread.clone()),
        _ => Err(bad_argument(index, function, "lua thread expected")),
    }
}

fn wait(lua: &Lua, call: &Rc<Call>, args: MultiValue) -> mlua::Result<Step> {
    let awaited = choose(call, &args)?;
    if let Some(over) = awaited.iter().find(|light| light.is_zombie()) {
        return what_came(lua, over.reap(lua)).map(Step::Done);
    }
    let (lua, call) = (lua.clone(), call.clone());
    Ok(Step::Waits(Box::pin(async move {
        let result = poll_fn(|_| {
            if let Some(over) = awaited.iter().find(|light| light.is_zombie()) {
                return Poll::Ready(over.reap(&lua));
            }
            if awaited.iter().all(|light| !light.is_known()) {
                return Poll::Ready(None);
            }
            for light in &awaited {
                call.threads.await_end(light);
            }
            Poll::Pending
        });
        what_came(&lua, result.await)
    })))
}

/// What `ngx.thread.wait` says of a thread's end; of none: none of them is there any more.
fn what_came(lua: &Lua, came: Option<mlua::Result<MultiValue>>) -> mlua::Result<MultiValue> {
    match came {
        None => refusal(lua, "already waited or killed"),
        Some(Ok(mut values)) => {
            values.push_front(Value::Boolean(true));
            Ok(values)
        }
        Some(Err(error)) => {
            let words = string(lua, reason(&error))?;
            Ok(MultiValue::from_vec(vec![Value::Boolean(false), words]))
        }
    }
}

/// Those of the arguments that can be waited for.
fn choose(call: &Rc<Call>, args: &MultiValue) -> mlua::Result<Vec<Rc<Light>>> {
    if args.is_empty() {
        return Err(fault("at least one coroutine should be specified"));
    }
    let mut awaited = Vec::with_capacity(args.len());
    for index in 1..=args.len() {
        let thread = named(args, index, "wait")?;
        let Some(light) = call.threads.find(identity(&thread)) else {
            if is_light(&thread) {
                continue;
            }
            return Err(fault("attempt to wait on a coroutine that is not a user thread"));
        };
        if !light.is_child_of(quick::caller()) {
            return Err(fault("only the parent coroutine can wait on the thread"));
        }
        if light.is_known() {
            awaited.push(light);
        }
    }
    Ok(awaited)
}

fn kill(lua: &Lua, call: &Rc<Call>, args: MultiValue) -> mlua::Result<Step> {
    let thread = named(&args, 1, "kill")?;
    let killed = match call.threads.find(identity(&thread)) {
        Some(light) => end(call, &light),
        None if is_light(&thread) => Err("already waited or killed"),
        None => Err("not user thread"),
    };
    let said = match killed {
        Ok(()) => one(Value::Integer(1)),
        Err(words) => refusal(lua, words)?,
    };
    Ok(Step::Done(said))
}

/// Ends a light thread for the coroutine that runs; else words that tell why not.
fn end(call: &Call, light: &Light) -> Result<(), &'static str> {
    if !light.is_child_of(quick::caller()) {
        return Err("killer not parent");
    }
    if light.pending.get() > 0 {
        return Err("pending subrequests");
    }
    if light.is_zombie() {
        call.threads.kill(light);
        return Err("already terminated");
    }
    if !light.is_known() {
        return Err("already waited or killed");
    }
    call.threads.kill(light);
    Ok(())
}

/// What `coroutine.status` says of the light thread which that tells apart: `running`, `zombie`, `dead`.
pub fn status(call: Option<&Rc<Call>>, identity: usize) -> &'static str {
    let light = call.and_then(|call| call.threads.find(identity));
    match light {
        Some(light) if light.is_running() => "running",
        Some(light) if light.is_zombie() => "zombie",
        _ => "dead",
    }
}
