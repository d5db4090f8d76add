//! `waf.collection`: typed collections, read at the speed of memory.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use mlua::serde::SerializeOptions;
use mlua::{Lua, LuaSerdeExt as _, LuaString, MultiValue, Value};

use super::arguments::{at, check_text, fault, number, one, refusal, string, subject};
use super::{EVERYWHERE, Function, Native, register};
use crate::script::{Call, spec_of};
use crate::shared::ip_set::address;
use crate::shared::tables::{self, Condition, Draft, Entry, Fault, Grant, Kind};
use crate::transaction::PhaseSet;

/// The class of collections.
const CLASS: &str = "collection";
/// Where entries may be changed: not in `init`, which every worker runs.
const CHANGING: PhaseSet = PhaseSet::of("srachblt");

/// A method of a collection.
const fn method(
    name: &'static str,
    phases: PhaseSet,
    syntax: &'static str,
    doc: &'static str,
    native: fn(&Lua, &Rc<Call>, MultiValue) -> mlua::Result<MultiValue>,
) -> Function {
    Function { name, phases, syntax, doc, native: Native::Now(native) }
}

pub const FUNCTIONS: &[Function] = &[
    method(
        "waf.collection",
        EVERYWHERE,
        "local collection, err = waf.collection(name)",
        "A typed collection that the admin API declares (docs/collections.md). Nil and a message if \
         it is not declared or not granted to the script's owner. The object may be kept: it reads \
         what is there at the time of each call, in all workers the same, and asks each time \
         whether it is granted still.",
        collection,
    ),
    method(
        "collection:get",
        EVERYWHERE,
        "local value, err = collection:get(key)",
        "The value of a key: its attributes or row as a table (JSON's null as ngx.null), a counter \
         as a number, `true` for an address without attributes; nil if there is none. An address \
         set is asked for exactly that address or network: see `match`.",
        |lua, _, args| with_key(lua, &args, "get", |table, key| entry(lua, table.get(key))),
    ),
    method(
        "collection:has",
        EVERYWHERE,
        "local there, err = collection:has(key)",
        "Whether a key is there.",
        |lua, _, args| {
            with_key(lua, &args, "has", |table, key| Ok(one(Value::Boolean(table.has(key)))))
        },
    ),
    method(
        "collection:match",
        EVERYWHERE,
        "local value, network = collection:match(address?)",
        "What an address set says of an address (default: the client's): the value of the longest \
         network that it is in (`true` if that has no attributes) and that network; nil if it is in \
         none.",
        matching,
    ),
    method(
        "collection:incr",
        CHANGING,
        "local sum, err = collection:incr(key, by?, ttl?)",
        "Adds a whole number (default 1) to a counter; one that is not there begins at 0, and lives \
         for `ttl` seconds if that is given. It is kept on disk within about a second.",
        incr,
    ),
    method(
        "collection:set",
        CHANGING,
        "local ok, err = collection:set(key, value?, ttl?)",
        "Sets the value of a key: a table of attributes, a row, a whole number; for an address nil \
         will do. It lives for `ttl` seconds if that is given (0: for ever). It is in force at \
         once in all workers, and written to disk behind.",
        set,
    ),
    method(
        "collection:delete",
        CHANGING,
        "local ok, err = collection:delete(key)",
        "Removes a key; nil and a message if it is not there.",
        |lua, _, args| {
            changing(lua, &args, "delete", |table, key, who| {
                table.delete(key, Condition::Always, who).map(|_| Value::Boolean(true))
            })
        },
    ),
];

/// A collection in the hands of a script. It may be removed and declared again meanwhile.
struct Handle(String);

fn collection(lua: &Lua, _: &Rc<Call>, args: MultiValue) -> mlua::Result<MultiValue> {
    let name = check_text(lua, &args, 1, "collection")?.to_string_lossy();
    match granted(lua, &name, Grant::Read) {
        Ok(_) => Ok(one(Value::Table(register::object(lua, CLASS, Handle(name))?))),
        Err(words) => refusal(lua, words),
    }
}

/// The collection of that name as it is now, if the script's owner may do that with it. One that is
/// not granted is not told from one that is not there.
fn granted(lua: &Lua, name: &str, wanted: Grant) -> Result<Arc<tables::Table>, String> {
    let none = || format!("no collection `{name}`");
    let spec = spec_of(lua).ok_or_else(none)?;
    let declared = spec.collections.as_ref().is_none_or(|all| all.iter().any(|one| one == name));
    let table = spec.tables.get(name).filter(|_| declared).ok_or_else(none)?;
    match table.grant(&spec.owner) {
        Some(grant) if grant >= wanted => Ok(table),
        Some(_) => Err(format!("collection `{name}` is granted for reading alone")),
        None => Err(none()),
    }
}

/// The collection that a method is called on.
fn on(
    lua: &Lua,
    args: &MultiValue,
    wanted: Grant,
) -> mlua::Result<Result<Arc<tables::Table>, String>> {
    let bad = || fault("bad \"collection\" argument");
    let Value::Table(table) = at(args, 1) else { return Err(bad()) };
    let object: mlua::AnyUserData = table.raw_get(1).map_err(|_| bad())?;
    let handle = object.borrow::<Handle>().map_err(|_| bad())?;
    Ok(granted(lua, &handle.0, wanted))
}

