//! The directives of the set-misc module: steps that set a variable by `ndk.set_var`.

use serde_json::{Value, json};

use super::directives::{CARRIED, row};
use super::known::Known;
use super::tree::Directive;

/// The directives.
pub(super) const SET_MISC: &[Known] = &[
    row("set_decode_base32", "SLIJ", 1, 2, CARRIED),
    row("set_decode_base64", "SLIJ", 1, 2, CARRIED),
    row("set_decode_base64url", "SLIJ", 1, 2, CARRIED),
    row("set_decode_hex", "SLIJ", 1, 2, CARRIED),
    row("set_encode_base32", "SLIJ", 1, 2, CARRIED),
    row("set_encode_base64", "SLIJ", 1, 2, CARRIED),
    row("set_encode_base64url", "SLIJ", 1, 2, CARRIED),
    row("set_encode_hex", "SLIJ", 1, 2, CARRIED),
    row("set_escape_uri", "SLIJ", 1, 2, CARRIED),
    row("set_formatted_gmt_time", "SLIJ", 2, 2, CARRIED),
    row("set_formatted_local_time", "SLIJ", 2, 2, CARRIED),
    row("set_if_empty", "SLIJ", 2, 2, CARRIED),
    row("set_local_today", "SLIJ", 1, 1, CARRIED),
    row("set_md5", "SLIJ", 1, 2, CARRIED),
    row("set_quote_json_str", "SLIJ", 1, 2, CARRIED),
    row("set_quote_pgsql_str", "SLIJ", 1, 2, CARRIED),
    row("set_quote_sql_str", "SLIJ", 1, 2, CARRIED),
    row("set_sha1", "SLIJ", 1, 2, CARRIED),
    row("set_unescape_uri", "SLIJ", 1, 2, CARRIED),
];

/// Whether a directive is one of them.
pub(super) fn is_one(name: &str) -> bool {
    name.starts_with("set_") && SET_MISC.iter().any(|known| known.name == name)
}

/// The step of one that sets this variable. Without a value it is the variable's own that changes.
pub(super) fn step(directive: &Directive, variable: &str, name: String) -> Value {
    let code = match directive.name.as_str() {
        "set_if_empty" => "return ngx.arg[1] ~= '' and ngx.arg[1] or ngx.arg[2]".to_owned(),
        other => format!("return ndk.set_var.{other}(ngx.arg[1])"),
    };
    let own = format!("${variable}");
    let arguments = match (directive.name.as_str(), directive.args.get(1)) {
        ("set_if_empty", value) => vec![own.as_str(), value.map_or("", String::as_str)],
        (_, Some(value)) => vec![value.as_str()],
        (_, None) => vec![own.as_str()],
    };
    json!({ "script": { "variable": variable, "name": name, "code": code, "arguments": arguments } })
}
