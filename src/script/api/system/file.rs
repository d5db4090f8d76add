//! A file of `io`, or what a program says or hears.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::process::Child;

use mlua::{AnyUserData, FromLua, Lua, MultiValue, UserData, UserDataMethods, Value};

use super::super::arguments::{at, bad_argument, fault, number, one, string, text, type_name};
use crate::script::spec_of;

/// Bytes that are read at once.
const PIECE: usize = 8 << 10;

/// A file; none inside: it was closed.
pub struct LuaFile(RefCell<Option<Stream>>);

/// An open file.
pub struct Stream {
    file: File,
    /// Bytes read ahead, from `at` on.
    ahead: Vec<u8>,
    at: usize,
    /// The program at its other end.
    child: Option<Child>,
}

/// What a script wants of a file.
enum Wanted {
    All,
    Bytes(usize),
    Line { with_end: bool },
    Number,
}

impl Drop for Stream {
    /// A program that nobody waits for would stay in the system's table.
    fn drop(&mut self) {
        let Some(child) = &mut self.child else { return };
        if !matches!(child.try_wait(), Ok(Some(_))) {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Stream {
    pub fn new(file: File, child: Option<Child>) -> Self {
        Self { file, ahead: Vec::new(), at: 0, child }
    }

    /// Reads more; whether there was any.
    fn fill(&mut self) -> io::Result<bool> {
        if self.at > 0 {
            self.ahead.drain(..self.at);
            self.at = 0;
        }
        let old = self.ahead.len();
        self.ahead.resize(old + PIECE, 0);
        let room = self.ahead.get_mut(old..).unwrap_or_default();
        let count = self.file.read(room);
        self.ahead.truncate(old + count.as_ref().copied().unwrap_or_default());
        count.map(|count| count > 0)
    }

    fn buffered(&self) -> &[u8] {
        self.ahead.get(self.at..).unwrap_or_default()
    }

    fn take(&mut self, length: usize) -> Vec<u8> {
        let taken = self.buffered().get(..length).unwrap_or_default().to_vec();
        self.at += taken.len();
        taken
    }

    fn bytes(&mut self, wanted: usize) -> io::Result<Option<Vec<u8>>> {
        while self.buffered().len() < wanted.max(1) && self.fill()? {}
        let length = self.buffered().len().min(wanted);
        let ended = self.buffered().is_empty();
        Ok((!ended).then(|| self.take(length)))
    }

    fn line(&mut self, with_end: bool, most: usize) -> io::Result<Option<Vec<u8>>> {
        let end = loop {
            if let Some(end) = memchr::memchr(b'\n', self.buffered()) {
                break Some(end);
            }
            if self.buffered().len() > most {
                return Err(io::ErrorKind::OutOfMemory.into());
            }
            if !self.fill()? {
                break None;
            }
        };
        match end {
            Some(end) => {
                let mut line = self.take(end + 1);
                if !with_end {
                    line.pop();
                }
                Ok(Some(line))
            }
            None if self.buffered().is_empty() => Ok(None),
            None => Ok(Some(self.take(self.buffered().len()))),
        }
    }

    fn all(&mut self, most: usize) -> io::Result<Vec<u8>> {
        while self.fill()? {
            if self.buffered().len() > most {
                return Err(io::ErrorKind::OutOfMemory.into());
            }
        }
        Ok(self.take(self.buffered().len()))
    }

    fn number(&mut self) -> io::Result<Option<f64>> {
        let of_number = |byte: &u8| byte.is_ascii_alphanumeric() || b"+-.".contains(byte);
        loop {
            let blanks = self.buffered().iter().take_while(|byte| byte.is_ascii_whitespace());
            self.at += blanks.count();
            let digits = self.buffered().iter().take_while(|byte| of_number(byte)).count();
            if digits < self.buffered().len() || !self.fill()? {
                let word = self.take(digits);
                let word = String::from_utf8_lossy(&word).into_owned();
                return Ok(word.parse().ok());
            }
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.forget_ahead()?;
        self.file.write_all(bytes)
    }

    /// What was read ahead was not read.
    fn forget_ahead(&mut self) -> io::Result<()> {
        let back = self.buffered().len() as i64;
        self.ahead.clear();
        self.at = 0;
        if back > 0 { self.file.seek(SeekFrom::Current(-back)).map(|_| ()) } else { Ok(()) }
    }

    fn seek(&mut self, whence: SeekFrom) -> io::Result<u64> {
        self.forget_ahead()?;
        self.file.seek(whence)
    }
}

impl LuaFile {
    pub fn new(stream: Stream) -> Self {
        Self(RefCell::new(Some(stream)))
    }

    pub fn is_closed(&self) -> bool {
        self.0.borrow().is_none()
    }

    fn with<T>(&self, work: impl FnOnce(&mut Stream) -> T) -> mlua::Result<T> {
        let mut stream = self.0.borrow_mut();
        stream.as_mut().map(work).ok_or_else(|| fault("attempt to use a closed file"))
    }

    /// Closes it; how its program ended, if it had one.
    pub fn close(&self, lua: &Lua) -> mlua::Result<MultiValue> {
        let stream = self.0.borrow_mut().take();
        let Some(mut stream) = stream else { return Err(fault("attempt to use a closed file")) };
        let Some(mut child) = stream.child.take() else { return Ok(one(Value::Boolean(true))) };
        drop(stream);
        match child.wait() {
            Ok(_) => Ok(one(Value::Boolean(true))),
            Err(error) => failure(lua, None, &error),
        }
    }

    /// What the formats from the argument `first` on ask for; a line if there are none.
    pub fn read(&self, lua: &Lua, args: &MultiValue, first: usize) -> mlua::Result<MultiValue> {
        let most = spec_of(lua).map_or(usize::MAX, |spec| spec.memory);
        let mut results = Vec::new();
        for index in first..=args.len().max(first) {
            let wanted = match at(args, index) {
                Value::Nil if index == first => Wanted::Line { with_end: false },
                format => wanted(lua, format, index)?,
            };
            let found = self.with(|stream| match wanted {
                Wanted::All => stream.all(most).map(Some),
                Wanted::Bytes(count) => stream.bytes(count.min(most)),
                Wanted::Line { with_end } => stream.line(with_end, most),
                Wanted::Number => {
                    stream.number().map(|found| found.map(|number| number.to_string().into_bytes()))
                }
            })?;
            match found {
                Ok(Some(bytes)) if matches!(wanted, Wanted::Number) => {
                    let text = String::from_utf8_lossy(&bytes);
                    results.push(Value::Number(text.parse().unwrap_or_default()));
                }
                Ok(Some(bytes)) => results.push(string(lua, bytes)?),
                Ok(None) => {
                    results.push(Value::Nil);
                    break;
                }
                Err(error) => return failure(lua, None, &error),
            }
        }
        Ok(MultiValue::from_vec(results))
    }

    /// Writes the arguments from `first` on.
    pub fn write(
        &self,
        lua: &Lua,
        itself: &Value,
        args: &MultiValue,
        first: usize,
    ) -> mlua::Result<MultiValue> {
        for index in first..=args.len() {
            let value = at(args, index);
            let text = text(lua, value)?.ok_or_else(|| {
                let why = format!("string expected, got {}", type_name(value));
                bad_argument(index + 1 - first, "write", &why)
            })?;
            let written = self.with(|stream| stream.write(&text.as_bytes()))?;
            if let Err(error) = written {
                return failure(lua, None, &error);
            }
        }
        Ok(one(itself.clone()))
    }

    fn seek(&self, lua: &Lua, args: &MultiValue) -> mlua::Result<MultiValue> {
        let offset = number(at(args, 3)).unwrap_or_default() as i64;
        let whence = match text(lua, at(args, 2))?.map(|word| word.to_string_lossy()).as_deref() {
            None | Some("cur") => SeekFrom::Current(offset),
            Some("set") => SeekFrom::Start(offset.max(0) as u64),
            Some("end") => SeekFrom::End(offset),
            Some(other) => {
                return Err(bad_argument(1, "seek", &format!("invalid option '{other}'")));
            }
        };
        match self.with(|stream| stream.seek(whence))? {
            Ok(place) => Ok(one(Value::Number(place as f64))),
            Err(error) => failure(lua, None, &error),
        }
    }
}

fn wanted(lua: &Lua, format: &Value, index: usize) -> mlua::Result<Wanted> {
    if let Value::Integer(_) | Value::Number(_) = format {
        return Ok(Wanted::Bytes(number(format).unwrap_or_default().max(0.0) as usize));
    }
    let word = text(lua, format)?.map(|word| word.to_string_lossy()).unwrap_or_default();
    Ok(match word.trim_start_matches('*').chars().next() {
        Some('a') => Wanted::All,
        Some('l') => Wanted::Line { with_end: false },
        Some('L') => Wanted::Line { with_end: true },
        Some('n') => Wanted::Number,
        _ => return Err(bad_argument(index.saturating_sub(1).max(1), "read", "invalid format")),
    })
}

/// `nil, "path: No such file or directory", 2`.
pub fn failure(lua: &Lua, path: Option<&str>, error: &io::Error) -> mlua::Result<MultiValue> {
    let text = error.to_string();
    let words = text.split(" (os error").next().unwrap_or(&text);
    let words = path.map_or_else(|| words.to_owned(), |path| format!("{path}: {words}"));
    let number = Value::Integer(error.raw_os_error().unwrap_or_default().into());
    Ok(MultiValue::from_vec(vec![Value::Nil, string(lua, words)?, number]))
}

/// The file that is the first argument of a method, and the argument itself.
fn itself(lua: &Lua, args: &MultiValue) -> mlua::Result<(AnyUserData, Value)> {
    let value = at(args, 1).clone();
    Ok((AnyUserData::from_lua(value.clone(), lua)?, value))
}

/// An iterator over what these formats ask for; with `closes`, the file is closed at its end.
pub fn lines(
    lua: &Lua,
    file: AnyUserData,
    formats: Vec<Value>,
    closes: bool,
) -> mlua::Result<Value> {
    let next = lua.create_function(move |lua, ()| {
        let file = file.borrow::<LuaFile>()?;
        let found = file.read(lua, &MultiValue::from_vec(formats.clone()), 1)?;
        if closes && at(&found, 1).is_nil() {
            file.close(lua)?;
        }
        Ok(found)
    })?;
    Ok(Value::Function(next))
}

impl UserData for LuaFile {
    fn add_methods<M: UserDataMethods<Self>>(methods: &mut M) {
        methods.add_function("read", |lua, args: MultiValue| {
            itself(lua, &args)?.0.borrow::<Self>()?.read(lua, &args, 2)
        });
        methods.add_function("write", |lua, args: MultiValue| {
            let (file, value) = itself(lua, &args)?;
            file.borrow::<Self>()?.write(lua, &value, &args, 2)
        });
        methods.add_function("lines", |lua, args: MultiValue| {
            let file = itself(lua, &args)?.0;
            lines(lua, file, args.into_iter().skip(1).collect(), false)
        });
        methods.add_function("seek", |lua, args: MultiValue| {
            itself(lua, &args)?.0.borrow::<Self>()?.seek(lua, &args)
        });
        methods.add_method("close", |lua, file, ()| file.close(lua));
        methods.add_method("flush", |_, file, ()| file.with(|_| true));
        methods.add_method("setvbuf", |_, file, _: MultiValue| file.with(|_| true));
        methods.add_meta_method("__tostring", |_, file, ()| {
            let place = std::ptr::from_ref(file) as usize;
            Ok(if file.is_closed() {
                "file (closed)".to_owned()
            } else {
                format!("file ({place:#x})")
            })
        });
    }
}