/// Runs `work` with the collection and the key; with an empty one for what is no UTF-8.
fn with_key(
    lua: &Lua,
    args: &MultiValue,
    function: &str,
    work: impl FnOnce(&tables::Table, &str) -> mlua::Result<MultiValue>,
) -> mlua::Result<MultiValue> {
    let table = match on(lua, args, Grant::Read)? {
        Ok(table) => table,
        Err(words) => return refusal(lua, words),
    };
    let key = check_text(lua, args, 2, function)?;
    // No key is empty.
    work(&table, std::str::from_utf8(&key.as_bytes()).unwrap_or_default())
}

/// Runs `work` with the collection, the key, and who it is.
fn changing(
    lua: &Lua,
    args: &MultiValue,
    function: &str,
    work: impl FnOnce(&tables::Table, &str, &str) -> Result<Value, Fault>,
) -> mlua::Result<MultiValue> {
    let table = match on(lua, args, Grant::Write)? {
        Ok(table) => table,
        Err(words) => return refusal(lua, words),
    };
    let key: LuaString = check_text(lua, args, 2, function)?;
    let bytes = key.as_bytes();
    let Ok(key) = std::str::from_utf8(&bytes) else { return refusal(lua, "a key is UTF-8") };
    let owner = spec_of(lua).map(|spec| spec.owner.clone()).unwrap_or_default();
    match work(&table, key, &format!("script of {owner}")) {
        Ok(value) => Ok(one(value)),
        Err(fault) => refusal(lua, fault.to_string()),
    }
}

/// An entry as scripts see it.
fn entry(lua: &Lua, entry: Option<Entry>) -> mlua::Result<MultiValue> {
    Ok(one(entry.map_or(Ok(Value::Nil), |entry| value(lua, &entry.value))?))
}

fn value(lua: &Lua, value: &tables::Value) -> mlua::Result<Value> {
    match value {
        tables::Value::Nothing => Ok(Value::Boolean(true)),
        tables::Value::Count(count) => Ok(Value::Number(*count as f64)),
        json @ tables::Value::Json(_) => {
            let options = SerializeOptions::new().set_array_metatable(false);
            lua.to_value_with(&tables::json(json), options)
        }
    }
}

fn matching(lua: &Lua, call: &Rc<Call>, args: MultiValue) -> mlua::Result<MultiValue> {
    let table = match on(lua, &args, Grant::Read)? {
        Ok(table) => table,
        Err(words) => return refusal(lua, words),
    };
    if table.declaration().kind != Kind::Addresses {
        return refusal(lua, "only address sets are matched");
    }
    let asked = match at(&args, 2) {
        Value::Nil => Some(subject(call)?.transaction.borrow().client.address),
        _ => address(&check_text(lua, &args, 2, "match")?.as_bytes()),
    };
    let Some((network, found)) = asked.and_then(|address| table.matching(address)) else {
        return Ok(one(Value::Nil));
    };
    Ok(MultiValue::from_vec(vec![value(lua, &found.value)?, string(lua, network)?]))
}

fn incr(lua: &Lua, _: &Rc<Call>, args: MultiValue) -> mlua::Result<MultiValue> {
    let by = whole(at(&args, 3), "by")?.unwrap_or(1);
    let ttl = seconds(at(&args, 4))?.map(Duration::from_millis);
    changing(lua, &args, "incr", |table, key, _| {
        table.incr(key, by, ttl).map(|sum| Value::Number(sum as f64))
    })
}

fn set(lua: &Lua, _: &Rc<Call>, args: MultiValue) -> mlua::Result<MultiValue> {
    let json = match at(&args, 3) {
        Value::Nil => serde_json::Value::Null,
        Value::Integer(_) | Value::Number(_) => {
            whole(at(&args, 3), "value")?.unwrap_or_default().into()
        }
        other => match lua.from_value(other.clone()) {
            Ok(json) => json,
            Err(error) => return refusal(lua, format!("the value: {error}")),
        },
    };
    let ttl = seconds(at(&args, 4))?.map(|millis| millis.div_ceil(1000));
    changing(lua, &args, "set", |table, key, who| {
        let draft = Draft { key: Some(key.to_owned()), value: json, ttl, ..Draft::default() };
        table.put(draft, Condition::Always, who).map(|_| Value::Boolean(true))
    })
}

/// A whole number that Lua can tell from its neighbours.
fn whole(value: &Value, name: &str) -> mlua::Result<Option<i64>> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    match value {
        Value::Nil => Ok(None),
        other => number(other)
            .filter(|number| number.fract() == 0.0 && number.abs() <= EXACT)
            .map(|number| Some(number as i64))
            .ok_or_else(|| fault(format!("bad \"{name}\" argument: a whole number is wanted"))),
    }
}

/// A time in seconds, as milliseconds.
fn seconds(value: &Value) -> mlua::Result<Option<u64>> {
    const LONGEST: f64 = 10.0 * 366.0 * 86_400.0;
    match value {
        Value::Nil => Ok(None),
        other => number(other)
            .filter(|seconds| (0.0..=LONGEST).contains(seconds))
            .map(|seconds| Some((seconds * 1000.0) as u64))
            .ok_or_else(|| fault("bad \"ttl\" argument")),
    }
}
