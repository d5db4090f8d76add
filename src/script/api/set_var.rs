//! `ndk.set_var`: the directives of the set-misc module as functions.

use mlua::{Lua, Value};

use crate::script::sandbox;

/// The directives that take one value, by name.
pub const OF_ONE: [&str; 18] = [
    "set_decode_base32",
    "set_decode_base64",
    "set_decode_base64url",
    "set_decode_hex",
    "set_encode_base32",
    "set_encode_base64",
    "set_encode_base64url",
    "set_encode_hex",
    "set_escape_uri",
    "set_formatted_gmt_time",
    "set_formatted_local_time",
    "set_local_today",
    "set_md5",
    "set_quote_json_str",
    "set_quote_pgsql_str",
    "set_quote_sql_str",
    "set_sha1",
    "set_unescape_uri",
];

/// Puts `ndk` into a state's globals.
///
/// # Errors
/// If the state's memory does not hold it.
pub fn install(lua: &Lua) -> mlua::Result<()> {
    let globals = lua.globals();
    let names = lua.create_sequence_from(OF_ONE)?;
    let ngx: Value = globals.raw_get("ngx")?;
    let made = sandbox::run::<Value>(lua, include_str!("set_var.luau"), "ndk", (ngx, names))?;
    globals.raw_set("ndk", made)
}

#[cfg(test)]
mod tests {
    use super::OF_ONE;

    #[test]
    fn every_directive_of_one_value_has_its_function() {
        for name in OF_ONE {
            let made = format!("function functions.{name}(");
            assert!(include_str!("set_var.luau").contains(&made), "{name}");
        }
    }
}
