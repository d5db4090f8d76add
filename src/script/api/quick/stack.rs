//! The stack of a native function while it runs: arguments are read from it, results are put onto it.
#![allow(unsafe_code, reason = "mlua has no function that is not protected value by value")]

use std::ffi::{CStr, c_int};
use std::rc::Rc;
use std::slice;

use mlua::{Lua, ffi};

use super::facts::KeptHeaders;
use super::owned::{BESIDE, ITSELF, Owned, owned, push_owned};
use super::{Facts, facts};
use crate::transaction::Headers;

/// The registry's name for the metatable of tables whose fields are found in any spelling.
const ANY_CASE: &CStr = c"moongate.any_case";
/// Values that a native function may always push.
const ROOM: c_int = ffi::LUA_MINSTACK;

/// The stack of a native function while it runs: its arguments, and where its result is made.
pub struct Stack<'a> {
    pub(super) state: *mut ffi::lua_State,
    /// How many arguments there are.
    pub(super) count: c_int,
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

impl<'a> Stack<'a> {
    /// # Safety
    /// `state` is that of a native function that runs; the facts are the state's.
    #[inline]
    pub(super) unsafe fn of(state: *mut ffi::lua_State, facts: *const Facts) -> Self {
        // SAFETY: the state holds the facts as long as it lives.
        unsafe { Self { state, count: ffi::lua_gettop(state), facts: &*facts } }
    }

    /// How many arguments there are.
    #[inline]
    pub fn len(&self) -> usize {
        self.count as usize
    }

    /// Whether there is no argument at `index` (from 1), or nil.
    #[inline]
    pub fn is_nil(&self, index: c_int) -> bool {
        self.kind(index) <= ffi::LUA_TNIL
    }

    /// The bytes of an argument that is a string.
    #[inline]
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
    #[inline]
    pub fn number(&self, index: c_int) -> Option<f64> {
        // SAFETY: the state is alive, and a number is only read.
        (self.kind(index) == ffi::LUA_TNUMBER)
            .then(|| unsafe { ffi::lua_tonumberx(self.state, index, std::ptr::null_mut()) })
    }

    /// An argument that is a boolean.
    #[inline]
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
    #[inline]
    pub fn is_table(&self, index: c_int) -> bool {
        self.kind(index) == ffi::LUA_TTABLE
    }

    /// Whether a value is a table that nothing is hidden behind.
    #[inline]
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
    #[inline]
    pub fn object<T: 'static>(&self) -> Option<&T> {
        self.held(BESIDE)
    }

    /// What the object holds that [`object`] made, and the first argument is, if that is a `T`.
    #[inline]
    pub fn itself<T: 'static>(&self) -> Option<Rc<T>> {
        // SAFETY: as in `held`: the object holds one share of it.
        self.held::<T>(ITSELF).map(|held| unsafe {
            Rc::increment_strong_count(held);
            Rc::from_raw(held)
        })
    }

    #[inline]
    fn held<T: 'static>(&self, place: c_int) -> Option<&T> {
        if self.kind(1) != ffi::LUA_TTABLE {
            return None;
        }
        // SAFETY: the object holds what is found, and no script runs, and nothing is collected, while the
        // stack is looked at.
        unsafe {
            ffi::lua_rawgeti_(self.state, 1, place);
            let owned = owned(self.state, -1);
            ffi::lua_settop(self.state, -2);
            owned
        }
    }

    /// What the state is.
    #[inline]
    pub fn facts(&self) -> &'a Facts {
        self.facts
    }

    /// The type of a value, as Luau numbers them; below 0: there is none.
    #[inline]
    pub fn kind(&self, index: c_int) -> c_int {
        // SAFETY: the state is alive.
        unsafe { ffi::lua_type(self.state, index) }
    }
}

