//! Memory that the host holds for a function's state, outside of the state's own: what is built from a
//! script's lists counts against the same limit, as long as the script holds it.

use std::cell::Cell;
use std::rc::Rc;

use mlua::Lua;

use crate::script::spec_of;

/// What the host holds for one state, in bytes.
#[derive(Clone, Default)]
struct Held(Rc<Cell<usize>>);

/// So many bytes that count; given back when it is dropped.
pub struct Ballast {
    held: Held,
    bytes: usize,
}

impl Ballast {
    /// Whether the state has room for so many bytes as it is, before what it no longer uses is
    /// collected.
    pub fn fits(lua: &Lua, bytes: usize) -> bool {
        let counts = spec_of(lua).is_some_and(|spec| spec.guest);
        !counts || fits(lua, &held(lua), bytes)
    }

    /// Counts so many bytes. What the operator's own scripts build is theirs to judge, and is mostly
    /// shared by all workers: it does not count.
    ///
    /// # Errors
    /// If the state has no room for them.
    pub fn take(lua: &Lua, bytes: usize) -> mlua::Result<Self> {
        let bytes = if spec_of(lua).is_some_and(|spec| spec.guest) { bytes } else { 0 };
        let held = held(lua);
        if !fits(lua, &held, bytes) {
            // What the script let go of may not have been collected.
            lua.gc_collect()?;
            if !fits(lua, &held, bytes) {
                return Err(mlua::Error::MemoryError("not enough memory".to_owned()));
            }
        }
        held.0.set(held.0.get() + bytes);
        Ok(Self { held, bytes })
    }
}

/// Whether the host may make a text of so many bytes for a state, which is to hold it then.
///
/// # Errors
/// If the state has no room for it.
pub fn room(lua: &Lua, bytes: usize) -> mlua::Result<()> {
    if Ballast::fits(lua, bytes) { Ok(()) } else { Ballast::take(lua, bytes).map(drop) }
}

impl Drop for Ballast {
    fn drop(&mut self) {
        self.held.0.set(self.held.0.get().saturating_sub(self.bytes));
    }
}

fn fits(lua: &Lua, held: &Held, bytes: usize) -> bool {
    let limit = spec_of(lua).map_or(usize::MAX, |spec| spec.memory);
    bytes == 0 || lua.used_memory() + held.0.get() + bytes <= limit
}

fn held(lua: &Lua) -> Held {
    if let Some(held) = lua.app_data_ref::<Held>() {
        return held.clone();
    }
    let held = Held::default();
    lua.set_app_data(held.clone());
    held
}
