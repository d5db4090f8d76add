//! What scripts find as `coroutine`.
//!
//! A native function that waits yields a mark which only the host may see: a coroutine that a script made
//! hands it on to whoever resumed it, and goes on by itself. The request's own coroutine, and light
//! threads, yield to each other: the host goes on with them.
#![allow(unsafe_code, reason = "mlua has no native function that yields and goes on")]

use std::ffi::{CStr, c_int, c_void};
use std::ptr;

use mlua::{Function, Lua, Table, Thread, ffi};

use crate::script::{api, call, threads};

/// What a coroutine that a script made says of itself; the host's own say nothing.
const MADE: *mut c_void = ptr::without_provenance_mut(1);
/// What a light thread says of itself.
const LIGHT: *mut c_void = ptr::without_provenance_mut(2);

/// The upvalues of what `wrap` makes: the coroutine, and what tells of its error.
const WRAPPED: c_int = 1;
const RAISED: c_int = 2;

/// What a native function answers below which something yielded.
const YIELDED: c_int = -1;

/// The functions that are native, with how they go on.
const FUNCTIONS: [(&CStr, ffi::lua_CFunction, Option<ffi::lua_Continuation>); 4] = [
    (c"create", create, None),
    (c"resume", resume, Some(resume_again)),
    (c"status", status, None),
    (c"yield", give, None),
];

/// What came of a coroutine that went on.
enum Came {
    /// It failed: the error is on the stack of who resumed it.
    Failed,
    /// So many values are on its own stack.
    Gave(c_int),
    /// A native function in it waits.
    Waits,
}

/// The functions, in a table. `raised` is called with a coroutine and its error, and raises that where
/// what `wrap` made was called.
///
/// # Errors
/// If the state's memory is spent.
pub(in crate::script) fn library(lua: &Lua, raised: Function) -> mlua::Result<Table> {
    // SAFETY: there is room for the table and two values more.
    unsafe {
        lua.exec_raw(raised, |state| {
            ffi::lua_createtable(state, 0, 8);
            for (name, function, again) in FUNCTIONS {
                ffi::lua_pushcclosurek(state, function, name.as_ptr(), 0, again);
                ffi::lua_setfield(state, 2, name.as_ptr());
            }
            ffi::lua_pushvalue(state, 1);
            ffi::lua_pushcclosurek(state, wrap, c"wrap".as_ptr(), 1, None);
            ffi::lua_setfield(state, 2, c"wrap".as_ptr());
            ffi::lua_replace(state, 1);
        })
    }
}

/// Marks a coroutine as a light thread.
pub(in crate::script) fn mark_light(thread: &Thread) {
    // SAFETY: the handle keeps it alive.
    unsafe { mark(thread.state()) };
}

/// Marks a coroutine as a light thread.
///
/// # Safety
/// It is alive.
pub(in crate::script) unsafe fn mark(coroutine: *mut ffi::lua_State) {
    // SAFETY: as promised by the caller.
    unsafe { ffi::lua_setthreaddata(coroutine, LIGHT) };
}

/// Whether a coroutine is, or was, a light thread.
pub(in crate::script) fn is_light(thread: &Thread) -> bool {
    // SAFETY: the handle keeps it alive.
    unsafe { ffi::lua_getthreaddata(thread.state()) == LIGHT }
}

unsafe extern "C-unwind" fn create(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: what Luau raises, here and below, passes nothing that needs to be dropped.
    unsafe {
        ffi::luaL_checktype(state, 1, ffi::LUA_TFUNCTION);
        let coroutine = ffi::lua_newthread(state);
        ffi::lua_setthreaddata(coroutine, MADE);
        ffi::lua_xpush(state, coroutine, 1);
        1
    }
}

unsafe extern "C-unwind" fn wrap(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: as above; `library` gave it its upvalue.
    unsafe {
        if ffi::lua_type(state, 1) != ffi::LUA_TFUNCTION {
            // As `create`, by which it is told.
            ffi::lua_settop(state, 1);
            let got = CStr::from_ptr(ffi::luaL_typename(state, 1)).to_bytes();
            fail(state, &[b"invalid argument #1 to 'create' (function expected, got ", got, b")"]);
        }
        create(state);
        ffi::lua_pushvalue(state, ffi::lua_upvalueindex(1));
        ffi::lua_pushcclosurek(state, wrapped, ptr::null(), 2, Some(wrapped_again));
        1
    }
}

unsafe extern "C-unwind" fn resume(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: as above.
    unsafe {
        let coroutine = argument(state, "resume");
        if ffi::lua_getthreaddata(coroutine) == LIGHT {
            push_refusal(state, status_of(state, coroutine));
            return resumed(state, coroutine, Came::Failed);
        }
        let came = go_on(state, coroutine, ffi::lua_gettop(state) - 1);
        resumed(state, coroutine, came)
    }
}

