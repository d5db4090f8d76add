//! `ngx.shared`: dictionaries that all workers share.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use mlua::{AnyUserData, Lua, LuaString, MultiValue, Table, Value};

use super::arguments::{at, fault, number, one, refusal, string, text, type_name};
use super::{EVERYWHERE, Function, Native, quick, register, worker};
use crate::script::{Call, spec_of};
use crate::shared::{Dictionary, End, Fault, Outcome, Scalar};
use crate::transaction::Phase;

/// The class of dictionaries.
const CLASS: &str = "ngx.shared.DICT";
/// Keys are at most this long.
const KEY_BYTES: usize = 65_535;
/// Keys that `get_keys` answers unless a script asks for another number.
const KEYS: usize = 1024;

/// A method of a dictionary.
const fn method(
    name: &'static str,
    syntax: &'static str,
    doc: &'static str,
    native: fn(&Lua, &Rc<Call>, MultiValue) -> mlua::Result<MultiValue>,
) -> Function {
    Function { name, phases: EVERYWHERE, syntax, doc, native: Native::Now(native) }
}

pub const FUNCTIONS: &[Function] = &[
    method(
        "ngx.shared.DICT:get",
        "local value, flags = dict:get(key)",
        "The value of a key: a string, number or boolean; nil if there is none. `ngx.shared.NAME` \
         is the dictionary that the settings declare as `lua.shared_dict.NAME`.",
        |lua, _, args| with_key(lua, &args, |dictionary, key| get(lua, dictionary, key)),
    ),
    method(
        "ngx.shared.DICT:get_stale",
        "local value, flags, stale = dict:get_stale(key)",
        "As `get`, also for a key past its time that was not dropped yet.",
        |lua, _, args| with_key(lua, &args, |dictionary, key| get_stale(lua, dictionary, key)),
    ),
    method(
        "ngx.shared.DICT:set",
        "local ok, err, forcible = dict:set(key, value, ttl?, flags?)",
        "Sets a key, for `ttl` seconds (0: for ever). `forcible` tells that others had to make \
         room. In `init`, which every worker runs, only the first worker's writes count: those of \
         the others answer success without effect.",
        |lua, call, args| write(lua, call, &args, Dictionary::set),
    ),
    method(
        "ngx.shared.DICT:safe_set",
        "local ok, err = dict:safe_set(key, value, ttl?, flags?)",
        "As `set`, but `false, \"no memory\"` where others would have to make room.",
        |lua, call, args| write(lua, call, &args, Dictionary::safe_set),
    ),
    method(
        "ngx.shared.DICT:add",
        "local ok, err, forcible = dict:add(key, value, ttl?, flags?)",
        "As `set`, but `false, \"exists\"` for a key that is there.",
        |lua, call, args| write_something(lua, call, &args, Dictionary::add),
    ),
    method(
        "ngx.shared.DICT:safe_add",
        "local ok, err = dict:safe_add(key, value, ttl?, flags?)",
        "As `add`, but `false, \"no memory\"` where others would have to make room.",
        |lua, call, args| write_something(lua, call, &args, Dictionary::safe_add),
    ),
    method(
        "ngx.shared.DICT:replace",
        "local ok, err, forcible = dict:replace(key, value, ttl?, flags?)",
        "As `set`, but `false, \"not found\"` for a key that is not there.",
        |lua, call, args| write_something(lua, call, &args, Dictionary::replace),
    ),
    method(
        "ngx.shared.DICT:incr",
        "local sum, err, forcible = dict:incr(key, by, init?, init_ttl?)",
        "Adds to a number. A key that is not there begins with `init`, for `init_ttl` seconds; \
         without it: `nil, \"not found\"`.",
        incr,
    ),
    method("ngx.shared.DICT:delete", "dict:delete(key)", "Removes a key.", |lua, call, args| {
        with_key(lua, &args, |dictionary, key| {
            if counts(lua, call) {
                dictionary.delete(key);
            }
            Ok(one(Value::Boolean(true)))
        })
    }),
    method(
        "ngx.shared.DICT:expire",
        "local ok, err = dict:expire(key, ttl)",
        "Sets for how many seconds from now a key is valid (0: for ever).",
        |lua, call, args| {
            with_key(lua, &args, |dictionary, key| {
                let ttl = duration(at(&args, 3), "exptime")?;
                if !counts(lua, call) {
                    return Ok(one(Value::Boolean(true)));
                }
                answer(lua, dictionary.expire(key, ttl).map(|()| Value::Boolean(true)))
            })
        },
    ),
    method(
        "ngx.shared.DICT:ttl",
        "local seconds, err = dict:ttl(key)",
        "For how long a key is still valid; 0: for ever.",
        |lua, _, args| {
            with_key(lua, &args, |dictionary, key| {
                let left = dictionary.ttl(key);
                answer(lua, left.map(|left| Value::Number(left.as_millis() as f64 / 1000.0)))
            })
        },
    ),
    method(
        "ngx.shared.DICT:flush_all",
        "dict:flush_all()",
        "Marks all keys as past their time.",
        |lua, call, args| {
            if counts(lua, call) {
                dictionary(&args)?.flush_all();
            }
            Ok(MultiValue::new())
        },
    ),
    method(
        "ngx.shared.DICT:flush_expired",
        "local count = dict:flush_expired(max?)",
        "Drops keys that are past their time (at most `max`; 0: all); how many they were.",
        |_, _, args| {
            let dropped = dictionary(&args)?.flush_expired(most(at(&args, 2), 0));
            Ok(one(Value::Integer(dropped as i64)))
        },
    ),
    method(
        "ngx.shared.DICT:get_keys",
        "local keys = dict:get_keys(max?)",
        "An array of keys, at most 1024 or `max` (0: all).",
        |lua, _, args| {
            let keys = dictionary(&args)?.keys(most(at(&args, 2), KEYS));
            let table = lua.create_table_with_capacity(keys.len(), 0)?;
            for key in keys {
                table.raw_push(lua.create_string(key)?)?;
            }
            Ok(one(Value::Table(table)))
        },
    ),
    method(
        "ngx.shared.DICT:lpush",
        "local length, err = dict:lpush(key, value)",
        "Adds a string or number at the left end of a list.",
        |lua, call, args| push(lua, call, &args, End::Left),
    ),
    method(
        "ngx.shared.DICT:rpush",
        "local length, err = dict:rpush(key, value)",
        "Adds a string or number at the right end of a list.",
        |lua, call, args| push(lua, call, &args, End::Right),
    ),
    method(
        "ngx.shared.DICT:lpop",
        "local value, err = dict:lpop(key)",
        "Takes a value off the left end of a list.",
        |lua, call, args| pop(lua, call, &args, End::Left),
    ),
    method(
        "ngx.shared.DICT:rpop",
        "local value, err = dict:rpop(key)",
        "Takes a value off the right end of a list.",
        |lua, call, args| pop(lua, call, &args, End::Right),
    ),
    method(
        "ngx.shared.DICT:llen",
        "local length, err = dict:llen(key)",
        "How long a list is; 0 if it is not there.",
        |lua, _, args| {
            with_key(lua, &args, |dictionary, key| {
                answer(lua, dictionary.length(key).map(|length| Value::Integer(length as i64)))
            })
        },
    ),
    method(
        "ngx.shared.DICT:capacity",
        "local bytes = dict:capacity()",
        "Its size in bytes.",
        |_, _, args| Ok(one(Value::Integer(dictionary(&args)?.capacity() as i64))),
    ),
    method(
        "ngx.shared.DICT:free_space",
        "local bytes = dict:free_space()",
        "Bytes that are not used.",
        |_, _, args| Ok(one(Value::Integer(dictionary(&args)?.free_space() as i64))),
    ),
];

