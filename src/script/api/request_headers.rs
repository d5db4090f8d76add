//! The request's header fields: `ngx.req.get_headers`, `set_header`, `clear_header`.

use std::rc::Rc;

use mlua::{Lua, MultiValue, Table, Value};

use super::arguments::{at, fault, loose_text, number, one, string, subject};
use super::{EXCHANGE, Function, Native, log, quick};
use crate::script::Call;
use crate::transaction::{Header, Headers, PhaseSet};

/// Fields that are shown unless a script asks for another number.
const SHOWN: usize = 100;
/// Fields that are shown at the most, and values of one `set_header`.
const SHOWN_AT_MOST: usize = 1000;
/// Bytes of names and values that a message may have for a script to add to them.
const BYTES: usize = 256 << 10;
/// Fields that a message may have for a script to add to them.
const FIELDS: usize = 1000;
/// The registry's name for the metatable that finds fields in any spelling.
const ANY_CASE: &str = "moongate.any_case";

pub const FUNCTIONS: &[Function] = &[
    Function {
        name: "ngx.req.get_headers",
        phases: EXCHANGE,
        syntax: "local headers, err = ngx.req.get_headers(max?, raw?)",
        doc: "The request's header fields in a table: lower-case names (as sent, if `raw`), an \
              array where a name came more than once. Look-ups work in any case, `_` for `-`. At \
              most 100 fields (0: 1000); if there are more, `err` is `truncated`.",
        native: Native::Now(|lua, call, args| {
            let headers = &subject(call)?.transaction.borrow().request.headers;
            table_of(lua, call, "request", headers.iter(), &args)
        }),
    },
    Function {
        name: "ngx.req.set_header",
        phases: PhaseSet::of("srachbB"),
        syntax: "ngx.req.set_header(name, value)",
        doc: "Sets a field of the request; a table sets several of that name, nil removes. Bytes \
              that would end a field are percent-encoded.",
        native: Native::Now(set_header),
    },
    Function {
        name: "ngx.req.clear_header",
        phases: PhaseSet::of("srachbB"),
        syntax: "ngx.req.clear_header(name)",
        doc: "Removes all fields of that name.",
        native: Native::Now(|lua, call, args| {
            change(lua, call, at(&args, 1), &Value::Nil)?;
            Ok(MultiValue::new())
        }),
    },
];

/// The value of a field: nil, a string, or an array if it came more than once.
pub fn field(lua: &Lua, headers: &Headers, name: &str) -> mlua::Result<Value> {
    let mut values = headers.get_all(name);
    let (first, second) = (values.next(), values.next());
    match (first, second) {
        (None, _) => Ok(Value::Nil),
        (Some(value), None) => string(lua, value),
        _ => {
            let all = lua.create_table()?;
            for value in headers.get_all(name) {
                all.raw_push(lua.create_string(value)?)?;
            }
            Ok(Value::Table(all))
        }
    }
}

/// The fields in a table, as `get_headers(max?, raw?)` answers.
pub fn table_of<'a>(
    lua: &Lua,
    call: &Call,
    whose: &str,
    mut headers: impl Iterator<Item = &'a Header>,
    args: &MultiValue,
) -> mlua::Result<MultiValue> {
    let (most, raw) = (limit(at(args, 1), SHOWN), at(args, 2) == &Value::Boolean(true));
    let table = lua.create_table()?;
    let mut shown = 0;
    for header in headers.by_ref().take(most) {
        shown += 1;
        let lower = header.name.to_ascii_lowercase();
        let name = lua.create_string(if raw { &header.name[..] } else { &lower })?;
        add(&table, Value::String(name), string(lua, &header.value)?)?;
    }
    if !raw {
        table.set_metatable(Some(any_case(lua)?))?;
    }
    let mut results = one(Value::Table(table));
    let left = headers.count();
    if left > 0 {
        let count = shown + left;
        log::trace(call, || format!("lua exceeding {whose} header limit {count} > {most}"));
        results.push_back(string(lua, "truncated")?);
    }
    Ok(results)
}

/// How many entries a script asked for: `otherwise` if it did not say, all that we show if 0.
pub fn limit(value: &Value, otherwise: usize) -> usize {
    match number(value) {
        None => otherwise,
        Some(most) if most > 0.0 => (most as usize).min(SHOWN_AT_MOST),
        Some(_) => SHOWN_AT_MOST,
    }
}

