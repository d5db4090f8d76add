//! The coroutines in which scripts run: how one goes on, and which are kept for calls to come.
//!
//! A coroutine is resumed as Luau has it: that is one protection for all that happens in it. mlua's way
//! protects and looks up around it what a call does not need. What mlua's own async functions wait for
//! is to be waited for by [`super::Call::awaited`]: here nobody tells them whom to wake.
#![allow(unsafe_code, reason = "mlua looks at a coroutine from all sides whenever it goes on")]

mod library;

use std::cell::RefCell;
use std::ffi::c_int;
use std::future::Future;
use std::pin::Pin;
use std::ptr;
use std::task::{Context, Poll};

use mlua::state::RawLua;
use mlua::{
    Error, FromLua as _, FromLuaMulti, Function, IntoLuaMulti, Lua, LuaString, Thread, Value, ffi,
};

pub(super) use self::library::{is_light, library, mark, mark_light};

/// Coroutines that one VM keeps at the most.
const KEPT: usize = 64;

/// The coroutines of a VM in which nothing runs.
pub(super) struct Idle {
    all: RefCell<Vec<Thread>>,
    /// What stands in one that was cleared.
    nothing: Function,
}

/// A function that runs in a coroutine; its first result comes of it. One that was given up leaves its
/// coroutine to the collector.
pub(super) struct Run<'vm> {
    lua: &'vm Lua,
    idle: &'vm Idle,
    thread: Option<Thread>,
}

/// What goes on with a coroutine: its depth counts.
#[derive(Clone, Copy)]
pub(super) struct Resumer(*mut ffi::lua_State);

impl Resumer {
    /// What runs now, as far as mlua knows.
    pub(super) fn of(lua: &Lua) -> Self {
        Self(lua.exec_raw_lua(RawLua::state))
    }

    /// # Safety
    /// The state is alive, and one of the VM whose coroutines it goes on with.
    pub(super) unsafe fn at(state: *mut ffi::lua_State) -> Self {
        Self(state)
    }
}

/// Goes on with a coroutine: from its beginning, or from where it waits. What it yields but
/// [`Lua::poll_pending`] means that others are to have their turn; whoever is `ready` is told.
///
/// # Errors
/// What it failed with, and the stack there.
pub(super) fn resume<R: FromLuaMulti>(
    lua: &Lua,
    thread: &Thread,
    ready: impl FnOnce(),
) -> Poll<mlua::Result<R>> {
    let polled = advance(lua, thread, Resumer::of(lua), ready);
    polled.map(|result| result.and_then(|()| returned(lua, thread)))
}

/// As [`resume`]; what it returns stays on its stack.
///
/// # Errors
/// As above.
pub(super) fn advance(
    lua: &Lua,
    thread: &Thread,
    from: Resumer,
    ready: impl FnOnce(),
) -> Poll<mlua::Result<()>> {
    let coroutine = thread.state();
    let mut count = 0;
    // SAFETY: both states are alive, for `thread` and `lua` hold them; `given` sees to it that there is a
    // function below the values that it counts. Nothing is raised past a resume, and what is left on the
    // coroutine's stack is counted.
    unsafe {
        let Some(given) = given(coroutine) else {
            return Poll::Ready(Err(Error::CoroutineUnresumable));
        };
        match ffi::lua_resumex(coroutine, from.0, given, &raw mut count) {
            ffi::LUA_OK => Poll::Ready(Ok(())),
            ffi::LUA_YIELD => {
                if count != 1 || ffi::lua_tolightuserdata(coroutine, 1) != Lua::poll_pending().0 {
                    ready();
                }
                ffi::lua_settop(coroutine, 0);
                Poll::Pending
            }
            status => Poll::Ready(Err(failure(lua, coroutine, status))),
        }
    }
}

/// Takes what a coroutine returned that came to its end.
///
/// # Errors
/// If there is no room for it.
pub(super) fn returned<R: FromLuaMulti>(lua: &Lua, thread: &Thread) -> mlua::Result<R> {
    let coroutine = thread.state();
    // SAFETY: both states are alive, and of one VM.
    lua.exec_raw_lua(|raw| unsafe { results(raw, coroutine, ffi::lua_gettop(coroutine)) })
}

