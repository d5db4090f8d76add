//! `io`, and what `os` has in Lua besides clocks: for scripts that are not confined.
//!
//! They wait for the disk and for programs as Lua's own do: nobody else is served meanwhile.

mod file;
mod library;
mod programs;

use mlua::{Lua, Table};

/// Puts `io` into a state's globals, and completes `os`.
///
/// # Errors
/// If the state's memory does not hold it.
pub fn install(lua: &Lua) -> mlua::Result<()> {
    let globals = lua.globals();
    let library = library::table(lua)?;
    let package: Table = globals.raw_get("package")?;
    package.raw_get::<Table>("loaded")?.raw_set("io", &library)?;
    globals.raw_set("io", library)?;
    programs::complete(lua, &globals.raw_get("os")?)
}
