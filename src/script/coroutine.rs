//! The coroutines in which handlers run: kept when a call is over, for calls to come.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use mlua::thread::AsyncThread;
use mlua::{Function, IntoLuaMulti, Lua, Thread, Value};

/// Coroutines that one VM keeps at the most.
const KEPT: usize = 64;

/// The coroutines of a VM in which nothing runs.
#[derive(Default)]
pub(super) struct Idle(RefCell<Vec<Coroutine>>);

struct Coroutine {
    thread: Thread,
    /// The same one, to be polled.
    work: AsyncThread<Value>,
}

/// A function that runs in a coroutine; its first result comes of it. One that failed, or was given
/// up, leaves its coroutine to the collector.
pub(super) struct Run<'vm> {
    idle: &'vm Idle,
    coroutine: Option<Coroutine>,
}

impl Idle {
    /// Begins to run a function without arguments.
    ///
    /// # Errors
    /// If the state's memory is spent.
    pub(super) fn run(&self, lua: &Lua, function: Function) -> mlua::Result<Run<'_>> {
        let kept = self.0.borrow_mut().pop();
        let coroutine = match kept {
            Some(kept) => {
                kept.thread.reset(function)?;
                kept
            }
            None => {
                let thread = lua.create_thread(function)?;
                Coroutine { work: thread.clone().into_async(())?, thread }
            }
        };
        Ok(Run { idle: self, coroutine: Some(coroutine) })
    }

    fn keep(&self, coroutine: Coroutine) {
        let mut idle = self.0.borrow_mut();
        if idle.len() < KEPT {
            idle.push(coroutine);
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
            Poll::Ready(Err(_)) => {}
            Poll::Pending => self.coroutine = Some(coroutine),
        }
        polled
    }
}
