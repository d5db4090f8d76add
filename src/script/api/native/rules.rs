//! What scripts ask of the rule engine and tell it.

use std::cell::{Ref, RefMut};
use std::rc::Rc;

use mlua::{Lua, LuaString, MultiValue, Table, Value};

use crate::config::Engine;
use crate::detection::injection::{is_sqli, is_xss};
use crate::detection::{Inspection, Named, transformations};
use crate::script::api::arguments::{
    at, bad_argument, check_number, check_text, fault, number, one, refusal, string, subject, text,
};
use crate::script::{Call, spec_of};
use crate::transaction::{Match, Severity};

/// Matches that scripts can add to one exchange.
const MOST_ADDED: usize = 256;
/// Bytes of a message that a script adds.
const LONGEST_MESSAGE: usize = 1024;

pub fn add_match(lua: &Lua, call: &Rc<Call>, args: MultiValue) -> mlua::Result<MultiValue> {
    let id = positive(&args, 1, "add_match")?;
    let message = check_text(lua, &args, 2, "add_match")?;
    let score = number(at(&args, 3)).unwrap_or_default();
    refuse_guests(lua)?;
    let added = match inspection_mut(call)? {
        None => Err(NO_RULES),
        Some(inspection) if added(&inspection) >= MOST_ADDED => Err("too many matches"),
        Some(mut inspection) => {
            let message = message.as_bytes();
            let shown = message.get(..LONGEST_MESSAGE).unwrap_or(&message);
            inspection.add_match(id, shown, score as i64);
            Ok(())
        }
    };
    match added {
        Ok(()) => Ok(one(Value::Boolean(true))),
        Err(why) => refusal(lua, why),
    }
}

pub fn is_sqli_text(lua: &Lua, _: &Rc<Call>, args: MultiValue) -> mlua::Result<MultiValue> {
    let value = check_text(lua, &args, 1, "is_sqli")?;
    match is_sqli(&value.as_bytes()) {
        None => Ok(one(Value::Boolean(false))),
        Some(fingerprint) => {
            let fingerprint = string(lua, fingerprint.as_bytes())?;
            Ok(MultiValue::from_vec(vec![Value::Boolean(true), fingerprint]))
        }
    }
}

pub fn is_xss_text(lua: &Lua, _: &Rc<Call>, args: MultiValue) -> mlua::Result<MultiValue> {
    let value = check_text(lua, &args, 1, "is_xss")?;
    Ok(one(Value::Boolean(is_xss(&value.as_bytes()))))
}

pub fn matches(lua: &Lua, call: &Rc<Call>, _: MultiValue) -> mlua::Result<MultiValue> {
    // Making tables may run the collector: the inspection is not borrowed meanwhile.
    let found = match inspection(call)? {
        Some(inspection) => inspection.matches().to_vec(),
        None => Vec::new(),
    };
    let list = lua.create_table_with_capacity(found.len(), 0)?;
    for found in &found {
        list.raw_push(table(lua, found)?)?;
    }
    Ok(one(Value::Table(list)))
}

pub fn mode(lua: &Lua, call: &Rc<Call>, _: MultiValue) -> mlua::Result<MultiValue> {
    let engine = inspection(call)?.map_or(Engine::Off, |inspection| inspection.engine());
    string(lua, engine.as_str()).map(one)
}

pub fn remove_rule(lua: &Lua, call: &Rc<Call>, args: MultiValue) -> mlua::Result<MultiValue> {
    refuse_guests(lua)?;
    let rules = Rules::of(lua, &args, "remove_rule")?;
    let Some(mut inspection) = inspection_mut(call)? else { return refusal(lua, NO_RULES) };
    Ok(one(count(inspection.remove_rules(rules.named()))))
}

pub fn remove_target(lua: &Lua, call: &Rc<Call>, args: MultiValue) -> mlua::Result<MultiValue> {
    refuse_guests(lua)?;
    let rules = Rules::of(lua, &args, "remove_target")?;
    let target = check_text(lua, &args, 2, "remove_target")?;
    let target = String::from_utf8_lossy(&target.as_bytes()).into_owned();
    let removed = match inspection_mut(call)? {
        None => Err(NO_RULES.to_owned()),
        Some(mut inspection) => inspection.remove_target(rules.named(), &target),
    };
    match removed {
        Ok(rules) => Ok(one(count(rules))),
        Err(why) => refusal(lua, why),
    }
}

pub fn score(_: &Lua, call: &Rc<Call>, _: MultiValue) -> mlua::Result<MultiValue> {
    let scores = inspection(call)?.map(|inspection| inspection.scores()).unwrap_or_default();
    let scores = [scores.inbound, scores.outbound].map(|score| Value::Number(score as f64));
    Ok(MultiValue::from_vec(scores.to_vec()))
}