unsafe extern "C-unwind" fn resume_again(state: *mut ffi::lua_State, _: c_int) -> c_int {
    // SAFETY: as above; `resumed` left the coroutine where it was.
    unsafe {
        ffi::lua_settop(state, 1);
        let coroutine = ffi::lua_tothread(state, 1);
        let came = run(state, coroutine, 0);
        resumed(state, coroutine, came)
    }
}

/// Answers as `resume`.
///
/// # Safety
/// The last thing that it does.
unsafe fn resumed(state: *mut ffi::lua_State, coroutine: *mut ffi::lua_State, came: Came) -> c_int {
    // SAFETY: as above; `run` saw to it that there is room.
    unsafe {
        match came {
            Came::Gave(count) => {
                ffi::lua_pushboolean(state, 1);
                ffi::lua_xmove(coroutine, state, count);
                count + 1
            }
            Came::Failed => {
                ffi::lua_pushboolean(state, 0);
                ffi::lua_insert(state, -2);
                2
            }
            Came::Waits => {
                ffi::lua_settop(state, 1);
                wait(state)
            }
        }
    }
}

/// What `wrap` made is called.
unsafe extern "C-unwind" fn wrapped(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: as above; `wrap` gave it its upvalues.
    unsafe {
        let coroutine = ffi::lua_tothread(state, ffi::lua_upvalueindex(WRAPPED));
        let came = go_on(state, coroutine, ffi::lua_gettop(state));
        given(state, coroutine, came)
    }
}

unsafe extern "C-unwind" fn wrapped_again(state: *mut ffi::lua_State, _: c_int) -> c_int {
    // SAFETY: as above.
    unsafe {
        ffi::lua_settop(state, 0);
        let coroutine = ffi::lua_tothread(state, ffi::lua_upvalueindex(WRAPPED));
        let came = run(state, coroutine, 0);
        given(state, coroutine, came)
    }
}

/// Answers as what `wrap` made, or fails as the coroutine did.
///
/// # Safety
/// The last thing that it does.
unsafe fn given(state: *mut ffi::lua_State, coroutine: *mut ffi::lua_State, came: Came) -> c_int {
    // SAFETY: as above; `run` saw to it that there is room.
    unsafe {
        match came {
            Came::Gave(count) => {
                ffi::lua_xmove(coroutine, state, count);
                count
            }
            Came::Failed => {
                ffi::luaL_checkstack(state, 3, ptr::null());
                ffi::lua_pushvalue(state, ffi::lua_upvalueindex(RAISED));
                ffi::lua_pushvalue(state, ffi::lua_upvalueindex(WRAPPED));
                ffi::lua_pushvalue(state, -3);
                ffi::lua_call(state, 2, 0);
                // It never returns, but may be suspended before it raises the error.
                YIELDED
            }
            Came::Waits => {
                ffi::lua_settop(state, 0);
                wait(state)
            }
        }
    }
}

/// Gives a coroutine so many values from the top of the stack, and goes on with it.
///
/// # Safety
/// Both are alive, and of one VM.
unsafe fn go_on(state: *mut ffi::lua_State, coroutine: *mut ffi::lua_State, count: c_int) -> Came {
    // SAFETY: as promised by the caller.
    unsafe {
        if ffi::lua_status(coroutine) != ffi::LUA_YIELD
            && ffi::lua_costatus(state, coroutine) != ffi::LUA_COSUS
        {
            push_refusal(state, word(ffi::lua_costatus(state, coroutine)));
            return Came::Failed;
        }
        if ffi::lua_checkstack(coroutine, count) == 0 {
            fail(state, &[b"too many arguments to resume"]);
        }
        ffi::lua_xmove(state, coroutine, count);
        run(state, coroutine, count)
    }
}

/// Goes on with a coroutine that has so many values on its stack for that.
///
/// # Safety
/// As [`go_on`]; it may go on.
#[inline]
unsafe fn run(state: *mut ffi::lua_State, coroutine: *mut ffi::lua_State, count: c_int) -> Came {
    // SAFETY: as promised by the caller; nothing is raised past a resume.
    unsafe {
        let mut gave = 0;
        let status = ffi::lua_resumex(coroutine, state, count, &raw mut gave);
        if status != ffi::LUA_OK && status != ffi::LUA_YIELD {
            ffi::luaL_checkstack(state, 2, ptr::null());
            ffi::lua_xmove(coroutine, state, 1);
            return Came::Failed;
        }
        if status == ffi::LUA_YIELD && gave == 1 && is_wait(coroutine) {
            ffi::lua_settop(coroutine, 0);
            return Came::Waits;
        }
        if ffi::lua_checkstack(state, gave + 1) == 0 {
            fail(state, &[b"too many results to resume"]);
        }
        Came::Gave(gave)
    }
}

