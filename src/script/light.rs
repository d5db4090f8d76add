//! One light thread of a call: how far it has come, who wakes it, what came of it.

use std::cell::{Cell, RefCell};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Wake, Waker};

use mlua::{MultiValue, Thread};

use super::threads::Coroutine;
use super::{ScriptError, current};

/// `ngx.ERR`.
const ERROR: i64 = 4;

/// One light thread.
pub struct Light {
    /// What scripts hold.
    pub thread: Thread,
    /// The coroutine that made it.
    pub(super) parent: usize,
    /// Whether it does not run, and is to go on.
    pub(super) rests: Cell<bool>,
    pub(super) life: RefCell<Life>,
    pub(super) alarm: Arc<Alarm>,
    /// The alarm's.
    pub(super) waker: Waker,
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
    /// It is over, and this came of it.
    Zombie(mlua::Result<MultiValue>),
}

/// Wakes a call, and says which of its light threads wants to go on.
pub(super) struct Alarm {
    pub(super) rings: AtomicBool,
    pub(super) call: Mutex<Waker>,
}

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.rings.store(true, Ordering::Release);
        self.call.lock().unwrap_or_else(PoisonError::into_inner).wake_by_ref();
    }
}

impl Light {
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
    pub fn reap(&self) -> Option<mlua::Result<MultiValue>> {
        let mut life = self.life.borrow_mut();
        match std::mem::replace(&mut *life, Life::Dead) {
            Life::Zombie(result) => Some(result),
            Life::Dead => None,
            Life::Running => {
                *life = Life::Running;
                None
            }
        }
    }

    pub(super) fn kill(&self) {
        self.life.replace(Life::Dead);
        self.rests.set(false);
    }

    pub(super) fn identity(&self) -> usize {
        identity(&self.thread)
    }

    /// It is over; whoever waits for that.
    pub(super) fn end(&self, result: mlua::Result<MultiValue>) -> Option<Coroutine> {
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
