//! How a short way is gone: arguments from Luau's stack, results onto it, or the long way.
#![allow(unsafe_code, reason = "mlua has no function that is not protected value by value")]

use std::any::Any;
use std::ffi::{c_int, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::slice;

use bytes::Bytes;
use mlua::{Function as LuaFunction, Lua, Value, ffi};

use super::{Facts, Quick, Run, facts};
use crate::script::api::Function;
use crate::script::call::{self, Call};

/// The registry's name for the metatable of tables whose fields are found in any spelling.
const ANY_CASE: &std::ffi::CStr = c"moongate.any_case";
/// Results that one function has at the most.
const RESULTS: usize = 4;
/// Values that a native function may always push.
const ROOM: c_int = ffi::LUA_MINSTACK;
/// Marks what [`Stack::handle`] finds.
const TAG: c_int = 97;
/// Marks what [`Stack::object`] finds.
const OWNED: c_int = 96;

/// The second upvalue of a function with a short way; the first is what mlua's own entry looks for.
#[derive(Clone, Copy)]
struct Route {
    quick: &'static Quick,
    /// The name in the API, for its phases; none: it may be called anywhere.
    function: Option<&'static Function>,
    /// The state's, which holds them as long as it lives.
    facts: *const Facts,
    long: ffi::lua_CFunction,
}

/// What runs on a short way that answers.
type Answers = for<'a> fn(&Stack<'a>, &Rc<Call>, &mut Answer<'a>) -> bool;

/// The stack of a native function while it runs: its arguments, and where its result is made.
pub struct Stack<'a> {
    state: *mut ffi::lua_State,
    count: c_int,
    facts: &'a Facts,
}

