//! Query strings: `ngx.req.get_uri_args`, `ngx.encode_args`, `ngx.decode_args`, …

use std::rc::Rc;

use bytes::Bytes;
use mlua::{Lua, MultiValue, Table, Value};

use super::answer::STAGED_BYTES;
use super::arguments::{
    at, bad_argument, check_table, check_text, fault, one, refusal, string, subject, text,
    type_name,
};
use super::encoding::{escape, is_component, unescape};
use super::request_headers::{add, limit};
use super::{EVERYWHERE, EXCHANGE, Function, Native, log};
use crate::script::{Call, current};
use crate::transaction::{Body, PhaseSet};

/// Pairs that a table may give.
const PAIRS: usize = 1 << 17;
/// Arguments that are taken unless a script asks for another number.
const TAKEN: usize = 100;

pub const FUNCTIONS: &[Function] = &[
    Function {
        name: "ngx.req.get_uri_args",
        phases: EXCHANGE,
        syntax: "local args, err = ngx.req.get_uri_args(max?, table?)",
        doc: "The query's arguments in a table, decoded: true for one without `=`, an array for a \
              name that came more than once. At most 100 (0: 1000); if there are more, `err` is \
              `truncated`.",
        native: Native::Now(uri_args),
    },
    Function {
        name: "ngx.req.get_post_args",
        phases: PhaseSet::of("rachbl"),
        syntax: "local args, err = ngx.req.get_post_args(max?)",
        doc: "The arguments of a form body (`application/x-www-form-urlencoded`), as \
              `ngx.req.get_uri_args`. The body must have been read (`ngx.req.read_body`).",
        native: Native::Now(post_args),
    },
    Function {
        name: "ngx.req.set_uri_args",
        phases: PhaseSet::of("srachbB"),
        syntax: "ngx.req.set_uri_args(args)",
        doc: "Sets the query that is sent on: a string as it is (spaces and control characters \
              encoded), or a table as for `ngx.encode_args`.",
        native: Native::Now(set_uri_args),
    },
    Function {
        name: "ngx.encode_args",
        phases: EVERYWHERE,
        syntax: "local query = ngx.encode_args(table)",
        doc: "A table as a query string. Arrays give a name several times, true a name without \
              `=`, false nothing.",
        native: Native::Now(|lua, _, args| {
            string(lua, encode(lua, check_table(&args, 1, "encode_args")?)?).map(one)
        }),
    },
    Function {
        name: "ngx.decode_args",
        phases: EVERYWHERE,
        syntax: "local args, err = ngx.decode_args(query, max?)",
        doc: "A query string as a table, as `ngx.req.get_uri_args`.",
        native: Native::Now(|lua, _, args| {
            let query = check_text(lua, &args, 1, "decode_args")?;
            let query = query.as_bytes().to_vec();
            decode(lua, &query, limit(at(&args, 2), TAKEN), lua.create_table()?)
        }),
    },
];

/// The first value of an argument, still encoded, as nginx's `$arg_NAME` finds it.
pub fn first<'a>(query: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    query.split(|byte| *byte == b'&').find_map(|pair| {
        let (key, value) = split_pair(pair);
        key.eq_ignore_ascii_case(name).then_some(value?)
    })
}

/// Name and value of a pair; no value where there is no `=`.
pub fn split_pair(pair: &[u8]) -> (&[u8], Option<&[u8]>) {
    match memchr::memchr(b'=', pair).and_then(|mark| pair.split_at_checked(mark)) {
        Some((key, value)) => (key, value.get(1..)),
        None => (pair, None),
    }
}

fn decode(lua: &Lua, query: &[u8], most: usize, table: Table) -> mlua::Result<MultiValue> {
    // A pair without a name is counted, and left out.
    for (taken, pair) in query.split(|byte| *byte == b'&').enumerate() {
        if taken == most {
            if let Some(call) = current() {
                log::trace(&call, || format!("lua hit query args limit {most}"));
            }
            let truncated = string(lua, "truncated")?;
            return Ok(MultiValue::from_vec(vec![Value::Table(table), truncated]));
        }
        let (key, value) = split_pair(pair);
        if key.is_empty() {
            continue;
        }
        let value = match value {
            None => Value::Boolean(true),
            Some(value) => string(lua, unescape(value))?,
        };
        add(&table, string(lua, unescape(key))?, value)?;
    }
    Ok(one(Value::Table(table)))
}