/// Puts the domain's dictionaries into `ngx.shared`.
pub fn install(lua: &Lua) -> mlua::Result<()> {
    let ngx: Table = lua.globals().raw_get("ngx")?;
    let shared = lua.create_table()?;
    if let Some(spec) = spec_of(lua) {
        for (name, dictionary) in spec.dictionaries.iter() {
            let object = register::object(lua, CLASS, dictionary.clone())?;
            quick::own(lua, &object, Rc::new(dictionary.clone()))?;
            shared.raw_set(name, object)?;
        }
    }
    shared.set_readonly(true);
    ngx.raw_set("shared", shared)
}

/// Whether writes have an effect: `init` runs once for each worker, but means what it writes once.
fn counts(lua: &Lua, call: &Call) -> bool {
    call.phase != Phase::Init || worker::index(lua) == 0
}

fn dictionary(args: &MultiValue) -> mlua::Result<Arc<Dictionary>> {
    let bad = || fault("bad \"zone\" argument");
    let Value::Table(table) = at(args, 1) else { return Err(bad()) };
    let object: AnyUserData = table.raw_get(1).map_err(|_| bad())?;
    object.borrow::<Arc<Dictionary>>().map(|inner| inner.clone()).map_err(|_| bad())
}

/// Runs `work` with the dictionary and the key, if the key can be one.
fn with_key(
    lua: &Lua,
    args: &MultiValue,
    work: impl FnOnce(&Dictionary, &[u8]) -> mlua::Result<MultiValue>,
) -> mlua::Result<MultiValue> {
    let dictionary = dictionary(args)?;
    match key(lua, at(args, 2))? {
        Ok(key) => work(&dictionary, &key.as_bytes()),
        Err(words) => refusal(lua, words),
    }
}

