//! Why a script did not come to its end.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use mlua::{Error, Function, Lua, Value};

use super::{Call, words};
use crate::config::{self, LONGEST_SECRET, Secrets};
use crate::telemetry::events::ScriptFailed;
use crate::transaction::{Phase, Transaction};

/// Why a script did not come to its end.
#[derive(Debug, Clone)]
pub struct ScriptError {
    /// The kind, for metrics and for what happens next.
    pub kind: ScriptErrorKind,
    /// In lua-nginx-module's words: `file:line: message`.
    pub message: String,
    /// The stack at that moment, one function a line; empty if there was none.
    pub traceback: String,
}

/// The kinds of failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ScriptErrorKind {
    /// Its CPU time was spent.
    Cpu,
    /// It did not begin: its owner has as many calls, or as much of something else, as it may.
    Limit,
    /// Its state's memory was spent.
    Memory,
    /// It answered more than it may.
    Response,
    /// Its file is not there.
    NoFile,
    /// It raised an error.
    Runtime,
    /// It could not be compiled.
    Syntax,
    /// Its file cannot be read.
    Unreadable,
    /// It waited for too long.
    Wait,
}

impl ScriptErrorKind {
    /// All of them, for label sets.
    pub const ALL: [Self; 9] = [
        Self::Cpu,
        Self::Limit,
        Self::Memory,
        Self::NoFile,
        Self::Response,
        Self::Runtime,
        Self::Syntax,
        Self::Unreadable,
        Self::Wait,
    ];

    /// The word in metrics and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Limit => "limit",
            Self::Memory => "memory",
            Self::NoFile => "no_file",
            Self::Response => "response",
            Self::Runtime => "runtime",
            Self::Syntax => "syntax",
            Self::Unreadable => "unreadable",
            Self::Wait => "wait",
        }
    }

    /// The client's status, where it says more than that a script failed.
    pub fn status(self) -> Option<u16> {
        match self {
            Self::NoFile => Some(404),
            Self::Unreadable => Some(503),
            _ => None,
        }
    }

    /// Whether the script was ended by its budget, not by itself.
    pub fn is_kill(self) -> bool {
        matches!(self, Self::Cpu | Self::Memory | Self::Response | Self::Wait)
    }
}

impl fmt::Display for ScriptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if !self.traceback.is_empty() {
            write!(f, "\n{}", self.traceback)?;
        }
        Ok(())
    }
}

impl std::error::Error for ScriptError {}

/// A script's file cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot open {path}: {why}")]
pub(super) struct NoScript {
    pub(super) path: String,
    pub(super) why: String,
    /// Whether there is no such file.
    pub(super) missing: bool,
}

/// The beginning of the names of our own chunks, which are none of the script's business.
pub(super) const OWN_CHUNK: &str = "moongate/";

/// What stands between message and traceback in a Luau error.
const TRACEBACK: &str = "\nstack traceback:";

/// Functions of a traceback that are told from its top, and from its bottom.
const FIRST: usize = 13;
const LAST: usize = 10;

/// What Luau says when an allocation was refused.
const NO_MEMORY: &str = "not enough memory";