fn uri_args(lua: &Lua, call: &Rc<Call>, args: MultiValue) -> mlua::Result<MultiValue> {
    let query = subject(call)?.transaction.borrow().request.query.clone().unwrap_or_default();
    let table = match at(&args, 2) {
        Value::Table(table) => {
            table.clear()?;
            table.clone()
        }
        _ => lua.create_table()?,
    };
    decode(lua, &query, limit(at(&args, 1), TAKEN), table)
}

fn post_args(lua: &Lua, call: &Rc<Call>, args: MultiValue) -> mlua::Result<MultiValue> {
    let body = match &subject(call)?.transaction.borrow().body {
        Body::Memory(bytes) => bytes.clone(),
        Body::Empty => Bytes::new(),
        Body::Spooled { .. } => return refusal(lua, "request body in temp file not supported"),
        Body::Unread => {
            return Err(fault(
                "no request body found; maybe you should turn on lua_need_request_body?",
            ));
        }
    };
    decode(lua, &body, limit(at(&args, 1), TAKEN), lua.create_table()?)
}

fn set_uri_args(lua: &Lua, call: &Rc<Call>, args: MultiValue) -> mlua::Result<MultiValue> {
    let query = match at(&args, 1) {
        Value::Table(table) => encode(lua, table)?,
        other => {
            let text = text(lua, other)?.ok_or_else(|| {
                let got = type_name(other);
                let why = format!("string, number, or table expected, but got {got}");
                bad_argument(1, "set_uri_args", &why)
            })?;
            safe_query(&text.as_bytes())
        }
    };
    let query = (!query.is_empty()).then(|| Bytes::from(query));
    subject(call)?.transaction.borrow_mut().request.query = query;
    Ok(MultiValue::new())
}

/// A query that a script wrote, with what would end the request line percent-encoded.
pub fn safe_query(query: &[u8]) -> Vec<u8> {
    escape(query, |byte| byte > b' ' && byte != b'#' && byte != 0x7f)
}

/// A query that a script wrote for the node itself: as it is, but for what no line may hold. What an
/// upstream gets of it is encoded when it leaves.
pub fn plain_query(query: &[u8]) -> Vec<u8> {
    escape(query, |byte| byte >= b' ' && byte != 0x7f)
}

/// A table as a query.
pub fn encode(lua: &Lua, table: &Table) -> mlua::Result<Vec<u8>> {
    let (mut query, mut left) = (Vec::new(), PAIRS);
    table.for_each::<Value, Value>(|key, value| {
        let Value::String(key) = key else {
            return Err(fault("attempt to use a non-string key in the \"args\" option table"));
        };
        let key = escape(&key.as_bytes(), is_component);
        match value {
            Value::Table(values) => values.for_each_value::<Value>(|value| {
                encode_pair(lua, &key, &value, &mut query, &mut left)
            }),
            value => encode_pair(lua, &key, &value, &mut query, &mut left),
        }
    })?;
    Ok(query)
}

fn encode_pair(
    lua: &Lua,
    key: &[u8],
    value: &Value,
    query: &mut Vec<u8>,
    left: &mut usize,
) -> mlua::Result<()> {
    // One table may stand under every key: the pairs are far more than what the script holds.
    *left = left.checked_sub(1).ok_or_else(|| fault("too many args"))?;
    if query.len() > STAGED_BYTES {
        return Err(fault("no memory"));
    }
    if value == &Value::Boolean(false) {
        return Ok(());
    }
    if !query.is_empty() {
        query.push(b'&');
    }
    query.extend_from_slice(key);
    if value == &Value::Boolean(true) {
        return Ok(());
    }
    let Some(text) = text(lua, value)? else {
        let got = type_name(value);
        return Err(fault(format!("attempt to use {got} as query arg value")));
    };
    query.push(b'=');
    query.extend(escape(&text.as_bytes(), is_component));
    Ok(())
}