fn key(lua: &Lua, value: &Value) -> mlua::Result<Result<LuaString, &'static str>> {
    let key = match value {
        Value::Nil => return Ok(Err("nil key")),
        other => match text(lua, other)? {
            Some(key) => key,
            None => lua.create_string(other.to_string()?)?,
        },
    };
    let length = key.as_bytes().len();
    Ok(match length {
        0 => Err("empty key"),
        length if length > KEY_BYTES => Err("key too long"),
        _ => Ok(key),
    })
}

fn scalar(value: &Value) -> Option<Scalar> {
    Some(match value {
        Value::Boolean(value) => Scalar::Boolean(*value),
        Value::Integer(value) => Scalar::Number(*value as f64),
        Value::Number(value) => Scalar::Number(*value),
        Value::String(text) => Scalar::Text(Bytes::copy_from_slice(&text.as_bytes())),
        _ => return None,
    })
}

fn value(lua: &Lua, scalar: &Scalar) -> mlua::Result<Value> {
    match scalar {
        Scalar::Boolean(value) => Ok(Value::Boolean(*value)),
        Scalar::Number(value) => Ok(Value::Number(*value)),
        Scalar::Text(text) => string(lua, text),
    }
}

/// A time to live in seconds; none for nil and 0, which mean for ever.
fn duration(value: &Value, name: &str) -> mlua::Result<Option<Duration>> {
    let bad = || fault(format!("bad \"{name}\" argument"));
    match value {
        Value::Nil => Ok(None),
        other => match number(other).ok_or_else(bad)? {
            0.0 => Ok(None),
            // nginx counts milliseconds; a shorter time is not for ever.
            seconds => Duration::try_from_secs_f64(seconds)
                .map(|time| Some(time.max(Duration::from_millis(1))))
                .map_err(|_| bad()),
        },
    }
}

fn most(value: &Value, otherwise: usize) -> usize {
    number(value).map_or(otherwise, |most| most.max(0.0) as usize)
}

fn answer(lua: &Lua, outcome: Result<Value, Fault>) -> mlua::Result<MultiValue> {
    match outcome {
        Ok(value) => Ok(one(value)),
        Err(fault) => refusal(lua, fault.to_string()),
    }
}

fn get(lua: &Lua, dictionary: &Dictionary, key: &[u8]) -> mlua::Result<MultiValue> {
    match dictionary.get(key) {
        Ok(None) => Ok(one(Value::Nil)),
        Ok(Some(entry)) => {
            let mut results = one(value(lua, &entry.value)?);
            if entry.flags != 0 {
                results.push_back(Value::Integer(entry.flags.into()));
            }
            Ok(results)
        }
        Err(fault) => refusal(lua, fault.to_string()),
    }
}

fn get_stale(lua: &Lua, dictionary: &Dictionary, key: &[u8]) -> mlua::Result<MultiValue> {
    match dictionary.get_stale(key) {
        Ok(None) => Ok(one(Value::Nil)),
        Ok(Some(entry)) => {
            let flags = match entry.flags {
                0 => Value::Nil,
                flags => Value::Integer(flags.into()),
            };
            let stale = Value::Boolean(entry.stale);
            Ok(MultiValue::from_vec(vec![value(lua, &entry.value)?, flags, stale]))
        }
        Err(fault) => refusal(lua, fault.to_string()),
    }
}