impl ScriptError {
    /// What the log tells of it.
    pub fn failure<'a>(
        &'a self,
        (phase, module): (Phase, &'a str),
        about: Option<&'a Transaction>,
        peer: Option<&'a str>,
    ) -> ScriptFailed<'a> {
        let (error, traceback) = (&self.message, &self.traceback);
        ScriptFailed { module, phase, kind: self.kind.as_str(), error, traceback, about, peer }
    }

    /// From what a script raised.
    pub(super) fn from_lua(error: &Error) -> Self {
        let (mut message, mut traceback) = parts(error);
        let kind = match error {
            Error::SyntaxError { .. } => ScriptErrorKind::Syntax,
            Error::ExternalError(error) if error.is::<NoScript>() => {
                let missing = error.downcast_ref::<NoScript>().is_some_and(|error| error.missing);
                if missing { ScriptErrorKind::NoFile } else { ScriptErrorKind::Unreadable }
            }
            _ if is_memory(error) || message.ends_with(NO_MEMORY) => ScriptErrorKind::Memory,
            _ => ScriptErrorKind::Runtime,
        };
        if is_no_text(&message) {
            message = String::from("unknown reason");
        }
        if let Some(said) = words::of_lua(&message) {
            message = said;
        }
        // As much more as a secret may be long, lest half of one is cut off and the rest not known.
        for text in [&mut message, &mut traceback] {
            shorten(text, TOLD + LONGEST_SECRET);
        }
        Self { kind, message, traceback }
    }

    /// As it leaves its domain: without secrets, and short.
    pub(super) fn told(mut self, secrets: &Secrets) -> Self {
        for text in [&mut self.message, &mut self.traceback] {
            if let Cow::Owned(shown) = secrets.redacted_text(text) {
                *text = shown;
            }
            shorten(text, TOLD);
        }
        self
    }

    /// A call that answered more than it may.
    pub(super) fn response(call: &Call) -> Self {
        let limit = config::size_text(call.answer_limit.get() as u64);
        let message =
            format!("{}: its answer is larger than `limits.response`, {limit}", call.module);
        Self { kind: ScriptErrorKind::Response, message, traceback: String::new() }
    }

    /// A script that was ended after `limit` CPU time; `error` tells where it was.
    pub(super) fn cpu(limit: Duration, error: Option<&Error>) -> Self {
        let traceback = error.map(|error| parts(error).1).unwrap_or_default();
        let place = position(&traceback).unwrap_or_default();
        let message = format!("{place}CPU budget of {limit:?} is spent");
        Self { kind: ScriptErrorKind::Cpu, message, traceback }
    }

    /// A script that computed for too long where it could not be suspended; `error` tells where.
    pub(super) fn stuck(error: &Error) -> Self {
        let traceback = parts(error).1;
        let place = position(&traceback).unwrap_or_default();
        let message =
            format!("{place}a native function ran for so long that others could not go on");
        Self { kind: ScriptErrorKind::Cpu, message, traceback }
    }

    /// A call that does not begin, because of what its owner may have.
    pub(super) fn limit(message: String) -> Self {
        Self { kind: ScriptErrorKind::Limit, message, traceback: String::new() }
    }

    /// A script that waited longer than `limit`.
    pub(super) fn wait(limit: Duration, name: &str) -> Self {
        let message = format!("{name}: waited longer than {limit:?}");
        Self { kind: ScriptErrorKind::Wait, message, traceback: String::new() }
    }
}

/// The text of an error, as scripts and logs see it: `file:line: message`.
pub fn message(error: &Error) -> String {
    parts(error).0
}

/// What `pcall` gives to a script for `reason`: the text of a native error, else as it is.
///
/// # Errors
/// If the state's memory does not hold the text.
pub(super) fn plain(lua: &Lua, reason: Value) -> mlua::Result<Value> {
    match reason {
        Value::Error(error) => Ok(Value::String(lua.create_string(message(&error))?)),
        other => Ok(other),
    }
}

/// Bytes of a message or a traceback that are told: a script chooses how long they are.
const TOLD: usize = 4096;

/// Whether a script raised something that is no text: its error has no words.
fn is_no_text(message: &str) -> bool {
    let address = |kind: &str| message.strip_prefix(kind).is_some_and(|at| at.starts_with(": 0x"));
    matches!(message, "nil" | "true" | "false") || ["table", "function"].into_iter().any(address)
}

