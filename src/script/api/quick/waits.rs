//! How a native function waits: it yields in its own frame, and goes on there when it is resumed.
//!
//! mlua's async functions are a function of Luau around two native ones and an object for what is waited
//! for. Here the frame holds a ticket, and the call what it stands for: a function that need not wait is
//! one native call.
#![allow(unsafe_code, reason = "mlua has no native function that yields and goes on")]

use std::cell::Cell;
use std::ffi::{c_int, c_void};
use std::panic::catch_unwind;

use mlua::{Function as LuaFunction, Lua, ffi};

use super::route::{fail, route};
use super::{Answer, Out, Stack};
use crate::script::parked::{Native, Ticket};
use crate::script::{Call, call};

/// The upvalue that says what runs first.
const FIRST: c_int = 7;
/// The upvalue that says what runs when it goes on: mlua's entry, which finds its own in the first one.
const LONG: c_int = 8;

thread_local! {
    /// The ticket with which the function that just ran is to wait; 0: it answered.
    static LEAVES: Cell<usize> = const { Cell::new(0) };
    /// The ticket of the function that goes on; 0: one begins.
    static RETURNS: Cell<usize> = const { Cell::new(0) };
    /// The coroutine that called the function which began last.
    static CALLER: Cell<usize> = const { Cell::new(0) };
}

/// A function that may wait: `long` calls [`returns`] first, and [`leaves`] when it has to wait. `first`
/// is `long`, or that with a short way before it.
///
/// # Errors
/// If the state's memory is spent.
pub fn waiting(lua: &Lua, first: LuaFunction, long: LuaFunction) -> mlua::Result<LuaFunction> {
    // SAFETY: both are C closures, the second mlua's; `first` has the same first upvalue, and fewer than
    // `FIRST` of them, so that both entries find theirs in the new closure.
    unsafe {
        lua.exec_raw((first, long), |state| {
            let (Some(first), Some(long)) =
                (ffi::lua_tocfunction(state, 1), ffi::lua_tocfunction(state, 2))
            else {
                return ffi::lua_settop(state, 1);
            };
            for index in 1..FIRST {
                if ffi::lua_getupvalue(state, 1, index).is_null() {
                    ffi::lua_pushnil(state);
                }
            }
            ffi::lua_pushlightuserdata(state, first as *mut c_void);
            ffi::lua_pushlightuserdata(state, long as *mut c_void);
            ffi::lua_pushcclosurek(state, begin, std::ptr::null(), LONG, Some(go_on));
            ffi::lua_replace(state, 1);
            ffi::lua_settop(state, 1);
        })
    }
}

/// The ticket of the function that runs, if it goes on.
pub fn returns() -> Option<Ticket> {
    let number = RETURNS.take();
    (number > 0).then(|| Ticket::from_number(number))
}

/// What tells the coroutine apart that called the function which begins. (mlua takes the call's own for
/// that of the state.)
pub fn caller() -> usize {
    CALLER.get()
}

/// The function that runs has to wait: whatever it answers is not looked at.
pub fn leaves(ticket: Ticket) {
    LEAVES.set(ticket.number());
}

/// The function that runs, which has a short way, answers with that, and waits for it if it is not there
/// yet. False: too many wait.
pub fn wait_for(
    stack: &Stack<'_>,
    call: &Call,
    mut waiting: Box<dyn Native>,
    answer: &mut Answer<'_>,
) -> bool {
    if call.threads.look(|context| waiting.poll(context)).is_ready() {
        return answer.give(Out::Native(waiting));
    }
    // SAFETY: the state is alive, and the function runs; what the collector does is protected.
    unsafe {
        let used = ffi::lua_gc(stack.state, ffi::LUA_GCCOUNT, 0) as usize * 1024;
        if stack.facts().relief.is_due(used) {
            stack.facts().relief.look(Lua::get_or_init_from_ptr(stack.state));
        }
    }
    let ticket = call.threads.park(waiting);
    ticket.map(leaves).is_ok()
}

unsafe extern "C-unwind" fn begin(state: *mut ffi::lua_State) -> c_int {
    // What failed on its way to go on left it behind.
    RETURNS.set(0);
    LEAVES.set(0);
    CALLER.set(state as usize);
    // SAFETY: `waiting` made the closure; nothing here needs to be dropped.
    unsafe {
        let count = entry(state, FIRST)(state);
        end(state, count)
    }
}

unsafe extern "C-unwind" fn go_on(state: *mut ffi::lua_State, _: c_int) -> c_int {
    LEAVES.set(0);
    // SAFETY: as in `begin`; `end` left the ticket at the bottom of the frame, where no script reaches.
    // What waits natively waits in a function with a short way, whose facts are the state's.
    unsafe {
        let number = ffi::lua_touserdata(state, 1) as usize;
        ffi::lua_settop(state, 0);
        let count = match catch_unwind(|| look_again(number)) {
            Ok(None) => {
                RETURNS.set(number);
                entry(state, LONG)(state)
            }
            Ok(Some(Ok(there))) => put(state, there),
            Ok(Some(Err(ticket))) => {
                leaves(ticket);
                0
            }
            Err(_) => fail(state, "what it waited for failed"),
        };
        end(state, count)
    }
}

/// What a function of a short way waited for, if it is there; none: the long way looks.
fn look_again(number: usize) -> Option<Result<Box<dyn Native>, Ticket>> {
    call::current()?.threads.look_again(Ticket::from_number(number))
}

/// # Safety
/// In a function with a short way.
unsafe fn put(state: *mut ffi::lua_State, there: Box<dyn Native>) -> c_int {
    // SAFETY: as promised by the caller; what Luau raises drops what is held as it passes.
    unsafe { there.put(&mut Stack::of(state, route(state).facts)) as c_int }
}

/// Answers, or yields what a call takes for a wait.
///
/// # Safety
/// The last thing that `begin` and `go_on` do.
unsafe fn end(state: *mut ffi::lua_State, count: c_int) -> c_int {
    let number = LEAVES.take();
    if number == 0 {
        return count;
    }
    // SAFETY: the frame is this function's own, with room for two values; what `lua_yield` raises
    // passes nothing that needs to be dropped.
    unsafe {
        if ffi::lua_isyieldable(state) == 0 {
            let ticket = Ticket::from_number(number);
            call::with_current_call(|call| call.map(|call| call.threads.give_up(ticket)));
        }
        ffi::lua_settop(state, 0);
        ffi::lua_pushlightuserdata(state, number as *mut c_void);
        ffi::lua_pushlightuserdata(state, Lua::poll_pending().0);
        ffi::lua_yield(state, 1)
    }
}

/// # Safety
/// In a function that `waiting` made.
unsafe fn entry(state: *mut ffi::lua_State, index: c_int) -> ffi::lua_CFunction {
    // SAFETY: `waiting` put the entry of a native function there.
    unsafe {
        let entry = ffi::lua_touserdata(state, ffi::lua_upvalueindex(index));
        std::mem::transmute::<*mut c_void, ffi::lua_CFunction>(entry)
    }
}