/// One of the ways to set a key.
type Set = fn(&Dictionary, &[u8], Scalar, Option<Duration>, u32) -> Outcome;

/// As [`write`], for the ways that do not take nil for a deletion.
fn write_something(
    lua: &Lua,
    call: &Call,
    args: &MultiValue,
    set: Set,
) -> mlua::Result<MultiValue> {
    if at(args, 3).is_nil() {
        return refusal(lua, "attempt to add or replace nil values");
    }
    write(lua, call, args, set)
}

fn write(lua: &Lua, call: &Call, args: &MultiValue, set: Set) -> mlua::Result<MultiValue> {
    with_key(lua, args, |dictionary, key| {
        let ttl = duration(at(args, 4), "exptime")?;
        let flags = number(at(args, 5)).unwrap_or_default() as u32;
        let done = || vec![Value::Boolean(true), Value::Nil, Value::Boolean(false)];
        if at(args, 3).is_nil() {
            if counts(lua, call) {
                dictionary.delete(key);
            }
            return Ok(MultiValue::from_vec(done()));
        }
        let Some(value) = scalar(at(args, 3)) else { return refusal(lua, "bad value type") };
        if !counts(lua, call) {
            return Ok(MultiValue::from_vec(done()));
        }
        let (ok, words, forcible) = match set(dictionary, key, value, ttl, flags) {
            Ok(written) => (Value::Boolean(true), Value::Nil, written.forcible),
            Err(fault @ Fault::NoMemory { forcible }) => {
                (Value::Boolean(false), string(lua, fault.to_string())?, forcible)
            }
            Err(fault) => (Value::Boolean(false), string(lua, fault.to_string())?, false),
        };
        Ok(MultiValue::from_vec(vec![ok, words, Value::Boolean(forcible)]))
    })
}

fn incr(lua: &Lua, call: &Rc<Call>, args: MultiValue) -> mlua::Result<MultiValue> {
    with_key(lua, &args, |dictionary, key| {
        let by = number(at(&args, 3)).ok_or_else(|| fault("bad \"value\" argument"))?;
        let init = match at(&args, 4) {
            Value::Nil => None,
            other => Some(number(other).ok_or_else(|| {
                let got = type_name(other);
                fault(format!("bad init arg: number expected, got {got}"))
            })?),
        };
        let init_ttl = duration(at(&args, 5), "init_ttl")?;
        if init_ttl.is_some() && init.is_none() {
            return Err(fault("must provide \"init\" when providing \"init_ttl\""));
        }
        if !counts(lua, call) {
            return Ok(one(Value::Number(init.unwrap_or_default() + by)));
        }
        match dictionary.incr(key, by, init, init_ttl) {
            Ok(written) if init.is_none() => Ok(one(Value::Number(written.result))),
            Ok(written) => Ok(MultiValue::from_vec(vec![
                Value::Number(written.result),
                Value::Nil,
                Value::Boolean(written.forcible),
            ])),
            Err(fault) => refusal(lua, fault.to_string()),
        }
    })
}

fn push(lua: &Lua, call: &Call, args: &MultiValue, end: End) -> mlua::Result<MultiValue> {
    with_key(lua, args, |dictionary, key| {
        let Some(value @ (Scalar::Number(_) | Scalar::Text(_))) = scalar(at(args, 3)) else {
            return refusal(lua, "bad value type");
        };
        if !counts(lua, call) {
            return Ok(one(Value::Integer(1)));
        }
        let length = dictionary.push(key, end, value);
        answer(lua, length.map(|length| Value::Integer(length as i64)))
    })
}

fn pop(lua: &Lua, call: &Call, args: &MultiValue, end: End) -> mlua::Result<MultiValue> {
    with_key(lua, args, |dictionary, key| {
        if !counts(lua, call) {
            return Ok(one(Value::Nil));
        }
        match dictionary.pop(key, end) {
            Ok(Some(taken)) => value(lua, &taken).map(one),
            Ok(None) => Ok(one(Value::Nil)),
            Err(fault) => refusal(lua, fault.to_string()),
        }
    })
}
