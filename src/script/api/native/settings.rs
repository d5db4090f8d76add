//! Reading what scripts pass to `waf` functions, and what they name in the policy's files.

use std::sync::Arc;

use bytes::Bytes;
use mlua::{Lua, LuaString, MultiValue, Table, Value};

use super::shelf::{self, Digest};
use crate::script::DomainSpec;

/// The first argument as a table of settings; none given is an empty one.
///
/// # Errors
/// If it is something else.
pub fn table(lua: &Lua, args: &MultiValue, function: &str) -> mlua::Result<Table> {
    match args.front() {
        None | Some(Value::Nil) => lua.create_table(),
        Some(Value::Table(table)) => Ok(table.clone()),
        Some(other) => Err(mlua::Error::runtime(format!(
            "bad argument #1 to '{function}' (table expected, got {})",
            other.type_name()
        ))),
    }
}

/// The argument at `index` (from 0) as bytes.
///
/// # Errors
/// If it is no string or number.
pub fn bytes(lua: &Lua, args: &MultiValue, index: usize, function: &str) -> mlua::Result<Bytes> {
    let value = args.get(index).cloned().unwrap_or(Value::Nil);
    let kind = value.type_name();
    match lua.coerce_string(value)? {
        Some(text) => Ok(Bytes::copy_from_slice(&text.as_bytes())),
        None => Err(mlua::Error::runtime(format!(
            "bad argument #{} to '{function}' (string expected, got {kind})",
            index + 1
        ))),
    }
}

/// Bytes of texts that one list may have: one text of a script may stand in it a thousand times.
const TEXTS: usize = 32 << 20;

fn counted(text: &LuaString, left: &mut usize) -> mlua::Result<String> {
    let text = text.to_str()?;
    let rest = left.checked_sub(text.len() + size_of::<String>());
    *left = rest.ok_or_else(|| mlua::Error::runtime("the list is too large"))?;
    Ok(text.to_owned())
}

/// A list of texts: a sequence, one text, or nothing.
///
/// # Errors
/// If an element is no string or number.
pub fn texts(settings: &Table, key: &str) -> mlua::Result<Vec<String>> {
    match settings.get(key)? {
        Value::Nil => Ok(Vec::new()),
        Value::Table(list) => {
            let mut left = TEXTS;
            let texts = list.sequence_values::<LuaString>();
            texts.map(|text| counted(&text?, &mut left)).collect()
        }
        Value::String(text) => Ok(vec![text.to_str()?.to_owned()]),
        other => Err(wrong(key, "a list of strings", &other)),
    }
}

/// A text, if there is one.
///
/// # Errors
/// If it is something else.
pub fn text(settings: &Table, key: &str) -> mlua::Result<Option<String>> {
    match settings.get(key)? {
        Value::Nil => Ok(None),
        Value::String(text) => Ok(Some(text.to_str()?.to_owned())),
        other => Err(wrong(key, "a string", &other)),
    }
}

/// Names and texts, sorted by name, so that the same settings have the same digest.
///
/// # Errors
/// If it is something else.
pub fn pairs(settings: &Table, key: &str) -> mlua::Result<Vec<(String, String)>> {
    match settings.get(key)? {
        Value::Nil => Ok(Vec::new()),
        Value::Table(map) => {
            let mut left = TEXTS;
            let mut pairs = Vec::new();
            for pair in map.pairs::<LuaString, LuaString>() {
                let (name, text) = pair?;
                pairs.push((counted(&name, &mut left)?, counted(&text, &mut left)?));
            }
            pairs.sort_unstable();
            Ok(pairs)
        }
        other => Err(wrong(key, "a map of strings", &other)),
    }
}

/// A file that the policy holds.
#[derive(Debug)]
pub struct File {
    /// As the settings write it.
    pub path: String,
    /// What is in it.
    pub bytes: Bytes,
    /// Their SHA-256.
    pub digest: Digest,
}

/// The files named in a setting.
///
/// # Errors
/// If the policy does not hold one: only files that a module's schema declares are read.
pub fn files(lua: &Lua, settings: &Table, key: &str) -> mlua::Result<Vec<File>> {
    texts(settings, key)?.into_iter().map(|path| held(lua, path)).collect()
}

fn held(lua: &Lua, path: String) -> mlua::Result<File> {
    let spec = lua.app_data_ref::<Arc<DomainSpec>>();
    let found = spec.as_ref().and_then(|spec| spec.files.get(&path).map(|bytes| (spec, bytes)));
    let Some((spec, bytes)) = found else {
        return Err(mlua::Error::runtime(format!(
            "file `{path}` is not part of the policy; name it in a setting of type `file`"
        )));
    };
    let digest = shelf::file_digest(&spec.files, &path, bytes);
    Ok(File { bytes: bytes.clone(), digest, path })
}

/// Faults in files, one a line.
pub fn faults(faults: &[String]) -> mlua::Error {
    mlua::Error::runtime(faults.join("\n"))
}

fn wrong(key: &str, wanted: &str, value: &Value) -> mlua::Error {
    mlua::Error::runtime(format!("`{key}` must be {wanted}, not a {}", value.type_name()))
}

/// The lines of a file that say something, trimmed, with their numbers from 1. A line that begins
/// with `#` says nothing; bytes that are no UTF-8 are shown as `U+FFFD`.
pub fn lines(text: &[u8]) -> impl Iterator<Item = (usize, String)> + '_ {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let lines = text.split(|byte| *byte == b'\n').enumerate();
    lines
        .map(|(index, line)| (index + 1, String::from_utf8_lossy(line.trim_ascii()).into_owned()))
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
}

/// A file as tests need it.
#[cfg(test)]
pub fn file(path: &str, bytes: &[u8]) -> File {
    File {
        path: path.to_owned(),
        bytes: Bytes::copy_from_slice(bytes),
        digest: shelf::digest([bytes]),
    }
}
