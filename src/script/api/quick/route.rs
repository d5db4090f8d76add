//! How a short way is gone: arguments from Luau's stack, results onto it, or the long way.
#![allow(unsafe_code, reason = "mlua has no function that is not protected value by value")]

use std::any::{Any, TypeId};
use std::cell::Cell;
use std::ffi::{c_int, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;
use std::rc::Rc;
use std::slice;

use bytes::Bytes;
use mlua::{Function as LuaFunction, Lua, Value, ffi};

use super::made::Made;
use super::{Facts, Quick, facts};
use crate::script::api::{EVERYWHERE, Function};
use crate::script::call::{self, Call};
use crate::transaction::PhaseSet;

/// The registry's name for the metatable of tables whose fields are found in any spelling.
const ANY_CASE: &std::ffi::CStr = c"moongate.any_case";
/// Results that one function has at the most.
const RESULTS: c_int = 4;
/// Bytes of a buffer that is kept for the next result.
const SPARE_BYTES: usize = 64 << 10;
/// Values that a native function may always push.
const ROOM: c_int = ffi::LUA_MINSTACK;
/// Marks what [`Stack::object`] finds.
const OWNED: c_int = 96;
/// Marks a [`Route`].
const ROUTE: c_int = 97;

/// The second upvalue of a function with a short way; the first is what mlua's own entry looks for.
#[derive(Clone, Copy)]
struct Route {
    /// Where it may be called.
    phases: PhaseSet,
    /// The state's, which holds them as long as it lives.
    facts: *const Facts,
    long: ffi::lua_CFunction,
}

/// What runs on a short way: a native entry that is compiled for this one function, so that nothing is
/// asked at run time but what it is given.
#[derive(Clone, Copy)]
pub struct Run(ffi::lua_CFunction);

/// A function that works its results out. `false`: this is a case for the long way, and nothing was
/// done. Whatever it does, no script runs, and nothing is allocated in Lua.
pub trait Answers:
    for<'a> Fn(&Stack<'a>, &Rc<Call>, &mut Answer<'a>) -> bool + Copy + 'static
{
}

impl<F> Answers for F where
    F: for<'a> Fn(&Stack<'a>, &Rc<Call>, &mut Answer<'a>) -> bool + Copy + 'static
{
}

/// A function that makes its one result as it reads its first argument, a text; `false` as above.
pub trait Makes: Fn(&mut Stack<'_>, &[u8]) -> bool + Copy + 'static {}

impl<F> Makes for F where F: Fn(&mut Stack<'_>, &[u8]) -> bool + Copy + 'static {}

impl Run {
    /// By a function that is named here, and so takes no memory.
    pub const fn answers<F: Answers>(_: F) -> Self {
        const { assert!(size_of::<F>() == 0, "the function's type tells which it is") }
        Self(answering::<F>)
    }

    /// By a function that is named here, and so takes no memory.
    pub const fn makes<F: Makes>(_: F) -> Self {
        const { assert!(size_of::<F>() == 0, "the function's type tells which it is") }
        Self(making::<F>)
    }
}

/// What [`own`] gives an object: its userdata.
struct Owned {
    kind: TypeId,
    /// Where it is, which stays there as long as it is held.
    value: *const (),
    _held: Rc<dyn Any>,
}

/// The stack of a native function while it runs: its arguments, and where its result is made.
pub struct Stack<'a> {
    state: *mut ffi::lua_State,
    count: c_int,
    facts: &'a Facts,
}

/// An argument, if it is of the plain kinds.
#[derive(Debug, Clone, Copy)]
pub enum Plain<'a> {
    Boolean(bool),
    /// Nil, or no argument.
    Nil,
    Number(f64),
    Other,
    Text(&'a [u8]),
}

/// A result.
#[derive(Default)]
pub enum Out<'a> {
    Boolean(bool),
    Bytes(&'a [u8]),
    /// What [`super::keep_context`] kept.
    Context,
    /// The field of that name of the table that is the first argument.
    Field(Vec<u8>),
    /// A table.
    Made(Made<'a>),
    #[default]
    Nil,
    Number(f64),
    /// Bytes in a [`spare`] buffer, which is spare again once Luau has them.
    Owned(Vec<u8>),
    Shared(Bytes),
}

/// The results, in order. Those that Luau needs no memory for are put onto its stack at once; one that
/// it does need some for is kept until nothing can panic any more.
pub struct Answer<'a> {
    state: *mut ffi::lua_State,
    count: c_int,
    late: Out<'a>,
    /// Which result that is, from 1; 0: none.
    late_at: c_int,
}

thread_local! {
    static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// An empty buffer, mostly one that held a result before.
pub fn spare() -> Vec<u8> {
    let mut buffer = SPARE.take();
    buffer.clear();
    buffer
}

/// A result's buffer may hold another.
pub(super) fn give_back(buffer: Vec<u8>) {
    if buffer.capacity() <= SPARE_BYTES {
        SPARE.set(buffer);
    }
}

impl<'a> Answer<'a> {
    fn of(state: *mut ffi::lua_State) -> Self {
        Self { state, count: 0, late: Out::Nil, late_at: 0 }
    }

    /// One more result, of which one at the most is text or a table; true, so that it can be the last
    /// word of a short way.
    #[inline]
    pub fn give(&mut self, out: Out<'a>) -> bool {
        if self.count == RESULTS {
            return true;
        }
        // SAFETY: the state is alive, its stack has room for more than `RESULTS`, and none of this
        // takes memory: Luau does not raise.
        unsafe {
            if self.late_at > 0 && self.late_at == self.count {
                // It is not the last: something keeps its place.
                ffi::lua_pushnil(self.state);
            }
            self.count += 1;
            match out {
                Out::Boolean(value) => ffi::lua_pushboolean(self.state, value.into()),
                Out::Context => drop(ffi::lua_rawgeti_(self.state, ffi::lua_upvalueindex(3), 1)),
                Out::Nil => ffi::lua_pushnil(self.state),
                Out::Number(number) => ffi::lua_pushnumber(self.state, number),
                late => (self.late, self.late_at) = (late, self.count),
            }
        }
        true
    }

    /// A few bytes, which are copied.
    pub fn copy(&mut self, bytes: &[u8]) -> bool {
        let mut copy = spare();
        copy.extend_from_slice(bytes);
        self.give(Out::Owned(copy))
    }

    /// Bytes, or nil.
    pub fn shared(&mut self, bytes: Option<Bytes>) -> bool {
        self.give(bytes.map_or(Out::Nil, Out::Shared))
    }
}

impl<'a> Stack<'a> {
    /// # Safety
    /// That of a native function that runs, and its own route.
    unsafe fn of(state: *mut ffi::lua_State, route: &Route) -> Self {
        // SAFETY: the state holds the facts as long as it lives.
        unsafe { Self { state, count: ffi::lua_gettop(state), facts: &*route.facts } }
    }

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
        let mut length = 0;
        // SAFETY: the state is alive. A string stays where it is for as long as its place on the stack
        // holds it, which is while the function runs (what `walk` shows lives in its table).
        unsafe {
            let no_atom = std::ptr::null_mut();
            let start = ffi::lua_tolstringatom(self.state, index, &raw mut length, no_atom);
            (!start.is_null()).then(|| slice::from_raw_parts(start.cast(), length))
        }
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

    /// An argument, whose kind is asked for once.
    #[inline]
    pub fn plain(&self, index: c_int) -> Plain<'a> {
        // SAFETY: as above.
        unsafe {
            match self.kind(index) {
                ffi::LUA_TBOOLEAN => Plain::Boolean(ffi::lua_toboolean(self.state, index) != 0),
                ffi::LUA_TNUMBER => {
                    Plain::Number(ffi::lua_tonumberx(self.state, index, std::ptr::null_mut()))
                }
                ffi::LUA_TSTRING => self.bytes(index).map_or(Plain::Other, Plain::Text),
                kind if kind <= ffi::LUA_TNIL => Plain::Nil,
                _ => Plain::Other,
            }
        }
    }

    /// Whether a value is a table.
    pub fn is_table(&self, index: c_int) -> bool {
        self.kind(index) == ffi::LUA_TTABLE
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

    /// What [`own`] gave the object that the first argument is, if it is a `T`.
    pub fn object<T: 'static>(&self) -> Option<&T> {
        if self.kind(1) != ffi::LUA_TTABLE {
            return None;
        }
        // SAFETY: only `own` makes userdata with that tag; the object holds it, and no script runs, and
        // nothing is collected, while the stack is looked at.
        unsafe {
            ffi::lua_rawgeti_(self.state, 1, 2);
            let owned = ffi::lua_touserdatatagged(self.state, -1, OWNED).cast::<Owned>();
            ffi::lua_settop(self.state, -2);
            let owned = owned.as_ref().filter(|owned| owned.kind == TypeId::of::<T>())?;
            owned.value.cast::<T>().as_ref()
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

    pub fn push_nil(&mut self) {
        // SAFETY: as above.
        unsafe { ffi::lua_pushnil(self.state) };
    }

    /// `ngx.null`.
    pub fn push_null(&mut self) {
        // SAFETY: as above.
        unsafe { ffi::lua_pushlightuserdata(self.state, std::ptr::null_mut()) };
    }

    /// An empty table, with room for so many items and so many fields.
    pub fn push_table(&mut self, items: usize, fields: usize) {
        // SAFETY: as above.
        unsafe { ffi::lua_createtable(self.state, items as c_int, fields as c_int) };
    }

    /// The fields of the table on top are found in any spelling from now on.
    pub fn set_any_case(&mut self) {
        // SAFETY: as above. The metatable is there: it was made with the state.
        unsafe {
            ffi::lua_getfield(self.state, ffi::LUA_REGISTRYINDEX, ANY_CASE.as_ptr());
            ffi::lua_setmetatable(self.state, -2);
        }
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
    let phases = function.map_or(EVERYWHERE, |function| function.phases);
    let kept: Value = lua.named_registry_value(super::context::KEPT)?;
    // SAFETY: `long` is mlua's: a C closure with one upvalue, which its entry finds in ours at the same
    // place. The userdata is plain memory for the route.
    unsafe {
        lua.exec_raw((long, kept), |state| {
            let Some(entry) = ffi::lua_tocfunction(state, 1) else {
                return ffi::lua_settop(state, 1);
            };
            let route = Route { phases, facts, long: entry };
            ffi::lua_getupvalue(state, 1, 1);
            let place = ffi::lua_newuserdatatagged(state, size_of::<Route>(), ROUTE);
            place.cast::<Route>().write_unaligned(route);
            ffi::lua_pushvalue(state, 2);
            ffi::lua_pushcclosurek(state, quick.run.0, std::ptr::null(), 3, None);
            ffi::lua_replace(state, 1);
            ffi::lua_settop(state, 1);
        })
    }
}

/// Gives an object of the API what [`Stack::object`] finds there. It is dropped when no script holds it.
///
/// # Errors
/// If the state's memory is spent.
pub fn own<T: 'static>(lua: &Lua, object: &mlua::Table, value: Rc<T>) -> mlua::Result<()> {
    let owned = Owned { kind: TypeId::of::<T>(), value: Rc::as_ptr(&value).cast(), _held: value };
    // SAFETY: the object is the one argument; nothing can raise between making the userdata, which Luau
    // aligns to 8 bytes, and filling it, and `drop_owned` is what ends it.
    unsafe {
        lua.exec_raw(object, |state| {
            let place = ffi::lua_newuserdatatagged(state, size_of::<Owned>(), OWNED);
            place.cast::<Owned>().write(owned);
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
    unsafe { place.cast::<Owned>().drop_in_place() };
}

unsafe extern "C-unwind" fn answering<F: Answers>(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: `shorten` made the closure. What Luau raises passes through `finish`, whose values are
    // dropped by it; `catch_unwind` is never around what may raise.
    unsafe {
        let route = route(state);
        let (stack, mut answer) = (Stack::of(state, route), Answer::of(state));
        let asked = AssertUnwindSafe(|| ask(route.phases, named::<F>(), &stack, &mut answer));
        if catch_unwind(asked).unwrap_or(false) {
            return finish(stack, answer);
        }
        ffi::lua_settop(state, stack.count);
        (route.long)(state)
    }
}

unsafe extern "C-unwind" fn making<F: Makes>(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: as above; what is raised passes through the function, whose values are dropped by it.
    unsafe {
        let route = route(state);
        let mut stack = Stack::of(state, route);
        if let Some(text) = stack.bytes(1)
            && named::<F>()(&mut stack, text)
        {
            return 1;
        }
        ffi::lua_settop(state, stack.count);
        (route.long)(state)
    }
}

/// The function of that type.
fn named<F: Copy>() -> F {
    const { assert!(size_of::<F>() == 0, "there is nothing in it") }
    // SAFETY: it takes no memory, may be copied, and there is one: [`Run`] was given it.
    unsafe { NonNull::<F>::dangling().read() }
}

/// # Safety
/// In a function that [`shorten`] made, whose userdata it is, which Luau aligns to 8 bytes.
unsafe fn route<'a>(state: *mut ffi::lua_State) -> &'a Route {
    // SAFETY: as above; it lives as long as the function runs.
    unsafe { &*ffi::lua_touserdata(state, ffi::lua_upvalueindex(2)).cast::<Route>() }
}

#[inline]
fn ask<'a>(
    phases: PhaseSet,
    function: impl Answers,
    stack: &Stack<'a>,
    answer: &mut Answer<'a>,
) -> bool {
    call::with_current_call(|call| {
        call.filter(|call| phases.contains(call.phase))
            .is_some_and(|call| function(stack, call, answer))
    })
}

/// Puts the late result where it belongs; how many results there are.
#[inline]
unsafe fn finish(mut stack: Stack<'_>, answer: Answer<'_>) -> c_int {
    let Answer { state, count, late, late_at } = answer;
    if late_at > 0 {
        // SAFETY: the state is alive, and has room for a few values more than its results.
        unsafe {
            push_late(&mut stack, late);
            if late_at < count {
                ffi::lua_replace(state, stack.count + late_at);
            }
        }
    }
    count
}

unsafe fn push_late(stack: &mut Stack<'_>, late: Out<'_>) {
    match late {
        Out::Bytes(bytes) => stack.push_bytes(bytes),
        Out::Field(name) => {
            stack.push_bytes(&name);
            give_back(name);
            // SAFETY: the first argument is a table.
            unsafe { ffi::lua_rawget(stack.state, 1) };
        }
        Out::Made(made) => made.put(stack),
        Out::Owned(bytes) => {
            stack.push_bytes(&bytes);
            give_back(bytes);
        }
        Out::Shared(bytes) => stack.push_bytes(&bytes),
        Out::Boolean(_) | Out::Context | Out::Nil | Out::Number(_) => stack.push_nil(),
    }
}
