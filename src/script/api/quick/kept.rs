//! The table in which a state's short ways keep what they need at hand, and which no script gets hold of:
//! the `ngx.ctx` that was made last, and the two tables in one of which scripts find it.
#![allow(unsafe_code, reason = "mlua has no function that is not protected value by value")]

use std::ffi::c_int;

use mlua::state::RawLua;
use mlua::{FromLua as _, Lua, Table, ffi};

use super::{Facts, Stack, context, route};

/// The registry's name for it.
pub const KEPT: &str = "moongate.kept";
/// Its item that is the `ngx.ctx` that was kept last, wherever the call is that is executing.
pub const CONTEXT: c_int = 1;
/// Its item that is the field as which scripts see that.
const NAME: c_int = 4;
/// Its item that is a table of names as scripts spell them, each with the name that is meant.
const SPELLINGS: c_int = 5;
/// Spellings that are known at the most.
const MOST_SPELLINGS: usize = 128;
/// Bytes of a spelling that is.
const LONGEST_SPELLING: usize = 64;

/// In which table scripts find `ngx.ctx`: its place among the items.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[repr(i32)]
pub enum Place {
    /// The one behind `ngx`.
    #[default]
    Hand = 2,
    /// `ngx` itself.
    Ngx = 3,
}

/// Makes that of a fresh state; its number among the references of the registry.
///
/// # Errors
/// If its memory does not hold it.
pub fn prepare(lua: &Lua, hand: &Table) -> mlua::Result<c_int> {
    let kept = lua.create_sequence_from([true; SPELLINGS as usize])?;
    kept.raw_set(Place::Hand as c_int, hand)?;
    kept.raw_set(NAME, "ctx")?;
    kept.raw_set(SPELLINGS, lua.create_table()?)?;
    lua.set_named_registry_value(KEPT, &kept)?;
    let mut number = 0;
    // SAFETY: the table is the one argument.
    unsafe {
        lua.exec_raw::<()>(kept, |state| {
            number = ffi::lua_ref(state, 1);
            ffi::lua_settop(state, 0);
        })?;
    }
    Ok(number)
}

/// Keeps `ngx`.
///
/// # Errors
/// If there is no such table.
pub fn keep_ngx(lua: &Lua, ngx: &Table) -> mlua::Result<()> {
    let kept: Table = lua.named_registry_value(KEPT)?;
    kept.raw_set(Place::Ngx as c_int, ngx)
}

/// Lays a table where scripts find it as `ngx.ctx`, and keeps it.
///
/// # Errors
/// If the state's memory is spent.
pub fn lay(lua: &Lua, facts: &Facts, number: u64, table: &Table) -> mlua::Result<()> {
    // SAFETY: the table is the one argument.
    unsafe {
        lua.exec_raw(table, |state| {
            lay_top(state, facts, number);
            ffi::lua_settop(state, 0);
        })
    }
}

/// The same of the table on top.
///
/// # Safety
/// The state is alive, one of the VM whose facts they are, and has room for a few values. It may raise.
unsafe fn lay_top(state: *mut ffi::lua_State, facts: &Facts, number: u64) {
    let place = facts.front.get();
    context::clear(facts);
    // SAFETY: as promised by the caller; what is pushed is popped.
    unsafe {
        push_kept(state, facts);
        ffi::lua_pushvalue(state, -2);
        ffi::lua_rawseti_(state, -2, CONTEXT);
        facts.context.set(number);
        push_place(state, place);
        ffi::lua_pushvalue(state, -4);
        ffi::lua_rawset(state, -3);
        ffi::lua_settop(state, -3);
    }
    context::held(facts, place, number);
}

/// Takes it away from where scripts find it.
pub fn take_away(facts: &Facts) {
    let Some(lua) = facts.lua.try_upgrade() else { return };
    let place = facts.place.get();
    // SAFETY: the state is alive, and there is room for a few values where the host is. A field that is
    // there is emptied without memory, also where a script froze the table: nothing is raised.
    lua.exec_raw_lua(|raw| unsafe {
        let state = raw.state();
        let top = ffi::lua_gettop(state);
        push_kept(state, facts);
        push_place(state, place);
        ffi::lua_pushvalue(state, -1);
        if ffi::lua_rawget(state, -3) != ffi::LUA_TNIL {
            ffi::lua_pop(state, 1);
            let was_frozen = ffi::lua_getreadonly(state, -2);
            ffi::lua_setreadonly(state, -2, 0);
            ffi::lua_pushnil(state);
            ffi::lua_rawset(state, -3);
            ffi::lua_setreadonly(state, -1, was_frozen);
        }
        ffi::lua_settop(state, top);
    });
}

