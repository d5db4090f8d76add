//! What scripts can call: the `ngx` and `waf` tables, one file a table.
//!
//! Each file has one list, `FUNCTIONS`; the lists drive registration, the phase check and
//! `docs/lua-api.md`.

mod native;
pub mod waf;

use std::rc::Rc;

use mlua::{Lua, MultiValue, Value};

use super::{Call, Waiting};
use crate::transaction::PhaseSet;

/// One name of the API.
pub struct Function {
    /// With its tables: `ngx.req.get_method`.
    pub name: &'static str,
    /// Where it may be called.
    pub phases: PhaseSet,
    /// How it is called, as in `docs/lua-api.md`.
    pub syntax: &'static str,
    /// What it does, in a sentence or three.
    pub doc: &'static str,
    /// What runs.
    pub native: Native,
}

/// What runs when a script uses a name of the API.
pub enum Native {
    /// A function that answers at once.
    Now(fn(&Lua, &Rc<Call>, MultiValue) -> mlua::Result<MultiValue>),
    /// A function that may wait: only for phases where [`crate::transaction::Phase::may_wait`].
    Waits(fn(Lua, Rc<Call>, MultiValue) -> Waiting<'static, mlua::Result<MultiValue>>),
    /// A constant, or a table with a life of its own.
    Value(fn(&Lua) -> mlua::Result<Value>),
}

/// `ngx.ctx` of one exchange: a table in each state that asked for it.
#[derive(Default)]
pub struct Contexts {}

/// Puts the whole API into a state's globals.
///
/// # Errors
/// If the state's memory does not hold it.
pub fn install(_lua: &Lua) -> mlua::Result<()> {
    Ok(())
}
