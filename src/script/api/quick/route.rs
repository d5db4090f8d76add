//! How a short way is gone: arguments from Luau's stack, results onto it, or the long way.
#![allow(unsafe_code, reason = "mlua has no function that is not protected value by value")]
#![allow(clippy::inline_always, reason = "parts of every entry, dearer to call than to do")]

use std::cell::Cell;
use std::ffi::c_int;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;
use std::rc::Rc;

use bytes::Bytes;
use mlua::{Function as LuaFunction, Lua, Value, ffi};

use super::made::{Made, put_groups};
use super::regex::{Replacing, Search};
use super::walk::{next_match, next_piece, push_walk};
use super::{Facts, Quick, Stack, facts, kept};
use crate::script::api::{EVERYWHERE, Function};
use crate::script::call::{self, Call};
use crate::script::parked::Native;
use crate::transaction::PhaseSet;

/// Results that one function has at the most.
const RESULTS: c_int = 4;
/// Bytes of a buffer that is kept for the next result.
const SPARE_BYTES: usize = 64 << 10;
/// Bytes that a [`Short`] text has at the most.
const SHORT: usize = 40;
/// Marks a [`Route`].
const ROUTE: c_int = 97;

/// The second upvalue of a function with a short way; the first is what mlua's own entry looks for.
#[derive(Clone, Copy)]
pub(super) struct Route {
    /// Where it may be called.
    phases: PhaseSet,
    /// The state's, which holds them as long as it lives.
    pub(super) facts: *const Facts,
    pub(super) long: ffi::lua_CFunction,
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

    /// By a native function that knows itself how to go the long way.
    ///
    /// # Safety
    /// What it leaves there on the stack is what that takes.
    pub(super) const unsafe fn entry(entry: ffi::lua_CFunction) -> Self {
        Self(entry)
    }
}