/// What only a way that makes its result may do: Luau may raise, and nothing that needs to be
/// dropped is alive below it but what Rust drops as it passes.
impl Stack<'_> {
    #[inline]
    pub fn push_bytes(&mut self, bytes: &[u8]) {
        // SAFETY: the state is alive, and its stack was checked.
        unsafe { ffi::lua_pushlstring_(self.state, bytes.as_ptr().cast(), bytes.len()) };
    }

    #[inline]
    pub fn push_number(&mut self, number: f64) {
        // SAFETY: as above.
        unsafe { ffi::lua_pushnumber(self.state, number) };
    }

    #[inline]
    pub fn push_boolean(&mut self, value: bool) {
        // SAFETY: as above.
        unsafe { ffi::lua_pushboolean(self.state, value.into()) };
    }

    #[inline]
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
    #[inline]
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

    /// Keeps a copy of the header fields' table on top, for [`Self::push_headers`].
    pub(super) fn keep_headers(&mut self, edition: u64) {
        let kept = &self.facts.headers;
        let place = kept.get().place;
        // While the copy is made, which may fail, there is none.
        kept.set(KeptHeaders { edition: 0, place });
        let place = self.keep_copy(place);
        kept.set(KeptHeaders { edition, place });
    }

    /// A copy of the table of an answer's fields, if they are those for which one was kept.
    pub fn push_fields_again(&mut self, headers: &Headers) -> bool {
        let kept = self.facts.fields.borrow();
        let is_kept = kept.place > 0 && kept.fields.as_slice() == headers.iter().as_slice();
        let place = kept.place;
        drop(kept);
        if is_kept {
            self.push_clone(place);
        }
        is_kept
    }

    /// Keeps a copy of the table on top, which is that of these fields, for [`Self::push_fields_again`].
    pub fn keep_fields(&mut self, headers: &Headers) {
        let kept = &self.facts.fields;
        let place = kept.borrow().place;
        // While the copy is made, which may fail, there is none.
        kept.borrow_mut().fields.clear();
        let place = self.keep_copy(place);
        let mut kept = kept.borrow_mut();
        kept.place = place;
        kept.fields.extend(headers.iter().cloned());
    }

    /// A copy of the table that is kept.
    pub(super) fn push_headers(&mut self) {
        self.push_clone(self.facts.headers.get().place);
    }

    /// Keeps a copy of the table on top as that of the query that was split last.
    pub(super) fn keep_query(&mut self) {
        let query = &self.facts.query;
        query.place.set(self.keep_copy(query.place.get()));
        query.is_made.set(true);
    }

    /// A copy of that table.
    pub(super) fn push_query(&mut self) {
        self.push_clone(self.facts.query.place.get());
    }

    /// Keeps a copy of the table on top at that place among the references of the registry, or at a new
    /// one, which is told.
    fn keep_copy(&mut self, place: c_int) -> c_int {
        let state = self.state;
        // SAFETY: as above; the reference is this type's own.
        unsafe {
            ffi::lua_clonetable(state, -1);
            if place > 0 {
                ffi::lua_rawseti_(state, ffi::LUA_REGISTRYINDEX, place);
                return place;
            }
            let place = ffi::lua_ref(state, -1);
            ffi::lua_settop(state, -2);
            place
        }
    }

    /// A copy of the table at a place among the references of the registry.
    fn push_clone(&mut self, place: c_int) {
        // SAFETY: as above; there is a table.
        unsafe {
            ffi::lua_rawgeti_(self.state, ffi::LUA_REGISTRYINDEX, place);
            ffi::lua_clonetable(self.state, -1);
            ffi::lua_replace(self.state, -2);
        }
    }

    /// The value on top becomes item `index` of the table below it.
    #[inline]
    pub fn set_item(&mut self, index: i32) {
        // SAFETY: as above; the table is this function's own.
        unsafe { ffi::lua_rawseti_(self.state, -2, index) };
    }

    /// The value on top becomes the field of the table that the key below it names.
    #[inline]
    pub fn set_field(&mut self) {
        // SAFETY: as above.
        unsafe { ffi::lua_rawset(self.state, -3) };
    }

    /// Something of ours, which only [`owned`] finds again.
    pub(super) fn push_owned<T: 'static>(&mut self, value: Rc<T>) {
        let owned = Owned::of(value);
        // SAFETY: as above.
        unsafe { push_owned(self.state, owned) };
    }

    /// Sees to it that so many more values fit.
    pub fn reserve(&mut self, values: usize) -> bool {
        // SAFETY: as above.
        unsafe { ffi::lua_checkstack(self.state, values as c_int) != 0 }
    }

    /// So many times nil; where the first one is.
    pub fn push_nils(&mut self, count: usize) -> i32 {
        // SAFETY: as above.
        unsafe {
            let top = ffi::lua_gettop(self.state);
            ffi::lua_settop(self.state, top + count as c_int);
            top + 1
        }
    }

    /// The value at a place once more.
    #[inline]
    pub fn push_copy(&mut self, place: i32) {
        // SAFETY: as above; the place is one that was pushed.
        unsafe { ffi::lua_pushvalue(self.state, place) };
    }

    /// The value on top is at that place too.
    #[inline]
    pub fn keep_at(&mut self, place: i32) {
        // SAFETY: as above.
        unsafe {
            ffi::lua_pushvalue(self.state, -1);
            ffi::lua_replace(self.state, place);
        }
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
