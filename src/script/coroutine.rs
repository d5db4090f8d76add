//! The coroutines in which handlers run: kept when a call is over, for calls to come.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use mlua::thread::AsyncThread;
use mlua::{Function, IntoLuaMulti, Lua, Thread, Value, WeakLua};

/// Coroutines that one VM keeps at the most.
const KEPT: usize = 64;

/// The coroutines of a VM in which nothing runs.
pub(super) struct Idle {
    lua: WeakLua,
    all: RefCell<Vec<Coroutine>>,
    /// What stands in one that was cleared.
    nothing: Function,
}

struct Coroutine {
    thread: Thread,
    /// The same one, to be polled.
    work: AsyncThread<Value>,
}

/// A function that runs in a coroutine; its first result comes of it. One that was given up leaves its
/// coroutine to the collector.
pub(super) struct Run<'vm> {
    idle: &'vm Idle,
    coroutine: Option<Coroutine>,
}

impl Idle {
    /// Of a fresh VM.
    ///
    /// # Errors
    /// If its memory does not hold it.
    pub(super) fn of(lua: &Lua) -> mlua::Result<Self> {
        let nothing = lua.create_function(|_, ()| Ok(()))?;
        Ok(Self { lua: lua.weak(), all: RefCell::default(), nothing })
    }

    /// Begins to run a function without arguments.
    ///
    /// # Errors
    /// If the state's memory is spent.
    pub(super) fn run(&self, lua: &Lua, function: Function) -> mlua::Result<Run<'_>> {
        let kept = self.all.borrow_mut().pop();
        let coroutine = if let Some(kept) = kept {
            kept.thread.reset(function)?;
            kept
        } else {
            let thread = lua.create_thread(function)?;
            Coroutine { work: thread.clone().into_async(())?, thread }
        };
        Ok(Run { idle: self, coroutine: Some(coroutine) })
    }

    fn keep(&self, coroutine: Coroutine) {
        let mut idle = self.all.borrow_mut();
        if idle.len() < KEPT {
            idle.push(coroutine);
        }
    }

    /// Keeps one in which something failed, or left, without what that had on its stack. A stack that
    /// grew is given back by allocating a small one, outside of any protection: what the memory limit
    /// raised there would end the process.
    fn clear(&self, coroutine: Coroutine) {
        let Some(lua) = self.lua.try_upgrade() else { return };
        let Ok(limit) = lua.set_memory_limit(0) else { return };
        let cleared = coroutine.thread.reset(self.nothing.clone());
        let limited = lua.set_memory_limit(limit);
        if cleared.is_ok() && limited.is_ok() {
            self.keep(coroutine);
        }
    }
}

impl Run<'_> {
    /// Gives it its arguments, before it is polled.
    ///
    /// # Errors
    /// If the state's memory is spent.
    pub(super) fn with(mut self, arguments: impl IntoLuaMulti) -> mlua::Result<Self> {
        if let Some(coroutine) = &mut self.coroutine {
            coroutine.work = coroutine.thread.clone().into_async(arguments)?;
        }
        Ok(self)
    }
}

impl Future for Run<'_> {
    type Output = mlua::Result<Value>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(mut coroutine) = self.coroutine.take() else { return Poll::Pending };
        let polled = Pin::new(&mut coroutine.work).poll(context);
        match &polled {
            Poll::Ready(Ok(_)) => self.idle.keep(coroutine),
            Poll::Ready(Err(_)) => self.idle.clear(coroutine),
            Poll::Pending => self.coroutine = Some(coroutine),
        }
        polled
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    fn poll(run: &mut Run<'_>) -> Poll<mlua::Result<Value>> {
        Pin::new(run).poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn a_coroutine_is_kept_for_the_next_call_unless_what_ran_in_it_was_given_up() {
        let lua = Lua::new();
        let idle = Idle::of(&lua).unwrap();
        let function = |text: &str| lua.load(text).into_function().unwrap();
        for (text, kept) in [
            ("return 7", 1),
            ("return ...", 1),
            ("error('no')", 1),
            ("coroutine.yield() return 1", 0),
            ("return 7", 1),
        ] {
            let mut run = idle.run(&lua, function(text)).unwrap();
            let _ = poll(&mut run);
            drop(run);
            assert_eq!(idle.all.borrow().len(), kept, "{text}");
        }
    }

    #[test]
    fn a_coroutine_that_is_used_again_holds_nothing_of_the_call_before() {
        let lua = Lua::new();
        let idle = Idle::of(&lua).unwrap();
        let function =
            lua.load("return select('#', ...) .. tostring((...))").into_function().unwrap();
        let mut answers = Vec::new();
        for given in [None, Some("a"), None] {
            let mut run = idle.run(&lua, function.clone()).unwrap();
            if let Some(given) = given {
                run = run.with(given).unwrap();
            }
            let Poll::Ready(Ok(Value::String(said))) = poll(&mut run) else { panic!("it waits") };
            answers.push(said.to_string_lossy());
        }
        assert_eq!(answers, ["0nil", "1a", "0nil"]);
    }
}