/// A result.
#[derive(Default)]
pub enum Out<'a> {
    Boolean(bool),
    Bytes(&'a [u8]),
    /// What [`super::keep_context`] kept.
    Context,
    /// A table with these entries. With `true` its fields are found in any spelling.
    Fields(Vec<(Key, Out<'a>)>, bool),
    Number(f64),
    #[default]
    Nil,
    Owned(Vec<u8>),
    Shared(Bytes),
    Short([u8; 40], usize),
}

/// A key of a table.
pub enum Key {
    /// In lower case.
    Lower(Bytes),
    Number(i32),
    Text(Vec<u8>),
}

/// The results, in order.
#[derive(Default)]
pub struct Answer<'a> {
    outs: [Out<'a>; RESULTS],
    count: usize,
}

impl<'a> Answer<'a> {
    /// One more result; true, so that it can be the last word of a short way.
    pub fn give(&mut self, out: Out<'a>) -> bool {
        if let Some(place) = self.outs.get_mut(self.count) {
            *place = out;
            self.count += 1;
        }
        true
    }

    /// A few bytes, at most 40.
    pub fn short(&mut self, bytes: &[u8]) -> bool {
        let mut whole = [0; 40];
        match whole.get_mut(..bytes.len()) {
            Some(place) => {
                place.copy_from_slice(bytes);
                self.give(Out::Short(whole, bytes.len()))
            }
            None => self.give(Out::Owned(bytes.to_vec())),
        }
    }

    /// Bytes, or nil.
    pub fn shared(&mut self, bytes: Option<Bytes>) -> bool {
        self.give(bytes.map_or(Out::Nil, Out::Shared))
    }
}

impl<'a> Stack<'a> {
    /// How many arguments there are.
    pub fn len(&self) -> usize {
        self.count as usize
    }

    /// Whether there is no argument at `index` (from 1), or nil.
    pub fn is_nil(&self, index: c_int) -> bool {
        self.kind(index) <= ffi::LUA_TNIL
    }

    /// The bytes of an argument that is a string.
    pub fn bytes(&self, index: c_int) -> Option<&'a [u8]> {
        if self.kind(index) == ffi::LUA_TSTRING { Some(self.text(index)) } else { None }
    }

    /// An argument that is a number.
    pub fn number(&self, index: c_int) -> Option<f64> {
        // SAFETY: the state is alive, and a number is only read.
        (self.kind(index) == ffi::LUA_TNUMBER)
            .then(|| unsafe { ffi::lua_tonumberx(self.state, index, std::ptr::null_mut()) })
    }

    /// An argument that is a boolean.
    pub fn boolean(&self, index: c_int) -> Option<bool> {
        // SAFETY: as above.
        (self.kind(index) == ffi::LUA_TBOOLEAN)
            .then(|| unsafe { ffi::lua_toboolean(self.state, index) != 0 })
    }

    /// Whether a value is a table that nothing is hidden behind.
    pub fn is_plain_table(&self, index: c_int) -> bool {
        // SAFETY: as above; what the look pushes is popped, and the slot is one of `ROOM`.
        self.kind(index) == ffi::LUA_TTABLE
            && unsafe {
                let has = ffi::lua_getmetatable(self.state, index) != 0;
                if has {
                    ffi::lua_pop(self.state, 1);
                }
                !has
            }
    }

    /// Walks a table: `visit` finds key and value at the two places it is told. Ends with `false`
    /// where that does, or where the stack has no room.
    pub fn walk(&self, table: c_int, mut visit: impl FnMut(c_int, c_int) -> bool) -> bool {
        // SAFETY: the state is alive and `table` is one; three slots are there, and are given back.
        unsafe {
            let top = ffi::lua_gettop(self.state);
            if top - self.count + 3 > ROOM {
                return false;
            }
            let mut iterator = 0;
            loop {
                iterator = ffi::lua_rawiter(self.state, table, iterator);
                if iterator < 0 {
                    return true;
                }
                let went = visit(top + 1, top + 2);
                ffi::lua_settop(self.state, top);
                if !went {
                    return false;
                }
            }
        }
    }

    /// What [`mark_object`] put into the object that the first argument is.
    pub fn handle(&self) -> Option<usize> {
        if self.kind(1) != ffi::LUA_TTABLE {
            return None;
        }
        // SAFETY: the state is alive; only the host makes userdata with that tag, of one number.
        unsafe {
            ffi::lua_rawgeti_(self.state, 1, 2);
            let handle = ffi::lua_touserdatatagged(self.state, -1, TAG).cast::<usize>();
            let found = (!handle.is_null()).then(|| *handle);
            ffi::lua_pop(self.state, 1);
            found
        }
    }

    /// What [`own`] gave the object that the first argument is, if it is a `T`.
    pub fn object<T: 'static>(&self) -> Option<&T> {
        if self.kind(1) != ffi::LUA_TTABLE {
            return None;
        }
        // SAFETY: only `own` makes userdata with that tag; the object holds it, and no script runs, and
        // nothing is collected, while the stack is looked at.
        unsafe {
            ffi::lua_rawgeti_(self.state, 1, 2);
            let owned = ffi::lua_touserdatatagged(self.state, -1, OWNED).cast::<Rc<dyn Any>>();
            ffi::lua_pop(self.state, 1);
            owned.as_ref()?.downcast_ref()
        }
    }

    /// What the state is.
    pub fn facts(&self) -> &'a Facts {
        self.facts
    }

    /// The type of a value, as Luau numbers them; below 0: there is none.
    pub fn kind(&self, index: c_int) -> c_int {
        // SAFETY: the state is alive.
        unsafe { ffi::lua_type(self.state, index) }
    }

    fn text(&self, index: c_int) -> &'a [u8] {
        let mut length = 0;
        // SAFETY: it is a string, which its place on the stack keeps for as long as the function runs
        // (what `walk` shows lives in its table).
        unsafe {
            let start = ffi::lua_tolstring(self.state, index, &raw mut length);
            if start.is_null() { &[] } else { slice::from_raw_parts(start.cast(), length) }
        }
    }
}

/// What only a way that makes its result may do: Luau may raise, and nothing that needs to be
/// dropped is alive below it but what Rust drops as it passes.
impl Stack<'_> {
    pub fn push_bytes(&mut self, bytes: &[u8]) {
        // SAFETY: the state is alive, and its stack was checked.
        unsafe { ffi::lua_pushlstring_(self.state, bytes.as_ptr().cast(), bytes.len()) };
    }

    pub fn push_number(&mut self, number: f64) {
        // SAFETY: as above.
        unsafe { ffi::lua_pushnumber(self.state, number) };
    }

    pub fn push_boolean(&mut self, value: bool) {
        // SAFETY: as above.
        unsafe { ffi::lua_pushboolean(self.state, value.into()) };
    }

    /// `ngx.null`.
    pub fn push_null(&mut self) {
        // SAFETY: as above.
        unsafe { ffi::lua_pushlightuserdata(self.state, std::ptr::null_mut()) };
    }

    pub fn push_table(&mut self) {
        // SAFETY: as above.
        unsafe { ffi::lua_createtable(self.state, 0, 0) };
    }

    /// The value on top becomes item `index` of the table below it.
    pub fn set_item(&mut self, index: i32) {
        // SAFETY: as above; the table is this function's own.
        unsafe { ffi::lua_rawseti_(self.state, -2, index) };
    }

    /// The value on top becomes the field of the table that the key below it names.
    pub fn set_field(&mut self) {
        // SAFETY: as above.
        unsafe { ffi::lua_rawset(self.state, -3) };
    }

    /// Sees to it that a few more values fit.
    pub fn reserve(&mut self) -> bool {
        // SAFETY: as above.
        unsafe { ffi::lua_checkstack(self.state, 8) != 0 }
    }
}

