//! What scripts may `require` without a file: `cjson`, `bit`, `table.new`, …

mod cjson;
mod decode;

use std::fmt::Write;

use mlua::{Function as LuaFunction, Lua};

use super::register::inner;
use super::semaphore;

/// Modules in Luau: their name, their text, what they are.
const IN_LUAU: &[(&str, &str, &str)] = &[
    ("bit", include_str!("bit.luau"), "LuaJIT's bit operations, on signed 32-bit numbers."),
    ("table.clear", "return table.clear", "Empties a table."),
    ("table.clone", "return table.clone", "A shallow copy of a table."),
    ("table.isarray", "return table.isarray", "Whether all keys are positive integers."),
    ("table.isempty", "return table.isempty", "Whether it has no entry."),
    ("table.new", "return table.new", "An empty table with room for entries."),
    ("table.nkeys", "return table.nkeys", "How many entries a table has."),
    ("resty.core", "return {}", "Nothing: what it does is built in."),
];

/// Puts them into `package.preload`.
pub fn install(lua: &Lua) -> mlua::Result<()> {
    let package = inner(lua, &lua.globals(), "package")?;
    let preload = inner(lua, &package, "preload")?;
    for (name, text, _) in IN_LUAU {
        let loader: LuaFunction = lua.load(*text).set_name(format!("={name}")).into_function()?;
        preload.raw_set(*name, loader)?;
    }
    preload.raw_set("ngx.semaphore", lua.create_function(|lua, ()| semaphore::module(lua))?)?;
    preload.raw_set("cjson", lua.create_function(|lua, ()| cjson::module(lua, false))?)?;
    preload.raw_set("cjson.safe", lua.create_function(|lua, ()| cjson::module(lua, true))?)
}

/// Their part of `docs/lua-api.md`.
pub fn describe(page: &mut String) {
    page.push_str("## Modules\n\nWhat `require` finds without a file.\n\n");
    let _ =
        writeln!(page, "- `cjson`: JSON: `encode`, `decode`, `null`, `empty_array`, `array_mt`.");
    let _ = writeln!(page, "- `cjson.safe`: the same; errors are returned as `nil, err`.");
    let _ = writeln!(page, "- `ngx.semaphore`: `new(n?)` makes one that counts from `n` (0).");
    for (name, _, doc) in IN_LUAU {
        let _ = writeln!(page, "- `{name}`: {doc}");
    }
}