pub fn transform(lua: &Lua, _: &Rc<Call>, args: MultiValue) -> mlua::Result<MultiValue> {
    let name = check_text(lua, &args, 1, "transform")?;
    let value = check_text(lua, &args, 2, "transform")?;
    let name = name.to_string_lossy();
    let Some(transformation) = transformations::find(&name) else {
        return refusal(lua, format!("there is no transformation `{name}`"));
    };
    let mut output = Vec::new();
    if (transformation.apply)(&value.as_bytes(), &mut output) {
        return string(lua, output).map(one);
    }
    Ok(one(Value::String(value)))
}

pub fn tx(lua: &Lua, call: &Rc<Call>, args: MultiValue) -> mlua::Result<MultiValue> {
    let name = check_text(lua, &args, 1, "tx")?;
    let name = name.as_bytes();
    if args.len() > 1 {
        refuse_guests(lua)?;
        let value = text(lua, at(&args, 2))?;
        if value.is_none() && !at(&args, 2).is_nil() {
            return Err(bad_argument(2, "tx", "string, number or nil expected"));
        }
        let value = value.as_ref().map(LuaString::as_bytes);
        let Some(mut inspection) = inspection_mut(call)? else { return refusal(lua, NO_RULES) };
        inspection.set_tx(&name, value.as_deref());
        return Ok(MultiValue::new());
    }
    let value = inspection_mut(call)?.and_then(|mut inspection| inspection.tx(&name));
    Ok(one(match value {
        Some(value) => string(lua, value)?,
        None => Value::Nil,
    }))
}

/// A function is judged by the rules; it does not change them.
fn refuse_guests(lua: &Lua) -> mlua::Result<()> {
    if spec_of(lua).is_some_and(|spec| spec.guest) {
        return Err(fault("functions do not change what the rules do"));
    }
    Ok(())
}

const NO_RULES: &str = "no rules";

/// The inspection of this exchange, borrowed for a moment; none where it has no rules.
fn inspection(call: &Rc<Call>) -> mlua::Result<Option<Ref<'_, Inspection>>> {
    let inspection = subject(call)?.inspection.borrow();
    Ok(Ref::filter_map(inspection, Option::as_deref).ok())
}

fn inspection_mut(call: &Rc<Call>) -> mlua::Result<Option<RefMut<'_, Inspection>>> {
    let inspection = subject(call)?.inspection.borrow_mut();
    Ok(RefMut::filter_map(inspection, Option::as_deref_mut).ok())
}

/// How many matches scripts added.
fn added(inspection: &Inspection) -> usize {
    inspection.matches().iter().filter(|found| found.place.is_empty()).count()
}

/// Rules as a script names them: an id, a range of ids, or a tag.
enum Rules {
    Ids(u64, u64),
    Tag(Vec<u8>),
}

impl Rules {
    fn of(lua: &Lua, args: &MultiValue, function: &str) -> mlua::Result<Self> {
        let written = check_text(lua, args, 1, function)?;
        let written = written.as_bytes();
        let range = std::str::from_utf8(&written).ok().and_then(range);
        Ok(range
            .map_or_else(|| Self::Tag(written.to_vec()), |(first, last)| Self::Ids(first, last)))
    }

    fn named(&self) -> Named<'_> {
        match self {
            Self::Ids(first, last) => Named::Ids(*first, *last),
            Self::Tag(tag) => Named::Tag(tag),
        }
    }
}

fn range(text: &str) -> Option<(u64, u64)> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    Some((first.trim().parse().ok()?, last.trim().parse().ok()?))
}

fn positive(args: &MultiValue, index: usize, function: &str) -> mlua::Result<u64> {
    let number = check_number(args, index, function)?;
    if number < 1.0 || number.fract() != 0.0 {
        return Err(bad_argument(index, function, "the number of a rule expected"));
    }
    Ok(number as u64)
}

fn count(number: usize) -> Value {
    Value::Number(number as f64)
}

fn table(lua: &Lua, found: &Match) -> mlua::Result<Table> {
    let table = lua.create_table()?;
    table.raw_set("id", found.id as f64)?;
    table.raw_set("phase", found.phase.number())?;
    table.raw_set("msg", lua.create_string(&found.message)?)?;
    table.raw_set("data", lua.create_string(&found.data)?)?;
    table.raw_set("severity", found.severity.map(Severity::as_str))?;
    table.raw_set("tags", lua.create_sequence_from(found.tags.iter().map(String::as_str))?)?;
    table.raw_set("variable", lua.create_string(&found.variable)?)?;
    table.raw_set("value", lua.create_string(&found.value)?)?;
    table.raw_set("disruptive", found.disruptive)?;
    Ok(table)
}