/// Makes the `ngx.ctx` of the exchange whose script is executing, which has none yet.
///
/// # Safety
/// In a native function, whose stack it is. It may raise.
pub unsafe fn begin(stack: &mut Stack<'_>) {
    let facts = stack.facts();
    stack.push_table(0, 0);
    // SAFETY: as promised by the caller.
    unsafe {
        match begun(stack.state, facts) {
            Some(number) => lay_top(stack.state, facts, number),
            None => route::fail(stack.state, "not enough memory"),
        }
    }
}

/// The exchange holds the table on top, which has that number now.
///
/// # Safety
/// The state is alive, and one of the VM whose facts they are.
unsafe fn begun(state: *mut ffi::lua_State, facts: &Facts) -> Option<u64> {
    let lua = facts.lua.try_upgrade()?;
    // SAFETY: as promised by the caller; there is room for a value where the host is.
    let table = lua.exec_raw_lua(|raw| unsafe { held(raw, state) })?;
    context::begin(&lua, facts, table)
}

/// The host's hold on the table on top.
///
/// # Safety
/// Both states are alive, and of one VM.
unsafe fn held(raw: &RawLua, state: *mut ffi::lua_State) -> Option<Table> {
    // SAFETY: as promised by the caller.
    unsafe {
        ffi::lua_xpush(state, raw.state(), -1);
        let table = Table::from_stack(-1, raw).ok();
        ffi::lua_settop(raw.state(), -2);
        table
    }
}

/// Pushes the field of the table that is the first argument which is meant by the second one, a text; false,
/// and nothing is pushed, if that is not known.
///
/// # Safety
/// In a native function of [`super::before`] with such arguments. It does not raise.
pub unsafe fn push_spelled(state: *mut ffi::lua_State) -> bool {
    // SAFETY: as promised by the caller: the third upvalue is the table.
    unsafe {
        ffi::lua_rawgeti_(state, ffi::lua_upvalueindex(3), SPELLINGS);
        ffi::lua_pushvalue(state, 2);
        if ffi::lua_rawget(state, -2) != ffi::LUA_TSTRING {
            ffi::lua_settop(state, -3);
            return false;
        }
        ffi::lua_rawget(state, 1);
        true
    }
}

/// The name on top is what is meant by the second argument, a text.
///
/// # Safety
/// As above, but it may raise.
pub unsafe fn learn_spelling(stack: &Stack<'_>) {
    let (state, known) = (stack.state, &stack.facts().spellings);
    let is_short = stack.bytes(2).is_some_and(|name| name.len() <= LONGEST_SPELLING);
    if !is_short || known.get() >= MOST_SPELLINGS {
        return;
    }
    known.set(known.get() + 1);
    // SAFETY: as promised by the caller; what is pushed is popped.
    unsafe {
        ffi::lua_rawgeti_(state, ffi::lua_upvalueindex(3), SPELLINGS);
        ffi::lua_pushvalue(state, 2);
        ffi::lua_pushvalue(state, -3);
        ffi::lua_rawset(state, -3);
        ffi::lua_settop(state, -2);
    }
}

/// Pushes the table.
///
/// # Safety
/// The state is alive, and one of the VM whose facts they are.
unsafe fn push_kept(state: *mut ffi::lua_State, facts: &Facts) {
    // SAFETY: as promised by the caller.
    unsafe { ffi::lua_rawgeti_(state, ffi::LUA_REGISTRYINDEX, facts.kept.get()) };
}

/// Pushes, with the table on top, the place that it names, and the name of the field there.
///
/// # Safety
/// As above.
unsafe fn push_place(state: *mut ffi::lua_State, place: Place) {
    // SAFETY: as promised by the caller.
    unsafe {
        ffi::lua_rawgeti_(state, -1, place as c_int);
        ffi::lua_rawgeti_(state, -2, NAME);
    }
}