/// `debug.traceback`: a message, and the functions that are on their way, as Lua tells them.
/// `luaus` is Luau's own, which can look into another coroutine.
pub(super) fn traceback(
    lua: &Lua,
    luaus: &Function,
    args: mlua::MultiValue,
) -> mlua::Result<Value> {
    let mut args = args.into_iter();
    let first = args.next().unwrap_or(Value::Nil);
    let (thread, message, level) = match first {
        Value::Thread(thread) => (Some(thread), args.next().unwrap_or(Value::Nil), args.next()),
        message => (None, message, args.next()),
    };
    if !matches!(message, Value::Nil | Value::String(_) | Value::Integer(_) | Value::Number(_)) {
        return Ok(message);
    }
    let level = level.and_then(|level| level.as_usize());
    let trace = match thread {
        Some(thread) => {
            let trace: mlua::LuaString = luaus.call((thread, "", level.unwrap_or(0)))?;
            trace.to_string_lossy().lines().map(as_lua_frame).collect::<Vec<_>>().join("\n")
        }
        None => lua.traceback(None, level.unwrap_or(1))?.to_string_lossy(),
    };
    let frames = lua_frames(&trace);
    let frames = frames.trim_start_matches('\n');
    let told = match message {
        Value::Nil => frames.to_owned(),
        message => format!("{}\n{frames}", message.to_string()?),
    };
    lua.create_string(told).map(Value::String)
}

/// `file:3 function name`, as Luau has it, in Lua's words.
fn as_lua_frame(line: &str) -> String {
    match line.rsplit_once(" function ") {
        Some((place, name)) => format!("{place}: in function '{name}'"),
        None if line.trim().is_empty() => String::new(),
        None => {
            format!("{line}: in function <{}:1>", line.rsplit_once(':').unwrap_or((line, "")).0)
        }
    }
}

/// A traceback with its heading, one function a line, as Lua writes it; it begins with a new line.
pub(super) fn lua_frames(traceback: &str) -> String {
    let mut text = TRACEBACK.to_owned();
    for line in own_frames_out(traceback).lines() {
        text.push_str("\n\t");
        text.push_str(line);
    }
    text
}

fn shorten(text: &mut String, most: usize) {
    if text.len() > most {
        text.truncate(text.floor_char_boundary(most));
        text.push_str(" …");
    }
}

/// Message and traceback.
fn parts(error: &Error) -> (String, String) {
    match error {
        Error::CallbackError { traceback, cause } => {
            let is_placed = !is_called_by_native(traceback) && !is_unplaced(cause);
            let traceback = own_frames_out(traceback);
            let (inner, deeper) = parts(cause);
            let deepest = matches!(**cause, Error::CallbackError { .. });
            let place = if deepest || !is_placed { None } else { position(&traceback) };
            let traceback = if deeper.is_empty() { traceback } else { deeper };
            (format!("{}{inner}", place.unwrap_or_default()), traceback)
        }
        Error::SyntaxError { message, .. } => (message.clone(), String::new()),
        Error::RuntimeError(text) | Error::MemoryError(text) => split(text),
        other => (other.to_string(), String::new()),
    }
}

fn is_memory(error: &Error) -> bool {
    match error {
        Error::MemoryError(_) => true,
        Error::CallbackError { cause, .. } => is_memory(cause),
        _ => false,
    }
}

/// A Luau error's text, its traceback split off; an error raised inside of our own chunks is told
/// at the script's line that called them.
fn split(text: &str) -> (String, String) {
    let (message, full) = text.split_once(TRACEBACK).unwrap_or((text, ""));
    let traceback = own_frames_out(full);
    let Some(own) = message.strip_prefix(OWN_CHUNK) else {
        return (message.to_owned(), traceback);
    };
    let bare = own.splitn(3, ':').nth(2).unwrap_or(own).trim_start();
    if is_called_by_native(full) {
        return (bare.to_owned(), traceback);
    }
    (format!("{}{bare}", position(&traceback).unwrap_or_default()), traceback)
}

/// Whether what failed was called by a native function, `pcall` mostly: Lua tells no place then.
fn is_called_by_native(traceback: &str) -> bool {
    let mut frames = traceback.lines().map(str::trim).filter(|line| {
        !line.is_empty() && *line != TRACEBACK.trim_start() && !line.starts_with("__mlua")
    });
    let mut frames = frames.by_ref().skip_while(|line| is_own(line)).peekable();
    frames.next_if(|line| line.starts_with("[C]"));
    let caller = frames.find(|line| !is_own(line));
    let is_native = |line: &str| line.starts_with("[C]") || line.starts_with(OWN_CHUNK);
    caller.is_some_and(|line| is_native(line) && line.contains("pcall"))
}

