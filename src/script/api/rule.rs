//! `m`: what ModSecurity offers to the Lua scripts of its rules.

use std::rc::Rc;

use mlua::{Lua, LuaString, MultiValue, Value};

use super::arguments::{at, bad_argument, check_number, check_text, one, string, subject, text};
use super::log::say;
use super::{Function, Native};
use crate::detection::{Seen, transformations};
use crate::script::Call;
use crate::transaction::PhaseSet;

/// Where there is an exchange that rules may judge.
const JUDGED: PhaseSet = PhaseSet::of("srachbl");
/// Values that one call answers.
const MOST_VALUES: usize = 1000;

/// The table's functions.
pub const FUNCTIONS: &[Function] = &[
    Function {
        name: "m.getvar",
        phases: JUDGED,
        syntax: "value = m.getvar(name, transformations?)",
        doc: "The first value of a variable as rules see it now: `ARGS.id`, `REQUEST_HEADERS.host`, \
              `TX.score`, `REMOTE_ADDR`. Transformations are a name or a list of names. Nil if there \
              is none, or no rules judge.",
        native: Native::Now(getvar),
    },
    Function {
        name: "m.getvars",
        phases: JUDGED,
        syntax: "list = m.getvars(name, transformations?)",
        doc: "All its values (1000 at the most), as tables with `name` (`ARGS:id`) and `value`.",
        native: Native::Now(getvars),
    },
    Function {
        name: "m.log",
        phases: JUDGED,
        syntax: "m.log(level, text)",
        doc: "Writes to the log; the level is ModSecurity's: 1 error, 2 warning, 3 notice, 4 to 9 \
              debug.",
        native: Native::Now(log),
    },
    Function {
        name: "m.setvar",
        phases: JUDGED,
        syntax: "m.setvar(\"TX.name\", value)",
        doc: "Sets a member of `TX`, as `waf.tx` does; nil removes it. Other collections are left to \
              the rules' `setvar`.",
        native: Native::Now(setvar),
    },
];

fn getvar(lua: &Lua, call: &Rc<Call>, args: MultiValue) -> mlua::Result<MultiValue> {
    match seen(lua, call, &args, 1, "getvar")?.into_iter().next() {
        Some(seen) => string(lua, seen.value).map(one),
        None => Ok(one(Value::Nil)),
    }
}

fn getvars(lua: &Lua, call: &Rc<Call>, args: MultiValue) -> mlua::Result<MultiValue> {
    let list = lua.create_table()?;
    for seen in seen(lua, call, &args, MOST_VALUES, "getvars")? {
        let entry = lua.create_table()?;
        entry.raw_set("name", lua.create_string(seen.name)?)?;
        entry.raw_set("value", lua.create_string(seen.value)?)?;
        list.raw_push(entry)?;
    }
    Ok(one(Value::Table(list)))
}

fn log(lua: &Lua, call: &Rc<Call>, args: MultiValue) -> mlua::Result<MultiValue> {
    let level = match check_number(&args, 1, "log")? as i64 {
        ..=1 => 4,
        2 => 5,
        3 => 6,
        4.. => 8,
    };
    say(lua, call, level, &args, 1, "log")
}

fn setvar(lua: &Lua, call: &Rc<Call>, args: MultiValue) -> mlua::Result<MultiValue> {
    let name = check_text(lua, &args, 1, "setvar")?;
    let name = name.as_bytes();
    let (collection, member) = split(&name);
    let Some(member) = member.filter(|_| collection.eq_ignore_ascii_case(b"tx")) else {
        return Err(bad_argument(1, "setvar", "a member of TX expected, such as TX.found"));
    };
    let value = text(lua, at(&args, 2))?;
    if value.is_none() && !at(&args, 2).is_nil() {
        return Err(bad_argument(2, "setvar", "string, number or nil expected"));
    }
    let value = value.as_ref().map(LuaString::as_bytes);
    if let Some(inspection) = subject(call)?.inspection.borrow_mut().as_mut() {
        inspection.set_tx(member, value.as_deref());
    }
    Ok(MultiValue::new())
}

/// What the first two arguments ask for.
fn seen(
    lua: &Lua,
    call: &Rc<Call>,
    args: &MultiValue,
    most: usize,
    function: &str,
) -> mlua::Result<Vec<Seen>> {
    let name = check_text(lua, args, 1, function)?;
    let steps = steps(lua, at(args, 2), function)?;
    let name = name.as_bytes();
    let (variable, member) = split(&name);
    let parts = [Some(variable), member].into_iter().flatten();
    let target: Vec<_> = parts.map(String::from_utf8_lossy).collect();
    let subject = subject(call)?;
    let mut seen = match subject.inspection.borrow_mut().as_mut() {
        None => return Ok(Vec::new()),
        Some(inspection) => inspection
            .seen(&target.join(":"), most, &subject.transaction.borrow())
            .map_err(|why| bad_argument(1, function, &why))?,
    };
    for apply in steps {
        for value in seen.iter_mut().map(|seen| &mut seen.value) {
            let mut changed = Vec::new();
            if apply(value, &mut changed) {
                *value = changed;
            }
        }
    }
    Ok(seen)
}

/// `ARGS.id` (or `ARGS:id`): a variable and, unless all of it is meant, a member.
fn split(name: &[u8]) -> (&[u8], Option<&[u8]>) {
    let end = name.iter().position(|byte| matches!(byte, b'.' | b':'));
    match end.and_then(|end| name.split_at_checked(end)) {
        Some((variable, member)) => (variable, member.get(1..)),
        None => (name, None),
    }
}

type Apply = fn(&[u8], &mut Vec<u8>) -> bool;

fn steps(lua: &Lua, names: &Value, function: &str) -> mlua::Result<Vec<Apply>> {
    let names = match names {
        Value::Nil => Vec::new(),
        Value::Table(list) => list.sequence_values::<Value>().collect::<mlua::Result<_>>()?,
        name => vec![name.clone()],
    };
    let step = |name: &Value| {
        let name = text(lua, name)?.map(|name| name.to_string_lossy()).unwrap_or_default();
        let known = transformations::find(&name).map(|known| known.apply);
        let why = || format!("there is no transformation `{name}`");
        // `none` is what rules begin their lists with.
        match known {
            None if name.eq_ignore_ascii_case("none") => Ok(None),
            None => Err(bad_argument(2, function, &why())),
            known => Ok(known),
        }
    };
    names.iter().map(step).filter_map(Result::transpose).collect()
}
