//! Programs, and the functions of `os` that reach the system.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Stdio};

use mlua::{Lua, MultiValue, Table, Value};

use super::super::arguments::{at, bad_argument, check_text, fault, one, text};
use super::file::{LuaFile, Stream, failure};
use super::library::{done, said};
use crate::script::spec_of;

/// Gives `os` what it has in Lua.
pub fn complete(lua: &Lua, os: &Table) -> mlua::Result<()> {
    os.raw_set("execute", lua.create_function(|lua, args| execute(lua, &args))?)?;
    os.raw_set(
        "remove",
        lua.create_function(|lua, args: MultiValue| {
            let path = check_text(lua, &args, 1, "remove")?.to_string_lossy();
            let is_folder = std::fs::symlink_metadata(&path).is_ok_and(|meta| meta.is_dir());
            let removed =
                if is_folder { std::fs::remove_dir(&path) } else { std::fs::remove_file(&path) };
            done(lua, &path, removed)
        })?,
    )?;
    os.raw_set(
        "rename",
        lua.create_function(|lua, args: MultiValue| {
            let from = check_text(lua, &args, 1, "rename")?.to_string_lossy();
            let to = check_text(lua, &args, 2, "rename")?.to_string_lossy();
            done(lua, &from, std::fs::rename(&from, &to))
        })?,
    )?;
    os.raw_set(
        "getenv",
        lua.create_function(|lua, args: MultiValue| {
            let name = check_text(lua, &args, 1, "getenv")?.to_string_lossy();
            match variable(lua, &name) {
                Some(value) => said(lua, &value),
                None => Ok(one(Value::Nil)),
            }
        })?,
    )?;
    os.raw_set("tmpname", lua.create_function(|lua, ()| said(lua, &temporary_name()))?)?;
    os.raw_set(
        "setlocale",
        lua.create_function(|lua, args: MultiValue| match text(lua, at(&args, 1))? {
            None => said(lua, "C"),
            Some(name) if [&b""[..], b"C", b"POSIX"].contains(&&*name.as_bytes()) => said(lua, "C"),
            Some(_) => Ok(one(Value::Nil)),
        })?,
    )?;
    let exit = |_: &Lua, ()| -> mlua::Result<()> {
        Err(fault("a script does not end the process: use `ngx.exit`"))
    };
    os.raw_set("exit", lua.create_function(exit)?)
}

/// A variable of the environment, as far as scripts may see it: as with nginx, `TZ` and those named.
fn variable(lua: &Lua, name: &str) -> Option<String> {
    let spec = spec_of(lua)?;
    let told = spec.env.iter().rev().find_map(|one| match one.split_once('=') {
        Some((known, value)) => (known == name).then(|| Some(value.to_owned())),
        None => (one == name).then(|| std::env::var(name).ok()),
    });
    told.unwrap_or_else(|| std::env::var(name).ok().filter(|_| name == "TZ"))
}

/// `os.execute`: the status as `wait` tells it; whether there is a shell, without an argument.
fn execute(lua: &Lua, args: &MultiValue) -> mlua::Result<MultiValue> {
    if at(args, 1).is_nil() {
        return Ok(one(Value::Integer(1)));
    }
    let command = check_text(lua, args, 1, "execute")?.to_string_lossy();
    match shell(&command).stdin(Stdio::null()).status() {
        Ok(status) => Ok(one(Value::Integer(status.into_raw().into()))),
        Err(_) => Ok(one(Value::Integer(-1))),
    }
}

/// `io.popen`.
pub fn popen(lua: &Lua, args: &MultiValue) -> mlua::Result<MultiValue> {
    let command = check_text(lua, args, 1, "popen")?.to_string_lossy();
    let reads = match text(lua, at(args, 2))?.map(|mode| mode.to_string_lossy()).as_deref() {
        None | Some("r") => true,
        Some("w") => false,
        Some(_) => return Err(bad_argument(2, "popen", "invalid mode")),
    };
    match started(&command, reads) {
        Ok(stream) => Ok(one(Value::UserData(lua.create_userdata(LuaFile::new(stream))?))),
        Err(error) => failure(lua, Some(&command), &error),
    }
}

fn started(command: &str, reads: bool) -> io::Result<Stream> {
    let mut shell = shell(command);
    if reads {
        shell.stdin(Stdio::null()).stdout(Stdio::piped());
    } else {
        shell.stdin(Stdio::piped());
    }
    let mut child = shell.spawn()?;
    let end: Option<OwnedFd> = if reads {
        child.stdout.take().map(OwnedFd::from)
    } else {
        child.stdin.take().map(OwnedFd::from)
    };
    let end = end.ok_or(io::ErrorKind::BrokenPipe)?;
    Ok(Stream::new(File::from(end), Some(child)))
}

fn shell(command: &str) -> Command {
    let mut shell = Command::new("/bin/sh");
    shell.arg("-c").arg(command);
    shell
}

/// A path that nobody uses.
pub fn temporary_name() -> String {
    let mut random = [0; 8];
    // Without randomness the name is a poor one, and the file is made only if it is not there.
    let _ = getrandom::fill(&mut random);
    let word = u64::from_ne_bytes(random);
    std::env::temp_dir().join(format!("lua_{word:016x}")).to_string_lossy().into_owned()
}
