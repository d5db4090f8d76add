//! Luau's own functions, called as they are where what they are given bounds them.
//!
//! A guard looks at the arguments and goes on in the native function, in the same frame: that costs
//! a few instructions, where a wrapper in Luau costs as much as the function.
#![allow(unsafe_code, reason = "mlua cannot go on in another native function")]

use std::ffi::{CStr, c_int};
use std::slice;

use mlua::{Function, Lua, ffi};

use super::replace::Pattern;

/// Steps that a C function may take between two polls: a few milliseconds.
const STEPS: usize = 4 << 20;
/// Bytes of a subject from which on all of a `gsub` may take longer than a neighbour waits.
const LONG: usize = 32 << 10;
/// Bytes that a `gsub` here may write at the most.
const MOST_WRITTEN: usize = 1 << 20;
/// Entries of a list that is sorted without a poll: less than a millisecond.
const SORTED: usize = 8192;

/// Where a guard finds the native function, and what stands for it.
const RAW: c_int = 1;
const BOUNDED: c_int = 2;

/// Whether the arguments on the stack bound what the native function does.
type Check = unsafe fn(*mut ffi::lua_State) -> bool;

const GUARDS: &[(&CStr, Check, ffi::lua_CFunction)] = &[
    (c"find", is_light, guard::<0>),
    (c"format", is_written, guard::<1>),
    (c"gmatch", is_light, guard::<2>),
    (c"gsub", is_short, substitute),
    (c"match", is_light, guard::<4>),
];

/// `raw` (a function of Luau's library, of that name) where it is bounded, else `bounded`.
///
/// # Errors
/// If there is no guard of that name, or the state's memory is spent.
pub fn guarded(
    lua: &Lua,
    (name, raw, bounded): (String, Function, Function),
) -> mlua::Result<Function> {
    let known = GUARDS.iter().find(|(known, ..)| known.to_bytes() == name.as_bytes());
    let (name, _, guard) = known.ok_or_else(|| mlua::Error::runtime("no such guard"))?;
    closure(lua, raw, bounded, name, *guard)
}

/// Luau's `sort`, for a list of a few numbers; it answers false where it is given something else.
///
/// # Errors
/// If the state's memory is spent.
pub fn sorter(lua: &Lua, raw: Function) -> mlua::Result<Function> {
    closure(lua, raw.clone(), raw, c"sort", sort)
}

fn closure(
    lua: &Lua,
    raw: Function,
    bounded: Function,
    name: &'static CStr,
    entry: ffi::lua_CFunction,
) -> mlua::Result<Function> {
    // SAFETY: the two functions are the arguments; Luau's own native functions have no upvalues, so
    // their entry can be called from any frame.
    unsafe {
        lua.exec_raw((raw, bounded), |state| {
            let Some(raw) = ffi::lua_tocfunction(state, 1) else {
                return ffi::lua_settop(state, 1);
            };
            ffi::lua_pushlightuserdata(state, raw as *mut _);
            ffi::lua_pushvalue(state, 2);
            ffi::lua_pushcclosurek(state, entry, name.as_ptr(), 2, None);
            ffi::lua_replace(state, 1);
            ffi::lua_settop(state, 1);
        })
    }
}

unsafe extern "C-unwind" fn guard<const PLACE: usize>(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: `closure` made it; nothing that is to be dropped is alive where Luau may raise.
    unsafe {
        let bounds = GUARDS.get(PLACE).is_some_and(|(_, check, _)| check(state));
        if bounds {
            return go_on(state);
        }
        ffi::lua_pushvalue(state, ffi::lua_upvalueindex(BOUNDED));
        ffi::lua_insert(state, 1);
        ffi::lua_call(state, ffi::lua_gettop(state) - 1, ffi::LUA_MULTRET);
        ffi::lua_gettop(state)
    }
}

/// `gsub`, of which the most common kind is done here.
unsafe extern "C-unwind" fn substitute(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: as in `guard`; what Luau raises drops what was written as it passes.
    unsafe {
        let is_whole = ffi::lua_type(state, 4) <= ffi::LUA_TNIL;
        let pattern = (is_whole && is_short(state)).then(|| Pattern::of(text(state, 2))).flatten();
        let (subject, replacement) = match pattern {
            Some(_) => (text(state, 1), text(state, 3)),
            None => return guard::<3>(state),
        };
        let is_plain = !replacement.contains(&b'%');
        let most = subject.len().saturating_mul(replacement.len().max(1));
        let Some(pattern) = pattern.filter(|_| is_plain && most <= MOST_WRITTEN) else {
            return guard::<3>(state);
        };
        let count = if let Some((written, count)) = pattern.replace(subject, replacement) {
            ffi::lua_pushlstring_(state, written.as_ptr().cast(), written.len());
            count
        } else {
            ffi::lua_pushvalue(state, 1);
            0
        };
        ffi::lua_pushnumber(state, count as f64);
        2
    }
}

