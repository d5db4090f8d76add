//! Luau's own functions, called as they are where what they are given bounds them.
//!
//! A guard looks at the arguments and goes on in the native function, in the same frame: that costs
//! a few instructions, where a wrapper in Luau costs as much as the function.
#![allow(unsafe_code, reason = "mlua cannot go on in another native function")]

use std::cell::Cell;
use std::ffi::{CStr, c_int, c_void};
use std::slice;
use std::sync::atomic::{AtomicPtr, Ordering};

use mlua::{Function, Lua, ffi};

use super::api;
use super::replace::Pattern;

/// Steps that a C function may take between two polls: a few milliseconds.
const STEPS: usize = 4 << 20;
/// Bytes of a subject from which on all of a `gsub` may take longer than a neighbour waits.
const LONG: usize = 32 << 10;
/// Bytes that a `gsub` here may write at the most.
const MOST_WRITTEN: usize = 1 << 20;
/// Entries of a list that is sorted without a poll: less than a millisecond.
const SORTED: usize = 8192;
/// Bytes that a `rep` or a `concat` here may write at the most.
const JOINED: usize = 64 << 10;
/// Numbers below this are written as they are: whole, if they are.
const WHOLE: f64 = 1e15;

/// Where a guard finds what stands for the native function.
const BOUNDED: c_int = 1;

/// A guard of a function of Luau's library.
struct Guard {
    name: &'static CStr,
    entry: ffi::lua_CFunction,
    /// Luau's own, which is one for all states.
    raw: AtomicPtr<c_void>,
}

impl Guard {
    const fn new(name: &'static CStr, entry: ffi::lua_CFunction) -> Self {
        Self { name, entry, raw: AtomicPtr::new(std::ptr::null_mut()) }
    }
}

const CONCAT: usize = 0;
const FORMAT: usize = 3;
const GSUB: usize = 4;
const SORT: usize = 7;

const ALL: usize = 8;

static GUARDS: [Guard; ALL] = [
    Guard::new(c"concat", concat),
    Guard::new(c"find", light::<1>),
    Guard::new(c"gmatch", light::<2>),
    Guard::new(c"format", format),
    Guard::new(c"gsub", substitute),
    Guard::new(c"match", light::<5>),
    Guard::new(c"rep", repeat::<6>),
    Guard::new(c"sort", sort),
];

/// `raw` (a function of Luau's library, of that name) where it is bounded, else `bounded`, which may
/// be suspended.
///
/// # Errors
/// If there is no guard of that name, or the state's memory is spent.
pub fn guarded(
    lua: &Lua,
    (name, raw, bounded): (String, Function, Function),
) -> mlua::Result<Function> {
    let known = GUARDS.iter().find(|known| known.name.to_bytes() == name.as_bytes());
    let guard = known.ok_or_else(|| mlua::Error::runtime("no such guard"))?;
    // SAFETY: the two functions are the arguments.
    unsafe {
        lua.exec_raw((raw, bounded), |state| {
            let Some(raw) = ffi::lua_tocfunction(state, 1) else {
                return ffi::lua_settop(state, 1);
            };
            guard.raw.store(raw as *mut c_void, Ordering::Relaxed);
            let (name, answered) = (guard.name.as_ptr(), Some(answered as ffi::lua_Continuation));
            ffi::lua_pushcclosurek(state, guard.entry, name, BOUNDED, answered);
            ffi::lua_replace(state, 1);
            ffi::lua_settop(state, 1);
        })
    }
}

/// Goes over a subject, by a pattern.
unsafe extern "C-unwind" fn light<const PLACE: usize>(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: `guarded` made it; nothing that is to be dropped is alive where Luau may raise.
    unsafe { if is_light(state) { go_on::<PLACE>(state) } else { stand_in(state) } }
}

unsafe extern "C-unwind" fn repeat<const PLACE: usize>(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: as above.
    unsafe { if is_little(state) { go_on::<PLACE>(state) } else { stand_in(state) } }
}

/// Luau's function, in this frame.
unsafe fn go_on<const PLACE: usize>(state: *mut ffi::lua_State) -> c_int {
    const { assert!(PLACE < ALL, "it is one of them") }
    #[allow(clippy::indexing_slicing, reason = "a place out of bounds does not compile")]
    let raw = GUARDS[PLACE].raw.load(Ordering::Relaxed);
    // SAFETY: `guarded` put the entry of Luau's function there, which has no upvalues: it can be called
    // from any frame.
    unsafe {
        let raw: ffi::lua_CFunction = std::mem::transmute(raw);
        raw(state)
    }
}

/// What stands for it; whoever calls this answers with what it answers.
unsafe fn stand_in(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: the closure has a continuation, and that upvalue; a slot is there.
    unsafe {
        ffi::lua_pushvalue(state, ffi::lua_upvalueindex(BOUNDED));
        ffi::lua_insert(state, 1);
        ffi::lua_callyieldable(state, ffi::lua_gettop(state) - 1, ffi::LUA_MULTRET)
    }
}

