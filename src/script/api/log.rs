//! `ngx.log` and `print`.

use std::rc::Rc;

use mlua::debug::Debug;
use mlua::{Lua, MultiValue, Value};

use super::arguments::{at, bad_argument, check_number, text, type_name};
use super::{EVERYWHERE, Function, Native};
use crate::config::LONGEST_SECRET;
use crate::script::error::OWN_CHUNK;
use crate::script::{Call, may_speak, spec_of, state_of};
use crate::telemetry::events;
use crate::transaction::Phase;

/// `ngx.NOTICE`: the level of `print`.
const NOTICE: i64 = 6;
/// `ngx.WARN`.
const WARN: i64 = 5;
/// `ngx.DEBUG`.
pub const DEBUG: i64 = 8;
/// `ngx.ERR`: the level of what the API itself has to say.
const ERR: i64 = 4;
/// Bytes of one message, as in nginx; the rest is cut off.
const MESSAGE_BYTES: usize = 2048;

pub const FUNCTIONS: &[Function] = &[
    Function {
        name: "ngx.log",
        phases: EVERYWHERE,
        syntax: "ngx.log(ngx.ERR, ...)",
        doc: "Writes its arguments to the log, after the script's place: \
              `[lua] file:line: function(): …`; at most 2048 bytes.",
        native: Native::Now(|lua, call, args| {
            let level = check_number(&args, 1, "log")? as i64;
            if !(0..=8).contains(&level) {
                return Err(bad_argument(1, "log", &format!("bad log level: {level}")));
            }
            say(lua, call, level, &args, 1, "log")
        }),
    },
    Function {
        name: "print",
        phases: EVERYWHERE,
        syntax: "print(...)",
        doc: "`ngx.log(ngx.NOTICE, …)`.",
        native: Native::Now(|lua, call, args| say(lua, call, NOTICE, &args, 0, "print")),
    },
];

/// Tells of a global that a script made while a request is served, and from where.
pub fn warn_of_global(lua: &Lua, call: &Call, name: &str, trace: &str) {
    let (place, _) = place(lua, call);
    let words = format!(
        "writing a global Lua variable ('{name}') which may lead to race conditions between \
         concurrent requests, so prefer the use of 'local' variables{trace}"
    );
    emit(lua, call, WARN, &place, words.as_bytes());
}

/// What the API itself has to say about a script that goes on.
pub fn complain(lua: &Lua, call: &Call, words: &str) {
    let (place, _) = place(lua, call);
    emit(lua, call, ERR, &place, words.as_bytes());
}

/// Writes the arguments after the first `skipped` to the log.
pub fn say(
    lua: &Lua,
    call: &Rc<Call>,
    level: i64,
    args: &MultiValue,
    skipped: usize,
    name: &str,
) -> mlua::Result<MultiValue> {
    // As lua-nginx-module, which does not look at what nobody wants to read.
    if !events::ScriptSaid::is_wanted(level) {
        return Ok(MultiValue::new());
    }
    let (place, message) = place(lua, call);
    let mut message = message.into_bytes();
    for index in skipped + 1..=args.len() {
        write(lua, at(args, index), &mut message)
            .map_err(|why| bad_argument(index - skipped, name, &why))?;
        // A secret that begins within what is written is known by all of it.
        if message.len() > MESSAGE_BYTES + LONGEST_SECRET {
            message.truncate(MESSAGE_BYTES + LONGEST_SECRET);
            break;
        }
    }
    emit(lua, call, level, &place, &message);
    Ok(MultiValue::new())
}