/// Whether a line of a traceback is of a chunk of our own, other than our `pcall`.
fn is_own(line: &str) -> bool {
    line.starts_with(OWN_CHUNK) && !line.contains("pcall")
}

/// Whether an error is told without a place, as those are that lua-resty-core raises for its caller's
/// caller.
fn is_unplaced(error: &Error) -> bool {
    matches!(error, Error::ExternalError(error) if error.is::<Unplaced>())
}

/// An error that is told without a place.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Unplaced(pub String);

/// A traceback, one function a line, without our own chunks and native functions at its top.
fn own_frames_out(traceback: &str) -> String {
    let lines = traceback.lines().map(str::trim).filter(|line| {
        let ours = line.starts_with(OWN_CHUNK) || line.starts_with("__mlua");
        !line.is_empty() && *line != "stack traceback:" && !ours
    });
    let mut lines: Vec<Cow<'_, str>> = lines.map(Cow::Borrowed).collect();
    // What runs at the bottom is a whole file, which Luau tells as a function of its first line.
    if let Some(last) = lines.last_mut()
        && let Some((place, from)) = last.split_once(": in function <")
        && from.ends_with(":1>")
    {
        *last = Cow::Owned(format!("{place}: in main chunk"));
    }
    if lines.len() > FIRST + LAST {
        lines.splice(FIRST..lines.len() - LAST, [Cow::Borrowed("...")]);
    }
    lines.join("\n")
}

/// `file:line: ` of the first frame that has a line.
fn position(traceback: &str) -> Option<String> {
    traceback.lines().find_map(|line| {
        let (place, _) = line.split_once(": in ")?;
        let (_, number) = place.rsplit_once(':')?;
        number.parse::<u32>().ok()?;
        Some(format!("{place}: "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_luau_error_is_told_in_luas_words() {
        let text = "a.lua:3: boom\nstack traceback:\n\t[C]: in ?\n\ta.lua:3: in function 'f'";
        let error = ScriptError::from_lua(&Error::RuntimeError(text.into()));
        assert_eq!(error.message, "a.lua:3: boom");
        assert_eq!(error.traceback, "[C]: in ?\na.lua:3: in function 'f'");
        assert_eq!(error.kind, ScriptErrorKind::Runtime);
    }

    #[test]
    fn an_error_in_a_built_in_of_ours_is_told_where_the_script_called_it() {
        let text = "moongate/builtins:7: bad\nstack traceback:\n\tmoongate/builtins:7: in \
                    function 'sort'\n\ta.lua:9: in function 'f'";
        assert_eq!(message(&Error::RuntimeError(text.into())), "a.lua:9: bad");
    }

    #[test]
    fn a_native_error_has_no_place_where_pcall_called_the_function() {
        let traceback = "stack traceback:\n\t[C]: in ?\n\tmoongate/builtins:27: in function 'pcall'\n\t\
                         a.lua:4: in function <a.lua:1>";
        let cause = Error::runtime("no such thing").into();
        let error = Error::CallbackError { traceback: traceback.into(), cause };
        assert_eq!(message(&error), "no such thing");
    }

    #[test]
    fn a_native_error_is_told_where_the_script_called_it() {
        let traceback = "stack traceback:\n\t[C]: in ?\n\ta.lua:4: in function <a.lua:1>".into();
        let error = Error::runtime("no such thing");
        let error = Error::CallbackError { traceback, cause: error.into() };
        let error = ScriptError::from_lua(&error);
        assert_eq!(error.message, "a.lua:4: no such thing");
    }

    #[test]
    fn a_native_error_that_pcall_called_for_is_told_without_a_place() {
        let traceback = "stack traceback:\n[C]: in ?\n[C]: in function 'pcall'\n\
                         moongate/builtins:27: in function 'pcall'\na.lua:4: in function <a.lua:1>";
        let error = Error::runtime("no such thing");
        let error = Error::CallbackError { traceback: traceback.into(), cause: error.into() };
        assert_eq!(message(&error), "no such thing");
    }
}
