//! Short ways of light threads: one begins where its script stands, and one that returned gives what it
//! returned from its own stack.
#![allow(unsafe_code, reason = "mlua has no function that is not protected value by value")]

use std::ffi::c_int;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;

use mlua::{FromLua as _, Lua, Thread, ffi};

use super::route::{fail, route};
use super::{Quick, Run, leaves};
use crate::script::api::thread;
use crate::script::call;
use crate::script::coroutine::{self, Resumer};

pub const QUICK: &[Quick] = &[
    // SAFETY: they go on in the long way with what that takes.
    Quick { name: "ngx.thread.spawn", run: unsafe { Run::entry(spawn) } },
    Quick { name: "ngx.thread.wait", run: unsafe { Run::entry(wait) } },
];

/// Makes of a function and its arguments a coroutine that is marked as a light thread, and begins it; of
/// anything else, nothing: so the long way gets no coroutine but a fresh one.
unsafe extern "C-unwind" fn spawn(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: what Luau raises passes nothing that needs to be dropped; three slots are there.
    unsafe {
        let route = route(state);
        let count = ffi::lua_gettop(state);
        if ffi::lua_type(state, 1) != ffi::LUA_TFUNCTION {
            ffi::lua_settop(state, 0);
            return (route.long)(state);
        }
        let thread = ffi::lua_newthread(state);
        if ffi::lua_checkstack(thread, count) == 0 {
            ffi::lua_settop(state, 0);
            return (route.long)(state);
        }
        ffi::lua_insert(state, 1);
        ffi::lua_xmove(state, thread, count);
        coroutine::mark(thread);
        match catch_unwind(AssertUnwindSafe(|| begin(state, thread))) {
            Ok(Some(())) => 1,
            Ok(None) => (route.long)(state),
            Err(_) => fail(state, "the thread failed"),
        }
    }
}

/// Begins the light thread that is the first value on the stack; none: it did not begin.
///
/// # Safety
/// `state` is that of a native function that runs.
unsafe fn begin(state: *mut ffi::lua_State, coroutine: *mut ffi::lua_State) -> Option<()> {
    let call = call::current().filter(|call| thread::PHASES.contains(call.phase))?;
    // SAFETY: as promised by the caller; the state lives as long as the function runs.
    let (lua, from) = unsafe { (Lua::get_or_init_from_ptr(state), Resumer::at(state)) };
    // SAFETY: the value is on the stack, and there is room for one more where the host is.
    let handle = lua.exec_raw_lua(|raw| unsafe {
        ffi::lua_xpush(state, raw.state(), 1);
        let handle = Thread::from_stack(-1, raw);
        ffi::lua_pop(raw.state(), 1);
        handle
    });
    let handle = handle.ok().filter(|handle| handle.state() == coroutine)?;
    let light = call.threads.spawn_from(lua, handle, (state as usize, from)).ok()?;
    if let Some(waiting) = thread::begun(&call, &light)
        && let Ok(Err(ticket)) = call.threads.await_first(waiting)
    {
        leaves(ticket);
    }
    Some(())
}

/// What the one light thread returned that is the argument; any other case is one for the long way.
unsafe extern "C-unwind" fn wait(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: as in `spawn`.
    unsafe {
        let coroutine = ffi::lua_tothread(state, 1);
        let is_one = !coroutine.is_null() && ffi::lua_gettop(state) == 1;
        let gives = AssertUnwindSafe(|| gives(coroutine as usize, state as usize));
        if !is_one || !catch_unwind(gives).unwrap_or(false) {
            return (route(state).long)(state);
        }
        let count = ffi::lua_gettop(coroutine);
        ffi::luaL_checkstack(state, count + 1, ptr::null());
        ffi::lua_pushboolean(state, 1);
        ffi::lua_xmove(coroutine, state, count);
        count + 1
    }
}

/// Whether what the one returned is there for the other to take.
fn gives(thread: usize, caller: usize) -> bool {
    call::with_current_call(|call| {
        let call = call.filter(|call| thread::PHASES.contains(call.phase));
        let light = call.and_then(|call| call.threads.find(thread));
        light.is_some_and(|light| light.is_child_of(caller) && light.gives())
    })
}