/// The bytes of an argument that is a string.
///
/// # Safety
/// The state is alive, and the argument stays on its stack for as long as the bytes are used.
unsafe fn text<'a>(state: *mut ffi::lua_State, index: c_int) -> &'a [u8] {
    let mut length = 0;
    // SAFETY: as promised by the caller; a string stays where it is while its place on the stack holds it.
    unsafe {
        let start = ffi::lua_tolstring(state, index, &raw mut length);
        if start.is_null() { &[] } else { slice::from_raw_parts(start.cast(), length) }
    }
}

unsafe extern "C-unwind" fn sort(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: as in `guard`.
    unsafe {
        let fits = ffi::lua_type(state, 1) == ffi::LUA_TTABLE && are_few_numbers(state);
        if fits {
            ffi::lua_settop(state, 1);
            go_on(state);
        }
        ffi::lua_pushboolean(state, fits.into());
        1
    }
}

unsafe fn go_on(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: the upvalue is the entry of a native function of Luau's, as `closure` put it there.
    unsafe {
        let raw = ffi::lua_tolightuserdata(state, ffi::lua_upvalueindex(RAW));
        let raw: ffi::lua_CFunction = std::mem::transmute(raw);
        raw(state)
    }
}

/// Subject and pattern are so short that a search for plain text is soon over. A pattern that backtracks
/// looks at the interrupt with each step, here as elsewhere.
unsafe fn is_light(state: *mut ffi::lua_State) -> bool {
    // SAFETY: the state is alive; lengths of strings are only read.
    unsafe {
        let is_text = |index| ffi::lua_type(state, index) == ffi::LUA_TSTRING;
        is_text(1)
            && is_text(2)
            && ffi::lua_objlen(state, 1).saturating_mul(ffi::lua_objlen(state, 2)) <= STEPS
    }
}

/// As [`is_light`], and shorter still; what is put in the place of matches is text too.
unsafe fn is_short(state: *mut ffi::lua_State) -> bool {
    // SAFETY: as above.
    unsafe {
        is_light(state)
            && ffi::lua_objlen(state, 1) <= LONG
            && ffi::lua_type(state, 3) == ffi::LUA_TSTRING
    }
}

/// All that is written is text or numbers.
unsafe fn is_written(state: *mut ffi::lua_State) -> bool {
    // SAFETY: as above.
    unsafe {
        let count = ffi::lua_gettop(state);
        (1..=count)
            .all(|index| matches!(ffi::lua_type(state, index), ffi::LUA_TSTRING | ffi::LUA_TNUMBER))
    }
}

/// The table is a list of a few numbers, which have an order.
unsafe fn are_few_numbers(state: *mut ffi::lua_State) -> bool {
    // SAFETY: as above; what is pushed is popped.
    unsafe {
        let count = ffi::lua_objlen(state, 1);
        count <= SORTED
            && (1..=count as c_int).all(|index| {
                let is_number = ffi::lua_rawgeti_(state, 1, index) == ffi::LUA_TNUMBER;
                let number = ffi::lua_tonumberx(state, -1, std::ptr::null_mut());
                ffi::lua_pop(state, 1);
                is_number && !number.is_nan()
            })
    }
}

#[cfg(test)]
mod tests {
    use mlua::{Function, Lua, Table};

    #[test]
    fn gsub_is_luau_s_whatever_it_is_given() {
        let lua = Lua::new();
        let raw: Function =
            lua.globals().get::<Table>("string").and_then(|library| library.get("gsub")).unwrap();
        let own = super::guarded(&lua, ("gsub".to_owned(), raw.clone(), raw.clone())).unwrap();
        let classes = ["%a", "%c", "%d", "%g", "%l", "%p", "%s", "%u", "%w", "%x", "%z", ".", ","];
        let others = ["%,", "-", "]", "[%s]", "^a", "a$", "%", "", "(a)", "%1", "%b()", "a-", "ab"];
        let upper = classes.map(str::to_ascii_uppercase);
        let patterns =
            classes.iter().chain(&others).copied().chain(upper.iter().map(String::as_str));
        let every: Vec<u8> = (0..=255).chain((0..=255).rev()).collect();
        let subjects: [&[u8]; 6] = [b"", b"a", b"  a, b ,,c  ", b"(1) A-b\0\x0b\n", &every, b"aaa"];
        let tell = |function: &Function, subject: &[u8], pattern: &str, text: &str| {
            let given = (lua.create_string(subject).unwrap(), pattern, text);
            function.call::<(mlua::LuaString, f64)>(given).map_or_else(
                |error| error.to_string().lines().next().unwrap_or_default().to_owned(),
                |(text, count)| format!("{:?} {count}", text.as_bytes().to_vec()),
            )
        };
        for pattern in patterns {
            for pattern in [pattern.to_owned(), format!("{pattern}+"), format!("{pattern}*")] {
                for subject in subjects {
                    for text in ["", "-", "long", "%0", "%%"] {
                        let told = tell(&own, subject, &pattern, text);
                        let wanted = tell(&raw, subject, &pattern, text);
                        assert_eq!(told, wanted, "{pattern:?} {text:?} {subject:?}");
                    }
                }
            }
        }
    }
}
