//! One light thread of a call: how far it has come, who wakes it, what came of it.

use std::cell::{Cell, OnceCell, RefCell};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, Wake, Waker};

use mlua::{Lua, MultiValue, Thread};

use super::coroutine::{self, Resumer};
use super::threads::Coroutine;
use super::{ScriptError, current};

/// `ngx.ERR`.
const ERROR: i64 = 4;

/// One light thread.
pub struct Light {
    /// What scripts hold. What it returned stays on its stack until somebody asks.
    pub thread: Thread,
    /// What tells it apart.
    pub(super) identity: usize,
    /// The coroutine that made it.
    pub(super) parent: usize,
    /// Whether it does not run, and is to go on.
    pub(super) rests: Cell<bool>,
    pub(super) life: RefCell<Life>,
    /// What wakes it, once it waited for something.
    alarm: OnceCell<(Arc<Alarm>, Waker)>,
    /// Whoever waits for its end.
    pub(super) waiter: RefCell<Option<Coroutine>>,
    /// Subrequests that it waits for.
    pub pending: Cell<u32>,
}

/// How far a light thread has come.
pub(super) enum Life {
    /// It was waited for, or killed.
    Dead,
    /// It runs, or waits.
    Running,
    /// It is over: it returned, or failed.
    Zombie(mlua::Result<()>),
}

/// Wakes a call, and says which of its light threads wants to go on.
struct Alarm {
    rings: AtomicBool,
    call: Mutex<Waker>,
}

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.rings.store(true, Ordering::Release);
        self.call.lock().unwrap_or_else(PoisonError::into_inner).wake_by_ref();
    }
}

impl Light {
    /// One that is to run, which the coroutine made that `parent` tells apart.
    pub(super) fn new(thread: Thread, parent: usize) -> Self {
        Self {
            identity: identity(&thread),
            thread,
            parent,
            rests: Cell::new(true),
            life: RefCell::new(Life::Running),
            alarm: OnceCell::new(),
            waiter: RefCell::default(),
            pending: Cell::default(),
        }
    }

    /// Whoever wakes it wakes the call, which knows by that that it is to go on.
    pub(super) fn waker(&self, call: &Waker) -> &Waker {
        let fresh = || {
            let alarm = Alarm { rings: AtomicBool::new(false), call: Mutex::new(call.clone()) };
            let alarm = Arc::new(alarm);
            (alarm.clone(), Waker::from(alarm))
        };
        &self.alarm.get_or_init(fresh).1
    }

    /// The call goes on in this task.
    pub(super) fn follow(&self, call: &Waker) {
        if let Some((alarm, _)) = self.alarm.get() {
            alarm.call.lock().unwrap_or_else(PoisonError::into_inner).clone_from(call);
        }
    }

    /// Whether somebody woke it since this was asked last.
    pub(super) fn was_woken(&self) -> bool {
        self.alarm.get().is_some_and(|(alarm, _)| alarm.rings.swap(false, Ordering::AcqRel))
    }

    /// Goes on with it, for whoever begins or wakes it.
    pub(super) fn resume(&self, lua: &Lua, from: Resumer, call: &Waker) -> Poll<mlua::Result<()>> {
        coroutine::advance(lua, &self.thread, from, || self.waker(call).wake_by_ref())
    }

    /// Whether it is not over.
    pub fn is_running(&self) -> bool {
        matches!(*self.life.borrow(), Life::Running)
    }

    /// Whether it is over, and nobody asked yet what came of it.
    pub fn is_zombie(&self) -> bool {
        matches!(*self.life.borrow(), Life::Zombie(_))
    }

    /// Whether the coroutine made it that this tells apart.
    pub fn is_child_of(&self, parent: usize) -> bool {
        self.parent == parent
    }

    /// Whether it was not killed, nor asked what came of it.
    pub fn is_known(&self) -> bool {
        !matches!(*self.life.borrow(), Life::Dead)
    }

    /// What came of it, if it is over; it is dead then.
    pub fn reap(&self, lua: &Lua) -> Option<mlua::Result<MultiValue>> {
        let mut life = self.life.borrow_mut();
        match std::mem::replace(&mut *life, Life::Dead) {
            Life::Zombie(Ok(())) => Some(coroutine::returned(lua, &self.thread)),
            Life::Zombie(Err(error)) => Some(Err(error)),
            Life::Dead => None,
            Life::Running => {
                *life = Life::Running;
                None
            }
        }
    }

    /// Whether it returned, and nobody asked yet what: who does so here takes it from its stack.
    pub(super) fn gives(&self) -> bool {
        let mut life = self.life.borrow_mut();
        let gives = matches!(*life, Life::Zombie(Ok(())));
        if gives {
            *life = Life::Dead;
        }
        gives
    }

    pub(super) fn kill(&self) {
        self.life.replace(Life::Dead);
        self.rests.set(false);
    }

    /// It is over; whoever waits for that.
    pub(super) fn end(&self, result: mlua::Result<()>) -> Option<Coroutine> {
        if !self.is_running() {
            return None;
        }
        self.life.replace(Life::Zombie(result));
        self.waiter.take()
    }
}

/// A light thread failed: the log tells why, as lua-nginx-module's does, unless it only left.
pub(super) fn tell(error: &mlua::Error) {
    let Some(call) = current().filter(|call| call.exit.get().is_none()) else { return };
    let ScriptError { message, traceback, .. } = ScriptError::from_lua(error);
    let message = format!("lua user thread aborted: runtime error: {message}");
    let message = match traceback.as_str() {
        "" => message,
        _ => format!("{message}\nstack traceback:\n{traceback}"),
    };
    call.say(ERROR, &message);
}

/// What `ngx.thread.wait` says of an error: what was given to `error`, without the place.
pub fn reason(error: &mlua::Error) -> String {
    let ScriptError { message, traceback, .. } = ScriptError::from_lua(error);
    let mut frames = traceback.lines();
    let raised = frames.next().is_some_and(|frame| frame == "[C]: in function 'error'");
    let place = frames.next().and_then(|frame| frame.split_once(": in ")).filter(|_| raised);
    let bare = place.and_then(|(place, _)| message.strip_prefix(place)?.strip_prefix(": "));
    bare.map(str::to_owned).unwrap_or(message)
}

/// What tells coroutines apart.
pub(super) fn identity(thread: &Thread) -> usize {
    thread.to_pointer() as usize
}