/// Adds a value under a name: alone, or in an array with those that came before.
pub fn add(table: &Table, name: Value, value: Value) -> mlua::Result<()> {
    match table.raw_get(name.clone())? {
        Value::Nil => table.raw_set(name, value),
        Value::Table(array) => array.raw_push(value),
        first => {
            let array = table.weak_lua().upgrade().create_sequence_from([first, value])?;
            table.raw_set(name, array)
        }
    }
}

/// The values that a script gave for a field: none for nil, several for a table.
pub fn values_of(lua: &Lua, value: &Value) -> mlua::Result<Vec<Vec<u8>>> {
    let mut bytes = 0;
    let mut written = |value: &Value| {
        let text = loose_text(lua, value)?;
        let text = text.as_bytes();
        bytes += text.len();
        if bytes > BYTES {
            return Err(too_large());
        }
        Ok(safe_value(&text))
    };
    match value {
        Value::Nil => Ok(Vec::new()),
        Value::Table(table) => {
            let length = table.raw_len().min(SHOWN_AT_MOST);
            (1..=length).map(|index| written(&table.raw_get(index)?)).collect()
        }
        other => Ok(vec![written(other)?]),
    }
}

/// Puts `values` in the place of all fields of that name.
///
/// # Errors
/// If the message has too many or too large ones then.
pub fn replace(headers: &mut Headers, name: &str, values: Vec<Vec<u8>>) -> mlua::Result<()> {
    room(headers, values.len(), values.iter().map(|value| name.len() + value.len()).sum())?;
    let mut values = values.into_iter();
    match values.next() {
        None => drop(headers.remove(name)),
        Some(first) => headers.set(name.to_owned(), first),
    }
    for value in values {
        headers.append(name.to_owned(), value);
    }
    Ok(())
}

/// Whether so many fields of so many bytes may be added: what a script stages is held by the host,
/// where one text of the script's may be a thousand.
///
/// # Errors
/// If they may not.
pub fn room(headers: &Headers, fields: usize, bytes: usize) -> mlua::Result<()> {
    if fields == 0 {
        return Ok(());
    }
    let held = headers.iter().map(|header| header.name.len() + header.value.len());
    let fit = headers.len() + fields <= FIELDS && held.sum::<usize>() + bytes <= BYTES;
    if fit { Ok(()) } else { Err(too_large()) }
}

fn too_large() -> mlua::Error {
    fault(format!("header fields are at most {FIELDS} with {BYTES} bytes in all"))
}

/// A field's name with all bytes percent-encoded that no name may have.
pub fn safe_name(name: &[u8]) -> String {
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    String::from_utf8_lossy(&super::encoding::escape(name, token)).into_owned()
}

/// A field's value with control characters percent-encoded: a CR LF would begin another field.
fn safe_value(value: &[u8]) -> Vec<u8> {
    super::encoding::escape(value, |byte| byte == b'\t' || (byte >= 0x20 && byte != 0x7f))
}

fn set_header(lua: &Lua, call: &Rc<Call>, args: MultiValue) -> mlua::Result<MultiValue> {
    change(lua, call, at(&args, 1), at(&args, 2))?;
    Ok(MultiValue::new())
}

fn change(lua: &Lua, call: &Rc<Call>, name: &Value, value: &Value) -> mlua::Result<()> {
    if name.is_nil() {
        return Err(fault("bad 'name' argument: string expected, got nil"));
    }
    let name = safe_name(&loose_text(lua, name)?.as_bytes());
    if name.is_empty() {
        return Err(fault("bad 'name' argument: empty header name"));
    }
    let values = values_of(lua, value)?;
    replace(&mut subject(call)?.transaction.borrow_mut().request.headers, &name, values)
}

/// The metatable of tables whose fields are found in any spelling.
///
/// # Errors
/// If the state's memory is spent.
pub fn any_case(lua: &Lua) -> mlua::Result<Table> {
    if let Some(meta) = lua.named_registry_value::<Option<Table>>(ANY_CASE)? {
        return Ok(meta);
    }
    let index = lua.create_function(|lua, (fields, name): (Table, Value)| {
        let Value::String(name) = name else { return Ok(Value::Nil) };
        let lower = name.as_bytes().to_ascii_lowercase();
        let plain: Vec<u8> =
            lower.iter().map(|byte| if *byte == b'_' { b'-' } else { *byte }).collect();
        fields.raw_get(lua.create_string(plain)?)
    })?;
    let meta = lua.create_table()?;
    meta.raw_set("__index", quick::before(lua, quick::IN_ANY_CASE, None, index)?)?;
    meta.set_readonly(true);
    lua.set_named_registry_value(ANY_CASE, &meta)?;
    Ok(meta)
}
