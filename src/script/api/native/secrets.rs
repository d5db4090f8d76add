//! `waf.secret`: what the settings keep elsewhere, by name.

use std::rc::Rc;

use mlua::{Lua, MultiValue};

use crate::script::api::arguments::{check_text, one, refusal, string};
use crate::script::{Call, spec_of};

/// `waf.secret(name)`. One that is not granted is not told from one that is not there.
pub fn secret(lua: &Lua, _: &Rc<Call>, args: MultiValue) -> mlua::Result<MultiValue> {
    let name = check_text(lua, &args, 1, "secret")?.to_string_lossy();
    let spec = spec_of(lua);
    let declared = spec.as_ref().filter(|spec| spec.secrets.declares(&name));
    let value = declared.and_then(|spec| spec.secrets.kept.get(&name, &spec.owner));
    match value {
        Some(value) => Ok(one(string(lua, value)?)),
        None => refusal(lua, absent(&name)),
    }
}

/// Bytes of a name that are said again.
const SHOWN: usize = 63;

fn absent(name: &str) -> String {
    let name = name.get(..name.floor_char_boundary(SHOWN)).unwrap_or_default().escape_default();
    format!(
        "no secret \"{name}\": a function names it in `declares.secrets`, and the settings grant it \
         in `secrets.{name}.owners`"
    )
}