/// Whether what a coroutine yielded is the mark of a wait.
unsafe fn is_wait(coroutine: *mut ffi::lua_State) -> bool {
    // SAFETY: the coroutine is alive.
    unsafe { ffi::lua_tolightuserdata(coroutine, 1) == Lua::poll_pending().0 }
}

/// Yields the mark of a wait.
///
/// # Safety
/// The last thing that a function does, which keeps room for it on its stack.
unsafe fn wait(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: as promised by the caller.
    unsafe {
        ffi::lua_pushlightuserdata(state, Lua::poll_pending().0);
        ffi::lua_yield(state, 1)
    }
}

unsafe extern "C-unwind" fn give(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: as above.
    unsafe {
        // What waits in a function of mlua's own yields the mark through here.
        if ffi::lua_getthreaddata(state) == MADE || is_wait(state) {
            return ffi::lua_yield(state, ffi::lua_gettop(state));
        }
        if !threads::pass() {
            fail(state, &[b"attempt to yield from outside a coroutine"]);
        }
        ffi::lua_settop(state, 0);
        wait(state)
    }
}

unsafe extern "C-unwind" fn status(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: as above.
    unsafe {
        let coroutine = argument(state, "status");
        push(state, status_of(state, coroutine).as_bytes());
        1
    }
}

/// What `status` says.
///
/// # Safety
/// Both are alive, and of one VM.
unsafe fn status_of(state: *mut ffi::lua_State, coroutine: *mut ffi::lua_State) -> &'static str {
    // SAFETY: as promised by the caller.
    unsafe {
        let own = ffi::lua_costatus(state, coroutine);
        if ffi::lua_getthreaddata(coroutine) != LIGHT {
            return word(own);
        }
        let known = call::with_current_call(|call| api::thread_status(call, coroutine as usize));
        let resumes = own == ffi::LUA_CONOR || (own == ffi::LUA_COSUS && waits_below(coroutine));
        if known == "running" && resumes { "normal" } else { known }
    }
}

/// Whether a coroutine waits for another that it resumed.
///
/// # Safety
/// It is alive, and does not run.
unsafe fn waits_below(coroutine: *mut ffi::lua_State) -> bool {
    // SAFETY: as promised by the caller; what the look pushes is popped.
    unsafe {
        ffi::lua_rawcheckstack(coroutine, 1);
        let mut frame = std::mem::zeroed();
        if ffi::lua_getinfo(coroutine, 0, c"f".as_ptr(), &raw mut frame) == 0 {
            return false;
        }
        let function = ffi::lua_tocfunction(coroutine, -1).map(|function| function as *const ());
        ffi::lua_pop(coroutine, 1);
        function.is_some_and(|one| [resume as *const (), wrapped as *const ()].contains(&one))
    }
}

/// Luau's words for how far a coroutine is.
fn word(status: c_int) -> &'static str {
    match status {
        ffi::LUA_CORUN => "running",
        ffi::LUA_COSUS => "suspended",
        ffi::LUA_CONOR => "normal",
        _ => "dead",
    }
}

/// Pushes why a coroutine cannot go on.
///
/// # Safety
/// The state is alive, with room for three values more.
unsafe fn push_refusal(state: *mut ffi::lua_State, status: &str) {
    // SAFETY: as promised by the caller.
    unsafe {
        push(state, b"cannot resume ");
        push(state, status.as_bytes());
        push(state, b" coroutine");
        ffi::lua_concat(state, 3);
    }
}

/// The coroutine that the first argument is.
///
/// # Safety
/// In a native function, where nothing needs to be dropped.
unsafe fn argument(state: *mut ffi::lua_State, function: &str) -> *mut ffi::lua_State {
    // SAFETY: as promised by the caller.
    unsafe {
        let coroutine = ffi::lua_tothread(state, 1);
        if coroutine.is_null() {
            let function = function.as_bytes();
            fail(state, &[b"bad argument #1 to '", function, b"' (coroutine expected)"]);
        }
        coroutine
    }
}

/// Raises an error where the function was called.
///
/// # Safety
/// As [`argument`].
unsafe fn fail(state: *mut ffi::lua_State, words: &[&[u8]]) -> ! {
    // SAFETY: as promised by the caller; the room is made.
    unsafe {
        ffi::lua_rawcheckstack(state, 5);
        ffi::luaL_where(state, 1);
        for piece in words {
            push(state, piece);
        }
        ffi::lua_concat(state, 1 + words.len() as c_int);
        ffi::lua_error(state)
    }
}

/// # Safety
/// The state is alive, with room for one value more.
unsafe fn push(state: *mut ffi::lua_State, text: &[u8]) {
    // SAFETY: as promised by the caller.
    unsafe { ffi::lua_pushlstring_(state, text.as_ptr().cast(), text.len()) };
}