/// The function `long` with a short way before it.
pub(super) fn shorten(
    lua: &Lua,
    quick: &'static Quick,
    function: Option<&'static Function>,
    long: LuaFunction,
) -> mlua::Result<LuaFunction> {
    let facts = Rc::as_ptr(&facts(lua));
    let kept: Value = lua.named_registry_value(super::context::KEPT)?;
    // SAFETY: `long` is mlua's: a C closure with one upvalue, which its entry finds in ours at the same
    // place. The userdata is plain memory for the route.
    unsafe {
        lua.exec_raw((long, kept), |state| {
            let Some(entry) = ffi::lua_tocfunction(state, 1) else {
                return ffi::lua_settop(state, 1);
            };
            let route = Route { quick, function, facts, long: entry };
            ffi::lua_getupvalue(state, 1, 1);
            let place = ffi::lua_newuserdatatagged(state, size_of::<Route>(), TAG + 1);
            place.cast::<Route>().write_unaligned(route);
            ffi::lua_pushvalue(state, 2);
            ffi::lua_pushcclosurek(state, short_way, std::ptr::null(), 3, None);
            ffi::lua_replace(state, 1);
            ffi::lua_settop(state, 1);
        })
    }
}

/// Puts a number into an object of the API, where [`Stack::handle`] finds it and no script can make it.
pub(super) fn mark_object(lua: &Lua, object: &mlua::Table, handle: usize) -> mlua::Result<()> {
    // SAFETY: the object is the one argument; the userdata is plain memory for a number.
    unsafe {
        lua.exec_raw(object, |state| {
            let place = ffi::lua_newuserdatatagged(state, size_of::<usize>(), TAG);
            place.cast::<usize>().write_unaligned(handle);
            ffi::lua_rawseti_(state, 1, 2);
            ffi::lua_settop(state, 0);
        })
    }
}

/// Gives an object of the API what [`Stack::object`] finds there. It is dropped when no script holds it.
///
/// # Errors
/// If the state's memory is spent.
pub fn own(lua: &Lua, object: &mlua::Table, owned: Rc<dyn Any>) -> mlua::Result<()> {
    // SAFETY: the object is the one argument; nothing can raise between making the userdata and
    // filling it, and `drop_owned` is what ends it.
    unsafe {
        lua.exec_raw(object, |state| {
            let size = size_of::<Rc<dyn Any>>();
            let place = ffi::lua_newuserdatatagged(state, size, OWNED).cast::<Rc<dyn Any>>();
            place.write(owned);
            ffi::lua_rawseti_(state, 1, 2);
            ffi::lua_settop(state, 0);
        })
    }
}