/// How many values a coroutine goes on with; none: there is nothing in it to go on with.
///
/// # Safety
/// The coroutine is alive.
unsafe fn given(coroutine: *mut ffi::lua_State) -> Option<c_int> {
    // SAFETY: as promised by the caller.
    let (status, top) = unsafe { (ffi::lua_status(coroutine), ffi::lua_gettop(coroutine)) };
    let given = if status == ffi::LUA_YIELD { top } else { top - 1 };
    (given >= 0).then_some(given)
}

/// The function that lies on the stack of a coroutine and does not run yet.
pub(super) fn laid_function(lua: &Lua, thread: &Thread) -> Option<Function> {
    // SAFETY: both states are alive and of one VM, and there is room for a value where the host is.
    lua.exec_raw_lua(|raw| unsafe {
        let _top = Top::of(raw.state());
        ffi::lua_xpush(thread.state(), raw.state(), 1);
        Function::from_stack(-1, raw).ok()
    })
}

/// Takes what a coroutine returned.
///
/// # Safety
/// The coroutine is of this VM, and so many values are on its stack.
unsafe fn results<R: FromLuaMulti>(
    raw: &RawLua,
    coroutine: *mut ffi::lua_State,
    count: c_int,
) -> mlua::Result<R> {
    // SAFETY: as promised by the caller; there is room for what is moved.
    unsafe {
        let _top = Top::of(raw.state());
        if ffi::lua_checkstack(raw.state(), count + 1) == 0 {
            ffi::lua_settop(coroutine, 0);
            return Err(Error::StackError);
        }
        ffi::lua_xmove(coroutine, raw.state(), count);
        R::from_stack_multi(count, raw)
    }
}

/// Puts values onto the stack of a coroutine in which nothing runs.
///
/// # Errors
/// If the state's memory is spent.
fn put(lua: &Lua, thread: &Thread, values: impl IntoLuaMulti) -> mlua::Result<()> {
    // SAFETY: both states are alive and of one VM, and there is room for what is moved.
    lua.exec_raw_lua(|raw| unsafe {
        let _top = Top::of(raw.state());
        let count = values.push_into_stack_multi(raw)?;
        if ffi::lua_checkstack(thread.state(), count) == 0 {
            return Err(Error::StackError);
        }
        ffi::lua_xmove(raw.state(), thread.state(), count);
        Ok(())
    })
}

/// What a coroutine failed with, in mlua's words.
///
/// # Safety
/// The coroutine is of this VM, and just failed so.
unsafe fn failure(lua: &Lua, coroutine: *mut ffi::lua_State, status: c_int) -> Error {
    // SAFETY: as promised by the caller: the error is on its stack. What is raised here is caught by
    // mlua, and passes nothing that needs to be dropped.
    unsafe {
        if status == ffi::LUA_ERRMEM {
            return Error::MemoryError("not enough memory".to_owned());
        }
        let raised = lua.exec_raw((), |state| ffi::lua_xmove(coroutine, state, 1));
        let raised = match raised {
            Ok(Value::Error(error)) => return *error,
            Ok(raised) => raised,
            Err(error) => return error,
        };
        let told = lua.exec_raw::<LuaString>(raised, |state| {
            let words = ffi::luaL_tolstring(state, 1, ptr::null_mut());
            if ffi::lua_checkstack(state, ffi::LUA_TRACEBACK_STACK) != 0 {
                ffi::luaL_traceback(state, coroutine, words, 0);
            }
            ffi::lua_replace(state, 1);
            ffi::lua_settop(state, 1);
        });
        told.map_or_else(|error| error, |words| Error::RuntimeError(words.to_string_lossy()))
    }
}

/// What is above this on a stack goes away with it.
struct Top(*mut ffi::lua_State, c_int);

impl Top {
    /// # Safety
    /// The state outlives it, and what is on its stack now stays there.
    unsafe fn of(state: *mut ffi::lua_State) -> Self {
        // SAFETY: as promised by the caller.
        Self(state, unsafe { ffi::lua_gettop(state) })
    }
}

impl Drop for Top {
    fn drop(&mut self) {
        // SAFETY: as promised where it was made.
        unsafe { ffi::lua_settop(self.0, self.1) };
    }
}

impl Idle {
    /// Of a fresh VM.
    ///
    /// # Errors
    /// If its memory does not hold it.
    pub(super) fn of(lua: &Lua) -> mlua::Result<Self> {
        let nothing = lua.create_function(|_, ()| Ok(()))?;
        Ok(Self { all: RefCell::default(), nothing })
    }

