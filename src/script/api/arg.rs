//! `ngx.arg`: the chunk that a body filter looks at.

use std::rc::Rc;

use bytes::Bytes;
use mlua::{Lua, Value};

use super::arguments::{fault, number, string, text};
use super::{Function, Native, answer};
use crate::script::Call;
use crate::transaction::{Phase, PhaseSet};

pub const FUNCTIONS: &[Function] = &[Function {
    name: "ngx.arg",
    phases: PhaseSet::of("sb"),
    syntax: "ngx.arg[1] = ngx.arg[1]:upper()  --  ngx.arg[2]: whether it is the last",
    doc: "The piece of the response body that a body filter sees (in `set`: what its settings give \
          the script). `ngx.arg[1]` is its bytes: a \
          string or an array of strings replaces them, nil drops them. `ngx.arg[2]` is true for \
          the last piece; setting it ends the body here.",
    native: Native::Fields { read, write: Some(write) },
}];

fn read(lua: &Lua, call: &Rc<Call>, key: Value) -> mlua::Result<Value> {
    if call.phase == Phase::Set {
        let arguments = call.aside.arguments.borrow();
        let place = number(&key).and_then(|place| (place as usize).checked_sub(1));
        let found = place.and_then(|place| arguments.get(place));
        return found.map_or(Ok(Value::Nil), |found| string(lua, found));
    }
    let chunk = call.chunk.borrow();
    match number(&key) {
        Some(1.0) => string(lua, &chunk.bytes),
        Some(2.0) => Ok(Value::Boolean(chunk.last)),
        _ => Ok(Value::Nil),
    }
}

fn write(lua: &Lua, call: &Rc<Call>, key: Value, value: Value) -> mlua::Result<()> {
    match number(&key) {
        Some(1.0) => call.chunk.borrow_mut().bytes = replacement(lua, &value)?,
        Some(2.0) => {
            let last = !matches!(value, Value::Nil | Value::Boolean(false));
            call.chunk.borrow_mut().last = last;
        }
        _ => return Err(fault("bad index in ngx.arg (1 or 2 expected)")),
    }
    Ok(())
}

fn replacement(lua: &Lua, value: &Value) -> mlua::Result<Bytes> {
    match value {
        Value::Nil => Ok(Bytes::new()),
        Value::Table(_) => {
            let mut bytes = Vec::new();
            match answer::append(lua, value, &mut bytes, 16) {
                Ok(true) => Ok(bytes.into()),
                Ok(false) => Err(fault("no memory")),
                Err(why) => Err(fault(why)),
            }
        }
        other => match text(lua, other)? {
            Some(text) => Ok(Bytes::copy_from_slice(&text.as_bytes())),
            None => Err(fault("bad chunk data type")),
        },
    }
}
