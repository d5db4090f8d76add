//! The functions of `io`.

use std::cell::RefCell;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;

use mlua::{AnyUserData, Lua, MultiValue, Table, Value};

use super::super::arguments::{at, bad_argument, check_text, fault, one, string, text};
use super::file::{LuaFile, Stream, failure, lines};
use super::programs;

/// Where `io.read` reads and `io.write` writes.
struct Standard {
    input: RefCell<AnyUserData>,
    output: RefCell<AnyUserData>,
}

/// `io`.
pub fn table(lua: &Lua) -> mlua::Result<Table> {
    let library = lua.create_table()?;
    for (name, file) in [
        // A server has nobody to ask.
        ("stdin", File::open("/dev/null").map(OwnedFd::from)),
        ("stdout", io::stdout().as_fd().try_clone_to_owned()),
        ("stderr", io::stderr().as_fd().try_clone_to_owned()),
    ] {
        let file = file.map(File::from).or_else(|_| File::open("/dev/null"));
        let file = file.map_err(|error| fault(error.to_string()))?;
        library.raw_set(name, lua.create_userdata(LuaFile::new(Stream::new(file, None)))?)?;
    }
    let standard = Rc::new(Standard {
        input: RefCell::new(library.raw_get("stdin")?),
        output: RefCell::new(library.raw_get("stdout")?),
    });
    library.raw_set("open", lua.create_function(|lua, args| open(lua, &args))?)?;
    library.raw_set("popen", lua.create_function(|lua, args| programs::popen(lua, &args))?)?;
    library.raw_set("type", lua.create_function(|_, value: Value| Ok(kind(&value)))?)?;
    library.raw_set("tmpfile", lua.create_function(|lua, ()| temporary(lua))?)?;
    let known = standard.clone();
    library.raw_set(
        "lines",
        lua.create_function(move |lua, args: MultiValue| {
            if at(&args, 1).is_nil() {
                return lines(lua, known.input.borrow().clone(), Vec::new(), false);
            }
            let path = check_text(lua, &args, 1, "lines")?.to_string_lossy();
            let file = opened(lua, &path, "r")?.map_err(|words| fault(words.0))?;
            lines(lua, file, args.into_iter().skip(1).collect(), true)
        })?,
    )?;
    let known = standard.clone();
    library.raw_set(
        "read",
        lua.create_function(move |lua, args: MultiValue| {
            known.input.borrow().borrow::<LuaFile>()?.read(lua, &args, 1)
        })?,
    )?;
    let known = standard.clone();
    library.raw_set(
        "write",
        lua.create_function(move |lua, args: MultiValue| {
            let file = known.output.borrow().clone();
            file.borrow::<LuaFile>()?.write(lua, &Value::UserData(file.clone()), &args, 1)
        })?,
    )?;
    let known = standard.clone();
    library.raw_set(
        "close",
        lua.create_function(move |lua, file: Option<AnyUserData>| {
            let file = file.unwrap_or_else(|| known.output.borrow().clone());
            file.borrow::<LuaFile>()?.close(lua)
        })?,
    )?;
    let known = standard.clone();
    library.raw_set(
        "input",
        lua.create_function(move |lua, args: MultiValue| chosen(lua, &args, &known.input, "r"))?,
    )?;
    library.raw_set(
        "output",
        lua.create_function(move |lua, args: MultiValue| {
            chosen(lua, &args, &standard.output, "w")
        })?,
    )?;
    Ok(library)
}

fn kind(value: &Value) -> Option<&'static str> {
    let Value::UserData(data) = value else { return None };
    let file = data.borrow::<LuaFile>().ok()?;
    Some(if file.is_closed() { "closed file" } else { "file" })
}

fn open(lua: &Lua, args: &MultiValue) -> mlua::Result<MultiValue> {
    let path = check_text(lua, args, 1, "open")?.to_string_lossy();
    let mode =
        text(lua, at(args, 2))?.map_or_else(|| "r".to_owned(), |mode| mode.to_string_lossy());
    match opened(lua, &path, &mode)? {
        Ok(file) => Ok(one(Value::UserData(file))),
        Err((_, error)) => failure(lua, Some(&path), &error),
    }
}

/// A file, or what is wrong with it.
fn opened(
    lua: &Lua,
    path: &str,
    mode: &str,
) -> mlua::Result<Result<AnyUserData, (String, io::Error)>> {
    let mut options = OpenOptions::new();
    match mode.replace('b', "").as_str() {
        "r" => options.read(true),
        "r+" => options.read(true).write(true),
        "w" => options.write(true).create(true).truncate(true),
        "w+" => options.read(true).write(true).create(true).truncate(true),
        "a" => options.append(true).create(true),
        "a+" => options.read(true).append(true).create(true),
        _ => return Err(bad_argument(2, "open", "invalid mode")),
    };
    match options.open(path) {
        Ok(file) => lua.create_userdata(LuaFile::new(Stream::new(file, None))).map(Ok),
        Err(error) => Ok(Err((format!("{path}: {error}"), error))),
    }
}

fn temporary(lua: &Lua) -> mlua::Result<MultiValue> {
    let path = programs::temporary_name();
    let mut options = OpenOptions::new();
    match options.read(true).write(true).create_new(true).open(&path) {
        Ok(file) => {
            // It lives as long as it is open.
            let _ = std::fs::remove_file(&path);
            let file = LuaFile::new(Stream::new(file, None));
            Ok(one(Value::UserData(lua.create_userdata(file)?)))
        }
        Err(error) => failure(lua, Some(&path), &error),
    }
}

/// `io.input` and `io.output`: with an argument they change what they answer without.
fn chosen(
    lua: &Lua,
    args: &MultiValue,
    place: &RefCell<AnyUserData>,
    mode: &str,
) -> mlua::Result<MultiValue> {
    match at(args, 1) {
        Value::Nil => {}
        Value::UserData(file) => *place.borrow_mut() = file.clone(),
        _ => {
            let path = check_text(lua, args, 1, "open")?.to_string_lossy();
            *place.borrow_mut() = opened(lua, &path, mode)?.map_err(|words| fault(words.0))?;
        }
    }
    Ok(one(Value::UserData(place.borrow().clone())))
}

/// `nil, words`, as a result of `os` functions too.
pub fn done(lua: &Lua, path: &str, outcome: io::Result<()>) -> mlua::Result<MultiValue> {
    match outcome {
        Ok(()) => Ok(one(Value::Boolean(true))),
        Err(error) => failure(lua, Some(path), &error),
    }
}

/// A text as a result.
pub fn said(lua: &Lua, words: &str) -> mlua::Result<MultiValue> {
    string(lua, words).map(one)
}