    /// Begins to run a function without arguments.
    ///
    /// # Errors
    /// If the state's memory is spent.
    pub(super) fn run<'vm>(
        &'vm self,
        lua: &'vm Lua,
        function: &Function,
    ) -> mlua::Result<Run<'vm>> {
        let kept = self.all.borrow_mut().pop();
        let thread = match kept {
            Some(kept) => {
                put(lua, &kept, function)?;
                kept
            }
            None => lua.create_thread(function.clone())?,
        };
        Ok(self.run_laid(lua, thread))
    }

    /// Begins to run what lies on the stack of one: a function and its arguments.
    pub(super) fn run_laid<'vm>(&'vm self, lua: &'vm Lua, thread: Thread) -> Run<'vm> {
        Run { lua, idle: self, thread: Some(thread) }
    }

    /// One with nothing on its stack, and room for a few values.
    ///
    /// # Errors
    /// If the state's memory is spent.
    pub(super) fn take(&self, lua: &Lua) -> mlua::Result<Thread> {
        let kept = self.all.borrow_mut().pop();
        if let Some(kept) = kept {
            return Ok(kept);
        }
        let fresh = lua.create_thread(self.nothing.clone())?;
        // SAFETY: it is alive, and nothing runs in it.
        unsafe { ffi::lua_settop(fresh.state(), 0) };
        Ok(fresh)
    }

    /// Keeps one that came to its end.
    fn keep(&self, lua: &Lua, thread: Thread) {
        if !has_own_globals(lua, &thread) {
            return self.put_back(thread);
        }
        self.clear(lua, thread);
    }

    fn put_back(&self, thread: Thread) {
        let mut idle = self.all.borrow_mut();
        if idle.len() < KEPT {
            idle.push(thread);
        }
    }

    /// Keeps one in which something failed, or left, without what that had on its stack. A stack that
    /// grew is given back by allocating a small one, outside of any protection: what the memory limit
    /// raised there would end the process.
    fn clear(&self, lua: &Lua, thread: Thread) {
        let Ok(limit) = lua.set_memory_limit(0) else { return };
        let cleared = thread.reset(self.nothing.clone());
        let limited = lua.set_memory_limit(limit);
        if cleared.is_ok() && limited.is_ok() {
            // SAFETY: it is alive, and `reset` left the function on it that is taken away.
            unsafe { ffi::lua_settop(thread.state(), 0) };
            self.put_back(thread);
        }
    }
}

/// Whether a script gave a coroutine globals of its own.
fn has_own_globals(lua: &Lua, thread: &Thread) -> bool {
    // SAFETY: both states are alive, and each has a table of globals.
    lua.exec_raw_lua(|raw| unsafe {
        ffi::lua_topointer(thread.state(), ffi::LUA_GLOBALSINDEX)
            != ffi::lua_topointer(raw.state(), ffi::LUA_GLOBALSINDEX)
    })
}

impl Run<'_> {
    /// Gives it its arguments, before it is polled.
    ///
    /// # Errors
    /// If the state's memory is spent.
    pub(super) fn with(self, arguments: impl IntoLuaMulti) -> mlua::Result<Self> {
        if let Some(thread) = &self.thread {
            put(self.lua, thread, arguments)?;
        }
        Ok(self)
    }
}

impl Future for Run<'_> {
    type Output = mlua::Result<Value>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(thread) = self.thread.take() else { return Poll::Pending };
        let polled = resume(self.lua, &thread, || context.waker().wake_by_ref());
        match &polled {
            Poll::Ready(Ok(_)) => self.idle.keep(self.lua, thread),
            Poll::Ready(Err(_)) => self.idle.clear(self.lua, thread),
            Poll::Pending => self.thread = Some(thread),
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
            let mut run = idle.run(&lua, &function(text)).unwrap();
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
            let mut run = idle.run(&lua, &function).unwrap();
            if let Some(given) = given {
                run = run.with(given).unwrap();
            }
            let Poll::Ready(Ok(Value::String(said))) = poll(&mut run) else { panic!("it waits") };
            answers.push(said.to_string_lossy());
        }
        assert_eq!(answers, ["0nil", "1a", "0nil"]);
    }
}