/// A result.
#[derive(Default)]
pub enum Out<'a> {
    /// A copy of the header fields' table that is kept.
    Again,
    /// A table that becomes the `ngx.ctx` of the exchange, which has none yet.
    Begun,
    Boolean(bool),
    Bytes(&'a [u8]),
    /// What [`super::keep_context`] kept.
    Context,
    /// The field of that name of the table that is the first argument; the second one spells it otherwise.
    Field(Vec<u8>),
    /// A table.
    Made(Made<'a>),
    /// What somebody would have waited for, and is there: all results are its.
    Native(Box<dyn Native>),
    #[default]
    Nil,
    Number(f64),
    /// A copy of the table of the query that was split last.
    Query,
    /// A function that goes over matches in the text that is the first argument, with a text for each.
    Replacing(Replacing),
    /// A function that goes over matches in the text that is the first argument.
    Search(Search),
    /// Bytes in a [`spare`] buffer, which is spare again once Luau has them.
    Owned(Vec<u8>),
    Shared(Bytes),
    Short(Short),
}

/// A few bytes, which need no buffer.
pub struct Short {
    bytes: [u8; SHORT],
    length: u8,
}

impl Short {
    /// So many bytes, if they are few.
    #[inline]
    fn of(text: &[u8]) -> Option<Self> {
        let mut short = Self { bytes: [0; SHORT], length: text.len() as u8 };
        short.bytes.get_mut(..text.len())?.copy_from_slice(text);
        Some(short)
    }

    fn text(&self) -> &[u8] {
        self.bytes.get(..self.length.into()).unwrap_or_default()
    }
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
#[inline]
pub fn spare() -> Vec<u8> {
    let mut buffer = SPARE.take();
    buffer.clear();
    buffer
}

/// A result's buffer may hold another.
#[inline]
pub fn give_back(buffer: Vec<u8>) {
    if buffer.capacity() <= SPARE_BYTES {
        SPARE.set(buffer);
    }
}

impl<'a> Answer<'a> {
    #[inline]
    fn of(state: *mut ffi::lua_State) -> Self {
        Self { state, count: 0, late: Out::Nil, late_at: 0 }
    }

    /// One more result, of which one at the most is text or a table; true, so that it can be the last
    /// word of a short way.
    #[inline(always)]
    pub fn give(&mut self, out: Out<'a>) -> bool {
        // SAFETY: the state is alive, its stack has room for more than `RESULTS`, and none of this
        // takes memory: Luau does not raise.
        unsafe {
            match out {
                Out::Boolean(value) => {
                    self.begin();
                    ffi::lua_pushboolean(self.state, value.into());
                }
                Out::Context => {
                    self.begin();
                    ffi::lua_rawgeti_(self.state, ffi::lua_upvalueindex(3), 1);
                }
                Out::Nil => {
                    self.begin();
                    ffi::lua_pushnil(self.state);
                }
                Out::Number(number) => {
                    self.begin();
                    ffi::lua_pushnumber(self.state, number);
                }
                late => {
                    self.begin();
                    self.keep(late);
                }
            }
        }
        true
    }

    /// The field of the table that is the first argument, if it is known how the name is written there that
    /// the second one, a text, spells otherwise. It is the only result.
    pub(super) fn spelled(&mut self) -> bool {
        debug_assert!(self.count == 0, "it is the only result");
        // SAFETY: as in `give`; the function is one of `shorten`'s, and its arguments are such.
        let is_known = unsafe { kept::push_spelled(self.state) };
        self.count += c_int::from(is_known);
        is_known
    }

    /// Makes room for one more result.
    #[inline(always)]
    fn begin(&mut self) {
        debug_assert!(self.count < RESULTS, "no function has so many");
        if self.late_at > 0 && self.late_at == self.count {
            // It is not the last: something keeps its place.
            // SAFETY: as in `give`.
            unsafe { ffi::lua_pushnil(self.state) };
        }
        self.count += 1;
    }

    #[inline(always)]
    fn keep(&mut self, late: Out<'a>) {
        if std::mem::replace(&mut self.late_at, self.count) == 0 {
            // SAFETY: what is there is nil, which nobody needs to drop.
            unsafe { std::ptr::write(&raw mut self.late, late) };
        } else {
            self.late = late;
        }
    }

    /// A few bytes, which are copied.
    #[inline]
    pub fn copy(&mut self, bytes: &[u8]) -> bool {
        if let Some(short) = Short::of(bytes) {
            return self.give(Out::Short(short));
        }
        let mut copy = spare();
        copy.extend_from_slice(bytes);
        self.give(Out::Owned(copy))
    }

    /// Bytes, or nil.
    #[inline]
    pub fn shared(&mut self, bytes: Option<Bytes>) -> bool {
        self.give(bytes.map_or(Out::Nil, Out::Shared))
    }
}

/// The function `long` with a short way before it.
pub(super) fn shorten(
    lua: &Lua,
    quick: &'static Quick,
    function: Option<&'static Function>,
    long: LuaFunction,
) -> mlua::Result<LuaFunction> {
    joined(lua, quick, function, long, None)
}

/// A function of Luau's with a short way before it. What it calls may be suspended.
pub(super) fn before_luau(
    lua: &Lua,
    quick: &'static Quick,
    function: LuaFunction,
) -> mlua::Result<LuaFunction> {
    // SAFETY: the function is the one argument, and becomes the first upvalue, in which `stand_in` finds it
    // also where `joined` puts it.
    let long = unsafe {
        lua.exec_raw(function, |state| {
            ffi::lua_pushcclosurek(state, stand_in, std::ptr::null(), 1, Some(answered));
        })?
    };
    joined(lua, quick, None, long, Some(answered))
}

/// A function with a continuation is one in which all that is called may be suspended: mlua's must not
/// have one.
fn joined(
    lua: &Lua,
    quick: &'static Quick,
    function: Option<&'static Function>,
    long: LuaFunction,
    go_on: Option<ffi::lua_Continuation>,
) -> mlua::Result<LuaFunction> {
    let facts = Rc::as_ptr(&facts(lua));
    let phases = function.map_or(EVERYWHERE, |function| function.phases);
    let kept: Value = lua.named_registry_value(super::kept::KEPT)?;
    // SAFETY: `long` is a C closure with one upvalue, which its entry finds in ours at the same place. The userdata is plain memory for the route.
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
            ffi::lua_pushcclosurek(state, quick.run.0, std::ptr::null(), 3, go_on);
            ffi::lua_replace(state, 1);
            ffi::lua_settop(state, 1);
        })
    }
}

/// What is behind the short way of a function of Luau's.
unsafe extern "C-unwind" fn stand_in(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: `before_luau` put the function there; the closure has a continuation.
    unsafe {
        ffi::lua_pushvalue(state, ffi::lua_upvalueindex(1));
        ffi::lua_insert(state, 1);
        ffi::lua_callyieldable(state, ffi::lua_gettop(state) - 1, ffi::LUA_MULTRET)
    }
}

/// What stood in for the short way has answered.
unsafe extern "C-unwind" fn answered(state: *mut ffi::lua_State, _: c_int) -> c_int {
    // SAFETY: the state is alive.
    unsafe { ffi::lua_gettop(state) }
}