/// What stood for the function has answered.
unsafe extern "C-unwind" fn answered(state: *mut ffi::lua_State, _: c_int) -> c_int {
    // SAFETY: the state is alive.
    unsafe { ffi::lua_gettop(state) }
}

/// `gsub`, of which the most common kind is done here.
unsafe extern "C-unwind" fn substitute(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: as in `light`; what Luau raises drops what was written as it passes.
    unsafe {
        if !is_short(state) {
            return stand_in(state);
        }
        let is_whole = ffi::lua_type(state, 4) <= ffi::LUA_TNIL;
        let Some(pattern) = is_whole.then(|| Pattern::of(text(state, 2))).flatten() else {
            return go_on::<GSUB>(state);
        };
        let (subject, replacement) = (text(state, 1), text(state, 3));
        let is_plain = !replacement.contains(&b'%');
        let most = subject.len().saturating_mul(replacement.len().max(1));
        if !is_plain || most > MOST_WRITTEN {
            return go_on::<GSUB>(state);
        }
        let mut written = api::spare();
        let count = pattern.replace(subject, replacement, &mut written);
        if count > 0 {
            ffi::lua_pushlstring_(state, written.as_ptr().cast(), written.len());
        } else {
            ffi::lua_pushvalue(state, 1);
        }
        api::give_back(written);
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

/// `format`, of which the most common kind is done here.
unsafe extern "C-unwind" fn format(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: as in `substitute`.
    unsafe {
        let mut written = api::spare();
        let is_written = ffi::lua_type(state, 1) == ffi::LUA_TSTRING && fill(state, &mut written);
        if is_written {
            ffi::lua_pushlstring_(state, written.as_ptr().cast(), written.len());
        }
        api::give_back(written);
        match is_written {
            true => 1,
            false if are_written(state) => go_on::<FORMAT>(state),
            false => stand_in(state),
        }
    }
}

/// Writes the arguments where the first one has `%s` and `%d`; false if it has something else, or they
/// are not texts and numbers.
unsafe fn fill(state: *mut ffi::lua_State, written: &mut Vec<u8>) -> bool {
    // SAFETY: the state is alive.
    unsafe {
        let (mut rest, mut index) = (text(state, 1), 1);
        while let Some(mark) = memchr::memchr(b'%', rest) {
            let (before, item) = rest.split_at_checked(mark).unwrap_or_default();
            let ([_, kind @ (b's' | b'd' | b'%'), after @ ..], true) =
                (item, write_text(before, written))
            else {
                return false;
            };
            rest = after;
            if *kind == b'%' {
                written.push(b'%');
                continue;
            }
            index += 1;
            let fits = match (kind, ffi::lua_type(state, index)) {
                (b's', ffi::LUA_TSTRING) => write_text(text(state, index), written),
                (b's', ffi::LUA_TNUMBER) => write_number(state, index, written),
                (b'd', ffi::LUA_TNUMBER) => write_whole(state, index, written),
                _ => false,
            };
            if !fits {
                return false;
            }
        }
        write_text(rest, written)
    }
}

/// Writes a text; false, and nothing is written, if that is too much.
fn write_text(text: &[u8], written: &mut Vec<u8>) -> bool {
    let fits = written.len() + text.len() <= JOINED;
    if fits {
        written.extend_from_slice(text);
    }
    fits
}

/// Writes a number without its fraction, if it is not large.
unsafe fn write_whole(state: *mut ffi::lua_State, index: c_int, written: &mut Vec<u8>) -> bool {
    // SAFETY: the state is alive, and the value a number.
    let number = unsafe { ffi::lua_tonumberx(state, index, std::ptr::null_mut()) };
    written.extend_from_slice(itoa::Buffer::new().format(number as i64).as_bytes());
    number.abs() < WHOLE
}

/// `concat` of numbers: Luau makes a text of each, here they are written at once.
unsafe extern "C-unwind" fn concat(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: as in `substitute`.
    unsafe {
        let mut written = api::spare();
        if !is_list(state) || !join(state, &mut written) {
            api::give_back(written);
            return go_on::<CONCAT>(state);
        }
        ffi::lua_pushlstring_(state, written.as_ptr().cast(), written.len());
        api::give_back(written);
        1
    }
}

/// The arguments are a list that begins with a number, and a separator or none.
unsafe fn is_list(state: *mut ffi::lua_State) -> bool {
    // SAFETY: the state is alive; what is pushed is popped.
    unsafe {
        let separator = ffi::lua_type(state, 2);
        if ffi::lua_type(state, 1) != ffi::LUA_TTABLE
            || !(separator == ffi::LUA_TSTRING || separator <= ffi::LUA_TNIL)
            || ffi::lua_type(state, 3) > ffi::LUA_TNIL
            || ffi::lua_type(state, 4) > ffi::LUA_TNIL
        {
            return false;
        }
        let is_number = ffi::lua_rawgeti_(state, 1, 1) == ffi::LUA_TNUMBER;
        ffi::lua_settop(state, -2);
        is_number
    }
}

/// Writes a list of texts and numbers; false if it is long, or has something else in it.
unsafe fn join(state: *mut ffi::lua_State, written: &mut Vec<u8>) -> bool {
    // SAFETY: as in `is_list`; texts live in the list.
    unsafe {
        let separator = text(state, 2);
        let count = ffi::lua_objlen(state, 1).min(JOINED);
        for index in 1..=count as c_int {
            if index > 1 {
                written.extend_from_slice(separator);
            }
            let fits = match ffi::lua_rawgeti_(state, 1, index) {
                ffi::LUA_TNUMBER => write_number(state, -1, written),
                ffi::LUA_TSTRING => write_text(text(state, -1), written),
                _ => false,
            };
            ffi::lua_settop(state, -2);
            if !fits || written.len() > JOINED {
                return false;
            }
        }
        count < JOINED
    }
}

/// Writes a number, as Luau does.
unsafe fn write_number(state: *mut ffi::lua_State, index: c_int, written: &mut Vec<u8>) -> bool {
    // SAFETY: the state is alive, and the value's place this function's own: it may become a text.
    unsafe {
        let number = ffi::lua_tonumberx(state, index, std::ptr::null_mut());
        let whole = number as i64;
        // By their bits: -0 has its sign.
        if number.abs() < WHOLE && (whole as f64).to_bits() == number.to_bits() {
            written.extend_from_slice(itoa::Buffer::new().format(whole).as_bytes());
        } else {
            written.extend_from_slice(text(state, index));
        }
    }
    true
}

/// `sort` of a few numbers, which are moved once they are sorted.
unsafe extern "C-unwind" fn sort(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: as in `substitute`.
    unsafe {
        if ffi::lua_type(state, 1) != ffi::LUA_TTABLE || ffi::lua_type(state, 2) > ffi::LUA_TNIL {
            return stand_in(state);
        }
        let mut keys = KEYS.take();
        keys.clear();
        if !read_numbers(state, &mut keys) {
            return stand_in(state);
        }
        if keys.len() < 2 {
            return go_on::<SORT>(state);
        }
        keys.sort_unstable();
        for (place, key) in keys.iter().enumerate() {
            ffi::lua_pushnumber(state, number_of(*key));
            ffi::lua_rawseti_(state, 1, place as c_int + 1);
        }
        KEYS.set(keys);
        0
    }
}

thread_local! {
    /// What was sorted last: room for what comes next.
    static KEYS: Cell<Vec<i64>> = const { Cell::new(Vec::new()) };
}

/// A number's bits as a whole number that stands where the number does among others.
fn key_of(number: f64) -> i64 {
    let bits = number.to_bits() as i64;
    bits ^ ((bits >> 63) as u64 >> 1) as i64
}

fn number_of(key: i64) -> f64 {
    f64::from_bits((key ^ ((key >> 63) as u64 >> 1) as i64) as u64)
}

/// Reads a list of a few numbers, which all have an order.
unsafe fn read_numbers(state: *mut ffi::lua_State, keys: &mut Vec<i64>) -> bool {
    // SAFETY: the state is alive; what is pushed is popped.
    unsafe {
        let count = ffi::lua_objlen(state, 1);
        count <= SORTED
            && (1..=count as c_int).all(|index| {
                let is_number = ffi::lua_rawgeti_(state, 1, index) == ffi::LUA_TNUMBER;
                let number = ffi::lua_tonumberx(state, -1, std::ptr::null_mut());
                ffi::lua_settop(state, -2);
                keys.push(key_of(number));
                is_number && !number.is_nan()
            })
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
unsafe fn are_written(state: *mut ffi::lua_State) -> bool {
    // SAFETY: as above.
    unsafe {
        let count = ffi::lua_gettop(state);
        (1..=count)
            .all(|index| matches!(ffi::lua_type(state, index), ffi::LUA_TSTRING | ffi::LUA_TNUMBER))
    }
}

/// A short text is repeated, with nothing between.
unsafe fn is_little(state: *mut ffi::lua_State) -> bool {
    // SAFETY: as above.
    unsafe {
        ffi::lua_type(state, 1) == ffi::LUA_TSTRING
            && ffi::lua_type(state, 2) == ffi::LUA_TNUMBER
            && ffi::lua_type(state, 3) <= ffi::LUA_TNIL
            && ffi::lua_tonumberx(state, 2, std::ptr::null_mut()) * ffi::lua_objlen(state, 1) as f64
                <= JOINED as f64
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
