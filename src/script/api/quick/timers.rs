//! The short way into `ngx.timer.at` for at once: function and arguments go from the script's stack onto
//! that of the coroutine in which the timer will run.
#![allow(unsafe_code, reason = "mlua has no function that is not protected value by value")]

use std::ffi::c_int;
use std::panic::{AssertUnwindSafe, catch_unwind};

use mlua::{Lua, ffi};

use super::route::route;
use super::{Quick, Run};
use crate::script::api::timer;
use crate::script::{call, state_of};
use crate::transaction::Phase;

/// The most arguments, with the delay and the function, for which every stack has room.
const MOST: c_int = 16;

pub const QUICK: &[Quick] = &[
    // SAFETY: it leaves the arguments as they are.
    Quick { name: "ngx.timer.at", run: unsafe { Run::entry(at) } },
];

unsafe extern "C-unwind" fn at(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: the state is alive; what is looked at is only read.
    let count = unsafe { ffi::lua_gettop(state) };
    let is_plain = (2..=MOST).contains(&count) && unsafe { is_at_once(state) };
    // SAFETY: nothing in it raises.
    let set = AssertUnwindSafe(|| unsafe { set(state, count) });
    let is_set = is_plain && catch_unwind(set).is_ok_and(|set| set.is_some());
    // SAFETY: the stack is as it was, with room for a value.
    unsafe {
        if !is_set {
            return (route(state).long)(state);
        }
        ffi::lua_pushnumber(state, 1.0);
        1
    }
}

/// Whether the first two arguments are no time, and a function.
///
/// # Safety
/// The state is alive.
unsafe fn is_at_once(state: *mut ffi::lua_State) -> bool {
    // SAFETY: as promised by the caller; a number is only read.
    unsafe {
        ffi::lua_type(state, 1) == ffi::LUA_TNUMBER
            && ffi::lua_tonumberx(state, 1, std::ptr::null_mut()) == 0.0
            && ffi::lua_type(state, 2) == ffi::LUA_TFUNCTION
    }
}

/// Sets the timer. None: it has to be set, or refused, in the long way.
///
/// # Safety
/// `state` is that of a native function with so many arguments.
unsafe fn set(state: *mut ffi::lua_State, count: c_int) -> Option<()> {
    // What a timer sets waits a little.
    let may = |phase| timer::PHASES.contains(phase) && phase != Phase::Timer;
    let call = call::current().filter(|call| may(call.phase))?;
    // SAFETY: as promised by the caller; the state lives as long as the function runs.
    let lua = unsafe { Lua::get_or_init_from_ptr(state) };
    state_of(lua)?.lay_timer(|thread| {
        let coroutine = thread.state();
        // SAFETY: both are alive, and of one VM as is seen first; the coroutine is empty, and has room.
        unsafe {
            if ffi::lua_mainthread(coroutine) != ffi::lua_mainthread(state) {
                return None;
            }
            ffi::lua_xpush(state, coroutine, 2);
            ffi::lua_pushboolean(coroutine, 0);
            (3..=count).for_each(|index| ffi::lua_xpush(state, coroutine, index));
        }
        Some(timer::terms(&call))
    })
}
