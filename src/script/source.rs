//! Texts on their way to the compiler: those that scripts load by themselves, and what Luau reads otherwise
//! than Lua.

use std::borrow::Cow;

use mlua::chunk::ChunkMode;
use mlua::{Function, Lua, Table, Value};

use super::sandbox::compiler;
use super::{api, compiled, dialect, error, jump, words};

/// What `loadstring` is called with: text, name, environment of the caller.
pub(super) type Loading = (Value, Option<String>, Option<Table>);

/// Bytes of source that `loadstring` compiles: the compiler's memory and time are not the budget's.
const LOADABLE: usize = 32 << 10;
/// The same, where scripts are not confined.
const LOADABLE_IF_OPEN: usize = 4 << 20;

/// A text of scripts that are not confined as it is compiled; it is about to be loaded.
///
/// # Errors
/// With file and line, in Lua's words, where Lua does not read what Luau reads.
pub(super) fn as_read<'a>(lua: &Lua, name: &str, text: &'a str) -> mlua::Result<Cow<'a, str>> {
    words::note(name, text);
    dialect::check(name, text)?;
    let text = jump::without(text);
    look_for_context(lua, text.as_bytes());
    Ok(text)
}

/// Whether a text may assign `ngx.ctx`. One that makes up the name while it runs is not found out: what
/// it assigns once `ngx.ctx` was read is seen by this run of its handler alone.
fn look_for_context(lua: &Lua, text: &[u8]) {
    const FIELD: &str = "ctx";
    if memchr::memmem::find(text, FIELD.as_bytes()).is_none() {
        return;
    }
    // What does not compile does not run.
    let Ok(compiled) = compiler().compile(text) else { return };
    let units = compiled::units(&compiled);
    if units.is_empty() || units.iter().any(|unit| unit.may_assign(FIELD)) {
        api::withdraw_context(lua);
    }
}

/// What Lua calls a text without a name: its first line.
pub(super) fn title(text: &Value) -> Option<String> {
    const LETTERS: usize = 43;
    let Value::String(text) = text else { return None };
    let text = text.to_string_lossy();
    let line = text.split(['\n', '\r', '\0']).next().unwrap_or_default();
    let shown: String = line.chars().take(LETTERS).collect();
    let more = if shown.len() < text.len() { "..." } else { "" };
    Some(format!("=[string \"{shown}{more}\"]"))
}

/// `loadstring`: text only, since Luau does not verify bytecode. The function, or why there is none.
///
/// # Errors
/// If the state's memory is spent.
pub(super) fn load(
    lua: &Lua,
    environment: Table,
    text: &Value,
    name: Option<&str>,
    open: bool,
) -> mlua::Result<(Option<Function>, Option<String>)> {
    let most = if open { LOADABLE_IF_OPEN } else { LOADABLE };
    let Value::String(text) = text else {
        return Ok((None, Some("only a string of source text can be loaded".into())));
    };
    let text = text.as_bytes();
    if let Some(words) = dialect::is_compiled(name.unwrap_or("(load)"), 1, &text) {
        return Ok((None, Some(words)));
    }
    if text.len() > most {
        return Ok((None, Some(format!("source is longer than {most} bytes"))));
    }
    if open {
        look_for_context(lua, &text);
    }
    let name = match name {
        None => "=(load)".to_owned(),
        Some(name) if name.starts_with(['=', '@']) => name.to_owned(),
        Some(name) => format!("@{name}"),
    };
    let chunk = lua.load(&*text).set_name(name).set_mode(ChunkMode::Text);
    match chunk.set_environment(environment).into_function() {
        Ok(function) => Ok((Some(function), None)),
        Err(fault) => {
            let fault = dialect::explained(fault, &String::from_utf8_lossy(&text));
            Ok((None, Some(error::message(&fault))))
        }
    }
}