fn write(lua: &Lua, value: &Value, out: &mut Vec<u8>) -> Result<(), String> {
    match value {
        Value::Nil => out.extend_from_slice(b"nil"),
        Value::Boolean(value) => out.extend_from_slice(if *value { b"true" } else { b"false" }),
        Value::LightUserData(_) => out.extend_from_slice(b"null"),
        Value::Error(error) => out.extend_from_slice(error.to_string().as_bytes()),
        Value::Table(table) => {
            let named = table.metatable().is_some_and(|meta| {
                meta.raw_get::<Value>("__tostring").is_ok_and(|method| !method.is_nil())
            });
            if !named {
                return Err("expected table to have __tostring metamethod".to_owned());
            }
            let written = value.to_string().map_err(|error| error.to_string())?;
            out.extend_from_slice(written.as_bytes());
        }
        other => {
            let text = text(lua, other).ok().flatten().ok_or_else(|| {
                let got = type_name(other);
                format!("string, number, boolean, or nil expected, got {got}")
            })?;
            out.extend_from_slice(&text.as_bytes());
        }
    }
    Ok(())
}

/// `file:line` of the script that is executing, and `function(): ` where that has a name.
fn place(lua: &Lua, call: &Call) -> (String, String) {
    let place = lua.inspect_stack(1, |frame| {
        let source = frame.source();
        let path = source.short_src.as_deref().unwrap_or("?");
        let file = path.rsplit('/').next().unwrap_or(path);
        let line = frame.current_line().unwrap_or_default();
        let name = frame.names().name.map(|name| format!("{name}(): "));
        (format!("{file}:{line}"), name)
    });
    // As in Lua 5.1, who calls a function gives it its name: the host and natives give none.
    let place = place.map(|(place, name)| {
        let name = name.filter(|_| lua.inspect_stack(2, is_script).unwrap_or_default());
        (place, name.unwrap_or_default())
    });
    place.unwrap_or_else(|| (call.module.to_string(), String::new()))
}

/// Whether a frame is one of a script's own functions.
fn is_script(frame: &Debug<'_>) -> bool {
    let source = frame.source();
    source.what != "C" && !source.short_src.is_some_and(|name| name.starts_with(OWN_CHUNK))
}

/// A line of lua-nginx-module's own, without a place.
pub fn tell_error(call: &Call, words: &str) {
    let about = call.subject.as_ref().and_then(|subject| subject.transaction.try_borrow().ok());
    events::Said { level: ERR, message: words, about: about.as_deref() }.emit();
}

/// Whether what waits is told as it goes on: short ways know no words for that.
pub fn traces() -> bool {
    events::ScriptSaid::is_wanted(DEBUG)
}

/// What lua-nginx-module tells at level `debug`.
pub fn trace(call: &Call, words: impl FnOnce() -> String) {
    if traces() {
        call.say(DEBUG, &words());
    }
}

/// Path and query, as nginx's messages show them.
pub fn target(call: &Call) -> String {
    let subject = call.subject.as_ref();
    let transaction = subject.and_then(|subject| subject.transaction.try_borrow().ok());
    let Some(transaction) = transaction else { return "?".to_owned() };
    let path = transaction.request.normalized_path();
    let query = transaction.request.query.as_deref().unwrap_or_default();
    format!("{}?{}", String::from_utf8_lossy(&path), String::from_utf8_lossy(query))
}

/// Writes a line, without secrets, unless it is left out anyway or one too many.
fn emit(lua: &Lua, call: &Call, level: i64, module: &str, message: &[u8]) {
    if !events::ScriptSaid::is_wanted(level) {
        return;
    }
    let state = state_of(lua);
    if !state.as_ref().is_none_or(|state| may_speak(&state.spec().owner)) {
        return;
    }
    let spec = spec_of(lua);
    let message = match &spec {
        Some(spec) => spec.secrets.kept.redacted(message),
        None => message.into(),
    };
    let message = String::from_utf8_lossy(message.get(..MESSAGE_BYTES).unwrap_or(&message));
    if call.phase == Phase::Init
        && let Some(state) = state
        && !state.says(level, module, &message)
    {
        return;
    }
    let about = call.subject.as_ref().and_then(|subject| subject.transaction.try_borrow().ok());
    let (about, peer) = (about.as_deref(), call.aside.peer.borrow().clone());
    let (phase, message, peer) = (call.phase, &*message, peer.as_deref());
    events::ScriptSaid { level, phase, module, message, about, peer }.emit();
}