/// The table that `make` leaves on the stack, made under one protection.
///
/// # Errors
/// If the state's memory is spent.
pub fn made(lua: &Lua, make: impl FnOnce(&mut Stack<'_>)) -> mlua::Result<mlua::Table> {
    let facts = facts(lua);
    // SAFETY: the state is alive, with room for `LUA_MINSTACK` values, of which `make` pushes a few; what
    // Luau raises drops what `make` holds as it passes.
    unsafe { lua.exec_raw((), |state| make(&mut Stack { state, count: 0, facts: &facts })) }
}

/// Tells a fresh state how what is owned ends.
pub(super) fn prepare(lua: &Lua) -> mlua::Result<()> {
    // SAFETY: nothing else in the process makes userdata of that tag.
    unsafe { lua.exec_raw((), |state| ffi::lua_setuserdatadtor(state, OWNED, Some(drop_owned))) }
}

unsafe extern "C" fn drop_owned(_: *mut ffi::lua_State, place: *mut c_void) {
    // SAFETY: `own` filled it, and Luau ends it once.
    unsafe { place.cast::<Rc<dyn Any>>().drop_in_place() };
}

unsafe extern "C-unwind" fn short_way(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: `shorten` made the closure. What Luau raises passes through `push` and `make`, whose
    // values are dropped by it; `catch_unwind` is never around what may raise.
    unsafe {
        let route = ffi::lua_touserdata(state, ffi::lua_upvalueindex(2));
        let route = route.cast::<Route>().read_unaligned();
        let facts = &*route.facts;
        let count = ffi::lua_gettop(state);
        let mut stack = Stack { state, count, facts };
        match route.quick.run {
            Run::Answers(run) => {
                let mut answer = Answer::default();
                let asked = AssertUnwindSafe(|| route.ask(&stack, run, &mut answer));
                if catch_unwind(asked).unwrap_or(false) {
                    return push(state, answer);
                }
            }
            Run::Makes(make) => {
                if let Some(text) = stack.bytes(1)
                    && make(&mut stack, text)
                {
                    return 1;
                }
            }
        }
        ffi::lua_settop(state, count);
        (route.long)(state)
    }
}

impl Route {
    fn ask<'a>(&self, stack: &Stack<'a>, run: Answers, answer: &mut Answer<'a>) -> bool {
        call::with_current_call(|call| {
            let call = call.filter(|call| {
                self.function.is_none_or(|function| function.phases.contains(call.phase))
            });
            call.is_some_and(|call| run(stack, call, answer))
        })
    }
}

/// Puts the results onto the stack; how many there are.
unsafe fn push(state: *mut ffi::lua_State, answer: Answer<'_>) -> c_int {
    for out in answer.outs.iter().take(answer.count) {
        // SAFETY: the state is alive, and has room for a few values more than its arguments.
        unsafe { push_out(state, out) };
    }
    answer.count as c_int
}

unsafe fn push_out(state: *mut ffi::lua_State, out: &Out<'_>) {
    // SAFETY: as in `push`. The metatable is there: it was made with the state.
    unsafe {
        match out {
            Out::Boolean(value) => ffi::lua_pushboolean(state, (*value).into()),
            Out::Bytes(bytes) => push_text(state, bytes),
            Out::Context => drop(ffi::lua_rawgeti_(state, ffi::lua_upvalueindex(3), 1)),
            Out::Fields(entries, any_case) => {
                push_fields(state, entries);
                if *any_case {
                    ffi::lua_getfield(state, ffi::LUA_REGISTRYINDEX, ANY_CASE.as_ptr());
                    ffi::lua_setmetatable(state, -2);
                }
            }
            Out::Nil => ffi::lua_pushnil(state),
            Out::Number(number) => ffi::lua_pushnumber(state, *number),
            Out::Owned(bytes) => push_text(state, bytes),
            Out::Shared(bytes) => push_text(state, bytes),
            Out::Short(bytes, length) => push_text(state, bytes.get(..*length).unwrap_or_default()),
        }
    }
}

unsafe fn push_fields(state: *mut ffi::lua_State, entries: &[(Key, Out<'_>)]) {
    // SAFETY: as in `push`.
    unsafe {
        ffi::lua_createtable(state, 0, entries.len() as c_int);
        for (key, value) in entries {
            match key {
                Key::Number(index) => {
                    push_out(state, value);
                    ffi::lua_rawseti_(state, -2, *index);
                    continue;
                }
                Key::Lower(name) => push_lower(state, name),
                Key::Text(name) => push_text(state, name),
            }
            push_out(state, value);
            ffi::lua_rawset(state, -3);
        }
    }
}

unsafe fn push_text(state: *mut ffi::lua_State, bytes: &[u8]) {
    // SAFETY: as in `push`.
    unsafe { ffi::lua_pushlstring_(state, bytes.as_ptr().cast(), bytes.len()) };
}

unsafe fn push_lower(state: *mut ffi::lua_State, name: &[u8]) {
    let mut small = [0; 64];
    // SAFETY: as in `push`.
    unsafe {
        match small.get_mut(..name.len()) {
            Some(lower) => {
                lower.copy_from_slice(name);
                lower.make_ascii_lowercase();
                push_text(state, lower);
            }
            None => push_text(state, &name.to_ascii_lowercase()),
        }
    }
}
