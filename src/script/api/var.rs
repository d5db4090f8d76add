//! `ngx.var`: nginx's variables, and those that scripts make.

use std::rc::Rc;

use bytes::Bytes;
use mlua::{Lua, Value};

use super::arguments::{fault, number, string, subject, text};
use super::{EXCHANGE, Function, Native, query, variables};
use crate::script::{Call, spec_of};
use crate::transaction::Transaction;

/// Variables that one exchange may have besides the built-in ones.
const OWN_VARIABLES: usize = 256;
/// Bytes of their values, all together.
const OWN_BYTES: usize = 8 << 20;
/// Bytes of a name.
const LONGEST_NAME: usize = 256;

pub const FUNCTIONS: &[Function] = &[Function {
    name: "ngx.var",
    phases: EXCHANGE,
    syntax: "local address = ngx.var.remote_addr",
    doc: "nginx's variables: `remote_addr`, `binary_remote_addr`, `remote_port`, \
          `realip_remote_addr`, `uri`, `request_uri`, `args`, `is_args`, `host`, `hostname`, \
          `scheme`, `https`, `request`, `request_method`, `request_id`, `request_time`, \
          `request_length`, `request_body`, `request_body_file`, `server_addr`, `server_name`, \
          `server_port`, `server_protocol`, `content_type`, `content_length`, `status`, \
          `body_bytes_sent`, `bytes_sent`, `msec`, `time_iso8601`, `time_local`, `connection`, \
          `connection_requests`, `upstream_addr`, `upstream_status`, `upstream_response_time`, \
          `upstream_header_time`, `pid`, `nginx_version`, `route`, `ssl_protocol`, `ssl_cipher`, \
          `ssl_server_name`, `ssl_session_reused`, `ssl_client_verify`, `ssl_client_s_dn`, \
          `ssl_client_i_dn`, `ssl_client_serial`, and `arg_NAME`, `http_NAME`, \
          `cookie_NAME`, `sent_http_NAME`. An unknown one is nil. `args` and `upstream` can be \
          written: `upstream` names the declared upstream (or, where the route allows it, the \
          `host:port`) that serves this request. Any name that is not built in can be written, \
          without `set` before it, and is then seen by all handlers of the exchange.",
    native: Native::Fields { read, write: Some(write) },
}];

fn read(lua: &Lua, call: &Rc<Call>, key: Value) -> mlua::Result<Value> {
    let Value::String(name) = &key else { return capture(lua, call, &key) };
    let transaction = subject(call)?.transaction.borrow();
    let name = name.as_bytes();
    let Ok(name) = std::str::from_utf8(&name) else { return Ok(Value::Nil) };
    match value(&transaction, name) {
        Some(value) => string(lua, value),
        None => Ok(Value::Nil),
    }
}

/// The value of a variable, as `ngx.var` reads it: names are the same in either case.
pub fn value(transaction: &Transaction, name: &str) -> Option<Bytes> {
    if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return value(transaction, &name.to_ascii_lowercase());
    }
    variables::built_in(transaction, name).or_else(|| transaction.variables.get(name).cloned())
}

fn write(lua: &Lua, call: &Rc<Call>, key: Value, value: Value) -> mlua::Result<()> {
    let Value::String(name) = &key else { return Err(fault("bad variable name")) };
    let name = name.to_string_lossy().to_ascii_lowercase();
    let value = match &value {
        Value::Nil => None,
        other => match text(lua, other)? {
            Some(text) => Some(Bytes::copy_from_slice(&text.as_bytes())),
            None => return Err(fault("bad variable value (string, number or nil expected)")),
        },
    };
    let spec = spec_of(lua);
    let declared = spec.as_ref().and_then(|spec| spec.variables.as_deref());
    if declared.is_some_and(|known| {
        !variables::is_named(&name) && !known.iter().any(|known| known.eq_ignore_ascii_case(&name))
    }) {
        return Err(fault(not_found(&name)));
    }
    let is_guest = spec.is_some_and(|spec| spec.guest);
    assign(&mut subject(call)?.transaction.borrow_mut(), &name, value, is_guest)
}

/// Gives a variable its value, as scripts (a guest's, perhaps) may.
pub fn assign(
    transaction: &mut Transaction,
    name: &str,
    value: Option<Bytes>,
    is_guest: bool,
) -> mlua::Result<()> {
    match name {
        "args" => {
            let query = value.filter(|query| !query.is_empty());
            transaction.request.query = query.map(|query| query::safe_query(&query).into());
        }
        "upstream" if is_guest => {
            return Err(fault("variable \"upstream\" not changeable by a function"));
        }
        "upstream" => {
            let wanted = value.map(|value| String::from_utf8_lossy(&value).into_owned());
            transaction.upstream.wanted = wanted;
        }
        name if variables::is_built_in(name) => {
            return Err(fault(format!("variable \"{name}\" not changeable")));
        }
        name if variables::is_family(name) => return Err(fault(not_found(name))),
        name => {
            let before = transaction.variables.get(name).map_or(0, Bytes::len);
            let held = transaction.variables.bytes() - before;
            let bytes = held + value.as_ref().map_or(0, Bytes::len);
            if bytes > OWN_BYTES || name.len() > LONGEST_NAME {
                let shown: String = name.chars().take(LONGEST_NAME).collect();
                return Err(fault(format!("variable \"{shown}\" not set: too large")));
            }
            let known = transaction.variables.get(name).is_some();
            if !known && transaction.variables.len() >= OWN_VARIABLES {
                return Err(fault(format!("variable \"{name}\" not set: too many variables")));
            }
            transaction.variables.set(name, value);
        }
    }
    Ok(())
}

/// What nginx says where a script writes a variable that no directive made.
pub fn not_found(name: &str) -> String {
    format!(
        "variable \"{name}\" not found for writing; maybe it is a built-in variable that is not \
         changeable or you forgot to use \"set ${name} '';\" in the config file to define it first"
    )
}

/// Gives a variable its value, as settings say.
pub fn set(transaction: &mut Transaction, name: &str, value: Bytes) {
    match name {
        "args" | "query_string" => transaction.request.query = Some(value),
        name => transaction.variables.set(name, Some(value)),
    }
}

/// `ngx.var[1]`: what a group of the last pattern found.
fn capture(lua: &Lua, call: &Rc<Call>, key: &Value) -> mlua::Result<Value> {
    let Some(number) = number(key) else { return Err(fault("bad variable name")) };
    let transaction = subject(call)?.transaction.borrow();
    let place = Some(number as usize).filter(|place| *place > 0);
    match place.and_then(|place| transaction.captures.get(place)).and_then(Option::as_ref) {
        Some(found) => string(lua, found),
        None => Ok(Value::Nil),
    }
}
