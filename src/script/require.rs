//! `require`: `package.loaded`, `package.preload`, then the files that the policy holds.

use std::borrow::Cow;
use std::sync::Arc;

use mlua::{Function, Lua, Table, Value};

use super::sandbox::{self, Sandbox};
use super::{DomainSpec, api, current, dialect, error};

/// Libraries that scripts may know as built in.
const LIBRARIES: [&str; 8] =
    ["bit32", "coroutine", "debug", "math", "os", "string", "table", "utf8"];

/// OpenResty's additions to `table`, which scripts get by `require "table.new"`.
const TABLE_ADDITIONS: [&str; 6] = ["clear", "clone", "isarray", "isempty", "new", "nkeys"];

/// Names of well-known C modules: not finding one needs another explanation.
const C_MODULES: [&str; 3] = ["lpeg", "lsqlite3", "socket.core"];

/// Bytes of a module's name.
const LONGEST_NAME: usize = 128;

/// Puts `package` and `require` into the globals.
///
/// # Errors
/// If the state's memory does not hold them.
pub(super) fn install(lua: &Lua, spec: &Arc<DomainSpec>, sandbox: &Sandbox) -> mlua::Result<()> {
    let globals = lua.globals();
    let (loaded, preload) = (lua.create_table()?, lua.create_table()?);
    if spec.open {
        loaded.raw_set("resty.core", lua.create_table()?)?;
    }
    for name in LIBRARIES {
        loaded.raw_set(name, globals.raw_get::<Value>(name)?)?;
    }
    let tables: Table = globals.raw_get("table")?;
    for name in TABLE_ADDITIONS {
        loaded.raw_set(format!("table.{name}"), tables.raw_get::<Value>(name)?)?;
    }
    let search = search(lua, spec, sandbox)?;
    let raw_pcall: Function = globals.raw_get("pcall")?;
    let call = lua.create_function(|_, ()| Ok(current().map_or(0.0, |call| call.serial as f64)))?;
    let ffi = lua.create_function(stands_in_for_ffi)?;
    let package = lua.create_table()?;
    let path = if spec.open { Some(&package) } else { None };
    let arguments = (&loaded, &preload, search, raw_pcall, call, ffi, path);
    let require: Function =
        sandbox::run(lua, include_str!("luau/require.luau"), "require", arguments)?;
    package.raw_set("loaded", &loaded)?;
    package.raw_set("preload", preload)?;
    package.raw_set("path", spec.library.patterns.join(";"))?;
    package.raw_set("cpath", "")?;
    loaded.raw_set("package", &package)?;
    globals.raw_set("package", package)?;
    globals.raw_set("require", require)
}

/// A function that compiles the file of a name, or tells where it looked.
fn search(lua: &Lua, spec: &Arc<DomainSpec>, sandbox: &Sandbox) -> mlua::Result<Function> {
    let spec = spec.clone();
    let (environments, open) = (sandbox.environments(), spec.open && spec.trusted);
    lua.create_function(move |lua, (name, path): (String, Option<String>)| {
        if name.len() > LONGEST_NAME {
            let words = format!("module name longer than {LONGEST_NAME} bytes");
            return Ok((None, Some(words), Value::Nil));
        }
        let found = match (open, path) {
            (true, Some(path)) => spec.library.find_on_disk(&name, &path),
            _ => spec.library.find(&name).map(|(path, text)| (path, Cow::Borrowed(text))),
        };
        // What is built in goes before files, but for a file that can do the same here.
        let wanted = open && found.as_ref().is_ok_and(|(_, text)| !needs_ffi(text));
        if !wanted && let Some((loader, natives)) = api::built_in(lua, &name)? {
            return Ok((Some(loader), None, natives));
        }
        match found {
            Ok((path, text)) => {
                let text =
                    if open { sandbox::as_read(lua, &path, &text)? } else { Cow::Borrowed(&*text) };
                let chunk = lua.load(&*text).set_name(format!("@{path}"));
                let compiled = chunk.set_environment(environments.next(lua)?).into_function();
                compiled.map(|loader| (Some(loader), None, Value::Nil)).map_err(|fault| {
                    let fault = error::message(&dialect::explained(fault, &text));
                    mlua::Error::runtime(format!(
                        "error loading module '{name}' from file '{path}':\n\t{fault}"
                    ))
                })
            }
            Err(tried) => Ok((None, Some(not_found(&name, &tried)), Value::Nil)),
        }
    })
}

/// Whether a file asks for what is not here.
fn needs_ffi(text: &str) -> bool {
    ["\"ffi\"", "'ffi'", "[[ffi]]"].iter().any(|asked| text.contains(asked))
}

/// A library that names the FFI and does without it here: it has client certificates by it.
const NAMES_FFI: &str = "resty/http_connect.lua";

/// Whether the script that requires `ffi` gets something in its place.
fn stands_in_for_ffi(lua: &Lua, (): ()) -> mlua::Result<bool> {
    let caller = (1..6).find_map(|level| {
        let source = lua.inspect_stack(level, |frame| {
            frame.source().short_src.map(std::borrow::Cow::into_owned)
        })?;
        source.filter(|source| !source.starts_with(error::OWN_CHUNK) && source != "[C]")
    });
    Ok(caller.is_some_and(|source| source.ends_with(NAMES_FFI)))
}

fn not_found(name: &str, tried: &[String]) -> String {
    let mut message = format!("module '{name}' not found:\n\tno field package.preload['{name}']");
    for path in tried {
        message.extend(["\n\tno file '", path, "'"]);
    }
    match advice(name) {
        Some(advice) => format!("{message}\n\t({advice})"),
        None => message,
    }
}

/// What to do about a module that is known to be nowhere.
pub(super) fn advice(name: &str) -> Option<&'static str> {
    if name == "ffi" {
        return Some(
            "there is no FFI: what it is used for is in `ngx`, `bit`, `string.buffer` and the `resty` \
             modules that are built in",
        );
    }
    let mut compiled = C_MODULES.iter();
    let is_one = compiled.any(|known| name == *known || name.starts_with(&format!("{known}.")));
    is_one.then_some("it is a C module: those are not loaded into a sandbox")
}

impl super::Library {
    /// The path and text of a module, or the paths at which there is none.
    pub(super) fn find(&self, name: &str) -> Result<(String, &str), Vec<String>> {
        let stem = name.replace('.', "/");
        let mut tried = Vec::new();
        for pattern in &self.patterns {
            let path = pattern.replace('?', &stem);
            match self.files.get(&path) {
                Some(text) => return Ok((path, text)),
                None => tried.push(path),
            }
        }
        Err(tried)
    }

    /// As [`Self::find`], at the paths that a script says, on the disk as it is now.
    fn find_on_disk(&self, name: &str, path: &str) -> Result<(String, Cow<'_, str>), Vec<String>> {
        let stem = name.replace('.', "/");
        let mut tried = Vec::new();
        for pattern in path.split(';').filter(|pattern| !pattern.is_empty()) {
            let path = pattern.replace('?', &stem);
            if let Ok(mut bytes) = std::fs::read(&path) {
                // As Lua's own loader, it passes over a first line such as `#!/usr/bin/lua`.
                if bytes.starts_with(b"#") {
                    bytes.splice(0..0, *b"--");
                }
                return Ok((path, Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())));
            }
            match self.files.get(&path) {
                Some(text) => return Ok((path, Cow::Borrowed(text))),
                None => tried.push(path),
            }
        }
        Err(tried)
    }
}
