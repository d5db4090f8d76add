//! `ngx.semaphore`: what light threads, handlers and timers of one state wait for until another posts it.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::Duration;

use mlua::{AnyUserData, Lua, MultiValue, Table, Value};

use super::arguments::{at, fault, number, one, refusal};
use super::{EVERYWHERE, Function, Native, quick, register};
use crate::script::{Call, Waiting};
use crate::transaction::PhaseSet;

/// The longest time that a script may wait; its budget ends it before.
const LONGEST: f64 = 86_400.0 * 365.0;
/// The most that a semaphore counts to.
const MOST: f64 = i32::MAX as f64;

pub const FUNCTIONS: &[Function] = &[
    Function {
        name: "semaphore:post",
        phases: EVERYWHERE,
        syntax: "semaphore:post(n?)",
        doc: "Adds `n` (1) to what is there; that many of those that wait go on.",
        native: Native::Now(post),
    },
    Function {
        name: "semaphore:wait",
        phases: PhaseSet::of("ractCFH"),
        syntax: "local ok, err = semaphore:wait(seconds)",
        doc: "Takes one, and waits until there is one: for that long, then `nil, \"timeout\"`.",
        native: Native::Waits(wait),
    },
    Function {
        name: "semaphore:count",
        phases: EVERYWHERE,
        syntax: "local count = semaphore:count()",
        doc: "How many are there; below zero: how many wait.",
        native: Native::Now(|_, _, args| Ok(one(Value::Integer(semaphore(&args)?.count())))),
    },
];

/// A count, and who waits for it.
#[derive(Default)]
pub struct Semaphore {
    there: Cell<i64>,
    waiting: RefCell<VecDeque<Rc<Place>>>,
}

/// Somebody who waits.
#[derive(Default)]
struct Place {
    /// Whether one was given to it.
    is_given: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

/// A place in the queue, given up with what waits: one that was given goes to the next.
struct Queued {
    semaphore: Rc<Semaphore>,
    place: Rc<Place>,
}

impl Semaphore {
    /// How many are there; below zero: how many wait.
    pub fn count(&self) -> i64 {
        self.there.get() - self.waiting.borrow().len() as i64
    }

    /// Adds so many; as many of those that wait go on.
    pub fn post(&self, count: i64) {
        let waiting = self.waiting.borrow().len() as i64;
        let given = count.min(waiting);
        (0..given).for_each(|_| self.give());
        let there = self.there.get().saturating_add(count - given);
        self.there.set(there.min(MOST as i64));
    }

    /// Takes one, if there is one.
    pub fn take(&self) -> bool {
        let there = self.there.get();
        if there > 0 {
            self.there.set(there - 1);
        }
        there > 0
    }

    fn give(&self) {
        let Some(place) = self.waiting.borrow_mut().pop_front() else {
            return self.there.set(self.there.get() + 1);
        };
        place.is_given.set(true);
        if let Some(waker) = place.waker.take() {
            waker.wake();
        }
    }
}

impl Drop for Queued {
    fn drop(&mut self) {
        if self.place.is_given.take() {
            self.semaphore.give();
        } else {
            self.semaphore.waiting.borrow_mut().retain(|one| !Rc::ptr_eq(one, &self.place));
        }
    }
}

/// What `require "ngx.semaphore"` gives.
pub fn module(lua: &Lua) -> mlua::Result<Table> {
    let module = lua.create_table()?;
    module.raw_set("version", "0.1.28")?;
    module.raw_set("new", lua.create_function(new)?)?;
    module.set_readonly(true);
    Ok(module)
}

fn new(lua: &Lua, args: MultiValue) -> mlua::Result<Table> {
    let count = number(at(&args, 1)).unwrap_or_default();
    if !(0.0..=MOST).contains(&count) {
        return Err(fault("no negative number"));
    }
    let semaphore = Semaphore { there: Cell::new(count as i64), ..Semaphore::default() };
    let semaphore = Rc::new(semaphore);
    let object = register::object(lua, "semaphore", semaphore.clone())?;
    quick::own(lua, &object, semaphore)?;
    Ok(object)
}

fn semaphore(args: &MultiValue) -> mlua::Result<Rc<Semaphore>> {
    let not_one = || fault("not a semaphore instance");
    let Value::Table(table) = at(args, 1) else { return Err(not_one()) };
    let object: AnyUserData = table.raw_get(1).map_err(|_| not_one())?;
    object.borrow::<Rc<Semaphore>>().map(|inner| inner.clone()).map_err(|_| not_one())
}

fn post(_: &Lua, _: &Rc<Call>, args: MultiValue) -> mlua::Result<MultiValue> {
    let semaphore = semaphore(&args)?;
    let count = match at(&args, 2) {
        Value::Nil => 1.0,
        value => number(value).unwrap_or(1.0),
    };
    if !(1.0..=MOST).contains(&count) {
        return Err(fault("positive number required"));
    }
    semaphore.post(count as i64);
    Ok(one(Value::Boolean(true)))
}

fn wait(lua: Lua, _: Rc<Call>, args: MultiValue) -> Waiting<'static, mlua::Result<MultiValue>> {
    Box::pin(async move {
        let semaphore = semaphore(&args)?;
        let seconds = number(at(&args, 2)).unwrap_or_default();
        if !(0.0..=LONGEST).contains(&seconds) {
            return Err(fault("no negative number"));
        }
        if semaphore.take() {
            return Ok(one(Value::Boolean(true)));
        }
        if seconds == 0.0 {
            return refusal(&lua, "timeout");
        }
        let place = Rc::new(Place::default());
        semaphore.waiting.borrow_mut().push_back(place.clone());
        let queued = Queued { semaphore, place };
        let given = poll_fn(|context| {
            if queued.place.is_given.take() {
                return Poll::Ready(());
            }
            queued.place.waker.replace(Some(context.waker().clone()));
            Poll::Pending
        });
        match tokio::time::timeout(Duration::from_secs_f64(seconds), given).await {
            Ok(()) => Ok(one(Value::Boolean(true))),
            Err(_) => refusal(&lua, "timeout"),
        }
    })
}