unsafe extern "C-unwind" fn answering<F: Answers>(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: `shorten` made the closure. What Luau raises passes through `finish`, whose values are
    // dropped by it; `catch_unwind` is never around what may raise.
    unsafe {
        let route = route(state);
        let (mut stack, mut answer) = (Stack::of(state, route.facts), Answer::of(state));
        let asked = AssertUnwindSafe(|| ask(route.phases, named::<F>(), &stack, &mut answer));
        if catch_unwind(asked).unwrap_or(false) {
            return finish(&mut stack, answer);
        }
        ffi::lua_settop(state, stack.count);
        (route.long)(state)
    }
}

unsafe extern "C-unwind" fn making<F: Makes>(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: as above; what is raised passes through the function, whose values are dropped by it.
    unsafe {
        let route = route(state);
        let mut stack = Stack::of(state, route.facts);
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
#[inline]
fn named<F: Copy>() -> F {
    const { assert!(size_of::<F>() == 0, "there is nothing in it") }
    // SAFETY: it takes no memory, may be copied, and there is one: [`Run`] was given it.
    unsafe { NonNull::<F>::dangling().read() }
}

/// # Safety
/// In a function that [`shorten`] made, whose userdata it is, which Luau aligns to 8 bytes.
#[inline]
pub(super) unsafe fn route<'a>(state: *mut ffi::lua_State) -> &'a Route {
    // SAFETY: as above; it lives as long as the function runs.
    unsafe { &*ffi::lua_touserdata(state, ffi::lua_upvalueindex(2)).cast::<Route>() }
}

#[inline(always)]
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

/// How many results there are, the late one among them.
#[inline(always)]
unsafe fn finish(stack: &mut Stack<'_>, mut answer: Answer<'_>) -> c_int {
    let count = answer.count;
    if let Out::Native(native) = answer.late {
        return native.put(stack) as c_int;
    }
    if answer.late_at == 0 {
        // The late one is nil, which nobody needs to find out.
        std::mem::forget(answer);
    } else {
        // SAFETY: the state is alive, and the frame this function's own.
        unsafe { put_late(stack, &mut answer) };
    }
    count
}

/// Puts the late result where it belongs: on top, or where something keeps its place.
unsafe fn put_late(stack: &mut Stack<'_>, answer: &mut Answer<'_>) {
    // SAFETY: the state is alive, and has room for a few values more than its results.
    unsafe {
        match &mut answer.late {
            Out::Bytes(bytes) => stack.push_bytes(bytes),
            Out::Made(Made::Groups(subject, compiled)) => put_groups(subject, compiled, stack),
            Out::Owned(bytes) => {
                stack.push_bytes(bytes);
                give_back(std::mem::take(bytes));
            }
            Out::Shared(bytes) => stack.push_bytes(bytes),
            Out::Short(short) => stack.push_bytes(short.text()),
            other => push_rare(stack, std::mem::take(other)),
        }
        if answer.late_at < answer.count {
            ffi::lua_replace(stack.state, stack.count + answer.late_at);
        }
    }
}

unsafe fn push_rare(stack: &mut Stack<'_>, late: Out<'_>) {
    match late {
        Out::Again => stack.push_headers(),
        // SAFETY: the stack is that of the function that runs.
        Out::Begun => unsafe { kept::begin(stack) },
        Out::Field(name) => {
            stack.push_bytes(&name);
            give_back(name);
            // SAFETY: the first argument is a table.
            unsafe {
                kept::learn_spelling(stack);
                ffi::lua_rawget(stack.state, 1);
            }
        }
        Out::Made(made) => made.put(stack),
        Out::Query => stack.push_query(),
        Out::Replacing(replacing) => push_walk(stack, replacing, next_piece),
        Out::Search(search) => push_walk(stack, search, next_match),
        Out::Boolean(_)
        | Out::Bytes(_)
        | Out::Context
        | Out::Native(_)
        | Out::Nil
        | Out::Number(_)
        | Out::Owned(_)
        | Out::Shared(_)
        | Out::Short(_) => stack.push_nil(),
    }
}

/// Raises an error: what was begun ended with a bug of ours.
pub(super) unsafe fn fail(state: *mut ffi::lua_State, words: &'static str) -> ! {
    // SAFETY: the state is alive; nothing above needs to be dropped.
    unsafe {
        ffi::lua_pushlstring_(state, words.as_ptr().cast(), words.len());
        ffi::lua_error(state)
    }
}
