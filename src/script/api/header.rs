//! `ngx.header` and `ngx.resp`: the response's header fields.

use std::rc::Rc;

use mlua::{Lua, MultiValue, Value};

use super::arguments::{bad_argument, fault, loose_text, subject};
use super::request_headers::{self, table_of, values_of};
use super::{EXCHANGE, Function, Native, log, variables};
use crate::script::Call;
use crate::transaction::{Headers, Phase, PhaseSet, Transaction};

/// Fields that a response has once only: of several values the last one counts.
const SINGLE: &[&str] = &[
    "content-type",
    "content-length",
    "content-encoding",
    "content-range",
    "accept-ranges",
    "date",
    "etag",
    "expires",
    "last-modified",
    "location",
    "refresh",
    "server",
];

pub const FUNCTIONS: &[Function] = &[
    Function {
        name: "ngx.header",
        phases: PhaseSet::of("rachbl"),
        syntax: "ngx.header.content_type = \"text/plain\"",
        doc: "The response's header fields, in any case, `_` for `-`. A table sets several fields, \
              nil removes. Before there is a response it stages fields, which are added to the \
              upstream's answer too. Bytes that would end a field are percent-encoded.",
        native: Native::Fields { read, write: Some(write) },
    },
    Function {
        name: "ngx.resp.get_headers",
        phases: EXCHANGE,
        syntax: "local headers, err = ngx.resp.get_headers(max?, raw?)",
        doc: "All of them in a table, as `ngx.req.get_headers`.",
        native: Native::Now(all),
    },
];

/// The header fields that count now: those of the response, or those staged.
fn headers(transaction: &Transaction) -> &Headers {
    transaction.response.as_ref().map_or(&transaction.reply.headers, |response| &response.headers)
}

fn read(lua: &Lua, call: &Rc<Call>, key: Value) -> mlua::Result<Value> {
    let transaction = subject(call)?.transaction.borrow();
    let name = name_of(lua, &transaction, &key)?;
    request_headers::field(lua, headers(&transaction), &name)
}

fn write(lua: &Lua, call: &Rc<Call>, key: Value, value: Value) -> mlua::Result<()> {
    let mut values = values_of(lua, &value)?;
    let mut transaction = subject(call)?.transaction.borrow_mut();
    let name = name_of(lua, &transaction, &key)?;
    let is = |known: &str| known.eq_ignore_ascii_case(&name);
    if is("content-length") && !values.iter().all(|value| is_length(value)) {
        return Err(fault("failed to set header"));
    }
    let Transaction { reply, response, .. } = &mut *transaction;
    let is_staged = response.is_none();
    let headers = match response {
        None if !reply.is_locked => &mut reply.headers,
        Some(response) if call.phase == Phase::HeaderFilter => &mut response.headers,
        None | Some(_) => {
            drop(transaction);
            let words = "attempt to set ngx.header.HEADER after sending out response headers";
            log::complain(lua, call, words);
            return Ok(());
        }
    };
    if SINGLE.iter().any(|single| is(single)) {
        values.drain(..values.len().saturating_sub(1));
    }
    if is("content-type") && is_staged {
        reply.is_untyped = values.is_empty();
    }
    request_headers::replace(headers, &name, values)
}

/// Digits; or nothing, which takes the field away.
fn is_length(value: &[u8]) -> bool {
    value.iter().all(u8::is_ascii_digit) && value.len() <= 19
}

fn name_of(lua: &Lua, transaction: &Transaction, key: &Value) -> mlua::Result<String> {
    let name = loose_text(lua, key)?;
    let name = request_headers::safe_name(&name.as_bytes());
    if name.is_empty() {
        return Err(bad_argument(1, "header", "empty header name"));
    }
    Ok(if transaction.manner.keeps_underscores { name } else { name.replace('_', "-") })
}

/// The fields, with those that say how the answer is sent, which are not in the list.
fn all(lua: &Lua, call: &Rc<Call>, args: MultiValue) -> mlua::Result<MultiValue> {
    let transaction = subject(call)?.transaction.borrow();
    let headers = headers(&transaction);
    let mut sent = Headers::default();
    if let Some(kind) = headers.get("content-type") {
        sent.append("content-type", kind.clone());
    }
    sent.append("connection", variables::sent_connection(&transaction));
    if transaction.reply.is_chunked {
        sent.append("transfer-encoding", "chunked");
    }
    let others = headers
        .iter()
        .filter(|field| !sent.iter().any(|known| known.name.eq_ignore_ascii_case(&field.name)));
    table_of(lua, call, "response", sent.iter().chain(others), &args)
}
