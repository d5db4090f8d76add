//! Luau's errors in Lua's words, for scripts that are not confined: which variable was nil.
//!
//! Luau says `attempt to call a nil value`; Lua names what was called. The text of such scripts is
//! kept, and where an error is told, its line is compiled again to see what it names.

use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use mlua::chunk::Compiler;
use mlua::{Lua, MultiValue, Table, Value};

use super::compiled::{self, Unit};
use super::{api, dialect};

const MOVE: u8 = 6;
const GETGLOBAL: u8 = 7;
const GETUPVAL: u8 = 9;
const GETTABLE: u8 = 13;
const SETTABLE: u8 = 14;
const GETTABLEKS: u8 = 15;
const SETTABLEKS: u8 = 16;
const GETTABLEN: u8 = 17;
const SETTABLEN: u8 = 18;
const NAMECALL: u8 = 20;
const CALL: u8 = 21;
const ADD: u8 = 33;
const POW: u8 = 38;
const ADDK: u8 = 39;
const POWK: u8 = 44;
const CONCAT: u8 = 49;
const MINUS: u8 = 51;
const LENGTH: u8 = 52;

/// Bytes of texts that a thread keeps; past them it begins anew.
const KEPT: usize = 16 << 20;

/// A script's text, and what it compiles to once that is asked for.
struct Noted {
    text: Box<str>,
    units: OnceCell<Vec<Unit>>,
}

#[derive(Default)]
struct Texts {
    known: HashMap<String, Rc<Noted>>,
    bytes: usize,
}

thread_local! {
    static TEXTS: RefCell<Texts> = RefCell::default();
}

/// What an instruction works on, as Lua would call it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Thing {
    kind: &'static str,
    name: String,
    /// The way to it from the globals, where there is one: `ngx.say`.
    path: Option<String>,
}

/// Keeps the text of a script that is compiled under that name.
pub(super) fn note(name: &str, text: &str) {
    TEXTS.with_borrow_mut(|texts| {
        if texts.bytes > KEPT {
            *texts = Texts::default();
        }
        let noted = Rc::new(Noted { text: text.into(), units: OnceCell::new() });
        texts.bytes += text.len();
        if let Some(old) = texts.known.insert(name.to_owned(), noted) {
            texts.bytes -= old.text.len();
        }
    });
}

/// Whether a script of that name was noted.
pub(super) fn is_noted(name: &str) -> bool {
    TEXTS.with_borrow(|texts| texts.known.contains_key(name))
}

/// A message of Luau's about a script that was noted, in Lua's words; none if they are the same.
pub(super) fn of_lua(message: &str) -> Option<String> {
    let (file, line) = dialect::place(message)?;
    let noted = TEXTS.with_borrow(|texts| texts.known.get(file).cloned())?;
    let words = message.get(file.len()..)?.splitn(3, ':').nth(2)?.trim_start();
    let line = u32::try_from(line).ok()?;
    let said = plain(words).or_else(|| named(&noted, line, words))?;
    Some(format!("{file}:{line}: {said}"))
}

/// What is said in other words, whatever the script says.
fn plain(words: &str) -> Option<String> {
    if let Some(rest) = words.strip_prefix("invalid argument #") {
        return Some(format!("bad argument #{rest}"));
    }
    if let Some(rest) = words.strip_prefix("missing argument #") {
        let rest = rest.replace(" expected)", " expected, got no value)");
        return Some(format!("bad argument #{rest}"));
    }
    if let Some(rest) = words.strip_prefix("invalid 'for' ") {
        let what = rest.split(" (").next().unwrap_or(rest);
        return Some(format!("'for' {what} must be a number"));
    }
    if words.starts_with("attempt to iterate over a ") {
        let kind = words.split_whitespace().nth(5).unwrap_or("nil");
        return Some(format!("attempt to call a {kind} value"));
    }
    let pair = words.strip_prefix("attempt to compare ")?;
    let (left, right) = pair.split_once(" <= ").or_else(|| pair.split_once(" < "))?;
    Some(if left == right {
        format!("attempt to compare two {left} values")
    } else {
        format!("attempt to compare {left} with {right}")
    })
}

/// What is said with the name of what was at fault.
fn named(noted: &Noted, line: u32, words: &str) -> Option<String> {
    let rest = words.strip_prefix("attempt to ")?;
    let say = |deed: &str, kind: &str, things: Vec<Thing>| {
        Some(match the_one(things) {
            Some(thing) => {
                format!("attempt to {deed} {} '{}' (a {kind} value)", thing.kind, thing.name)
            }
            None => format!("attempt to {deed} a {kind} value"),
        })
    };
    let seek = |wanted: &dyn Fn(&Unit, usize, u8) -> Vec<u8>| noted.things(line, wanted);
    if let Some(rest) = rest.strip_prefix("call missing method '") {
        let (name, kind) = rest.split_once("' of ")?;
        if matches!(kind, "table" | "string") {
            return Some(format!("attempt to call method '{name}' (a nil value)"));
        }
        return say("index", kind, seek(&|unit, at, operation| keyed(unit, at, operation, name)));
    }
    if let Some(kind) = rest.strip_prefix("call a ").and_then(|rest| rest.strip_suffix(" value")) {
        return say("call", kind, seek(&called));
    }
    if let Some(rest) = rest.strip_prefix("index ") {
        let (kind, key) = rest.split_once(" with ")?;
        let things = match key.strip_prefix('\'').and_then(|key| key.strip_suffix('\'')) {
            Some(name) => seek(&|unit, at, operation| keyed(unit, at, operation, name)),
            None => seek(&indexed),
        };
        return say("index", kind, things);
    }
    if let Some(kind) = rest.strip_prefix("get length of a ") {
        return say("get length of", kind.strip_suffix(" value")?, seek(&measured));
    }
    if let Some(rest) = rest.strip_prefix("concatenate ") {
        let (left, right) = rest.split_once(" with ")?;
        let fine = matches!(left, "string" | "number");
        return say("concatenate", if fine { right } else { left }, seek(&joined));
    }
    let (_, kinds) = rest.strip_prefix("perform arithmetic (")?.split_once(") on ")?;
    let (left, right) = kinds.split_once(" and ").unwrap_or((kinds, kinds));
    let first = left != "number";
    let kind = if first { left } else { right };
    say(
        "perform arithmetic on",
        kind,
        seek(&|unit, at, operation| computed(unit, at, operation, first)),
    )
}

/// The one that must be meant. Of several, what is built in is not nil.
fn the_one(mut things: Vec<Thing>) -> Option<Thing> {
    things.dedup();
    if things.len() > 1 {
        things.retain(|thing| !thing.path.as_deref().is_some_and(is_built_in));
    }
    match things.as_slice() {
        [one] => Some(one.clone()),
        _ => None,
    }
}

fn is_built_in(path: &str) -> bool {
    const LIBRARIES: [&str; 10] =
        ["bit", "coroutine", "debug", "io", "math", "ngx", "os", "package", "string", "table"];
    const FUNCTIONS: [&str; 19] = [
        "assert",
        "collectgarbage",
        "error",
        "getmetatable",
        "ipairs",
        "next",
        "pairs",
        "pcall",
        "print",
        "rawequal",
        "rawget",
        "rawset",
        "require",
        "select",
        "setmetatable",
        "tonumber",
        "tostring",
        "type",
        "unpack",
    ];
    let first = path.split('.').next().unwrap_or(path);
    match first {
        "ngx" => api::functions().any(|function| function.name.starts_with(path)),
        _ => LIBRARIES.contains(&first) || FUNCTIONS.contains(&path),
    }
}

/// The three operands of an instruction.
fn operands(unit: &Unit, at: usize) -> [u8; 4] {
    unit.words.get(at).copied().unwrap_or_default().to_le_bytes()
}

fn called(unit: &Unit, at: usize, operation: u8) -> Vec<u8> {
    let [_, function, ..] = operands(unit, at);
    if operation == CALL { vec![function] } else { Vec::new() }
}

/// What is indexed with that name.
fn keyed(unit: &Unit, at: usize, operation: u8, name: &str) -> Vec<u8> {
    let key = unit.words.get(at + 1).and_then(|behind| unit.text(*behind as usize));
    let fits = matches!(operation, GETTABLEKS | SETTABLEKS | NAMECALL) && key == Some(name);
    let [_, _, table, _] = operands(unit, at);
    if fits { vec![table] } else { Vec::new() }
}

fn indexed(unit: &Unit, at: usize, operation: u8) -> Vec<u8> {
    let fits = matches!(operation, GETTABLE | SETTABLE | GETTABLEN | SETTABLEN);
    let [_, _, table, _] = operands(unit, at);
    if fits { vec![table] } else { Vec::new() }
}

fn measured(unit: &Unit, at: usize, operation: u8) -> Vec<u8> {
    let [_, _, value, _] = operands(unit, at);
    if operation == LENGTH { vec![value] } else { Vec::new() }
}

fn joined(unit: &Unit, at: usize, operation: u8) -> Vec<u8> {
    let [_, _, first, last] = operands(unit, at);
    if operation == CONCAT { (first..=last).collect() } else { Vec::new() }
}

fn computed(unit: &Unit, at: usize, operation: u8, first: bool) -> Vec<u8> {
    let [_, _, left, right] = operands(unit, at);
    match operation {
        ADD..=POW => vec![if first { left } else { right }],
        ADDK..=POWK | MINUS if first => vec![left],
        _ => Vec::new(),
    }
}

impl Noted {
    fn units(&self) -> &[Unit] {
        self.units.get_or_init(|| {
            let compiler = Compiler::new().set_optimization_level(0).set_debug_level(2);
            compiler.compile(&*self.text).map(|bytes| compiled::units(&bytes)).unwrap_or_default()
        })
    }

    /// What the wanted registers of a line's instructions hold, as far as it has a name.
    fn things(&self, line: u32, wanted: &dyn Fn(&Unit, usize, u8) -> Vec<u8>) -> Vec<Thing> {
        let mut things = Vec::new();
        for unit in self.units() {
            let starts = unit.starts();
            for (index, at) in starts.iter().enumerate() {
                if unit.lines.get(*at) != Some(&line) {
                    continue;
                }
                let [operation, ..] = operands(unit, *at);
                for register in wanted(unit, *at, operation) {
                    let before = starts.get(..index).unwrap_or_default();
                    things.extend(thing(unit, before, *at, register));
                }
            }
        }
        things
    }
}

/// What a register holds at a place: a local, or what the instructions before it put there.
fn thing(unit: &Unit, before: &[usize], at: usize, register: u8) -> Option<Thing> {
    let local = |local: &&compiled::Local| local.register == register && local.lives.contains(&at);
    if let Some(local) = unit.locals.iter().find(local) {
        return Some(Thing { kind: "local", name: local.name.clone(), path: None });
    }
    let (index, source) = before.iter().enumerate().rev().find(|(_, start)| {
        let [operation, target, ..] = operands(unit, **start);
        let target_is = target == register || operation == NAMECALL && target + 1 == register;
        target_is && !matches!(operation, SETTABLE | SETTABLEKS | SETTABLEN)
    })?;
    let [operation, _, second, _] = operands(unit, *source);
    let key = || unit.words.get(source + 1).and_then(|behind| unit.text(*behind as usize));
    let inner = |register| thing(unit, before.get(..index)?, *source, register);
    match operation {
        GETGLOBAL => {
            let name = key()?.to_owned();
            Some(Thing { kind: "global", path: Some(name.clone()), name })
        }
        GETUPVAL => {
            let name = unit.upvalues.get(usize::from(second))?.clone();
            Some(Thing { kind: "upvalue", name, path: None })
        }
        GETTABLEKS => {
            let name = key()?.to_owned();
            let path = inner(second).and_then(|table| table.path);
            let path = path.map(|path| format!("{path}.{name}"));
            Some(Thing { kind: "field", name, path })
        }
        NAMECALL => Some(Thing { kind: "method", name: key()?.to_owned(), path: None }),
        MOVE => inner(second),
        _ => None,
    }
}

/// `debug.getinfo`, as far as there is anything to tell.
pub(super) fn info(lua: &Lua, args: MultiValue) -> mlua::Result<Option<Table>> {
    let table = lua.create_table()?;
    let put = |what: &str, source: Option<&str>, short: Option<&str>, defined: Option<usize>| {
        table.raw_set("what", what)?;
        table.raw_set("source", source.map(|source| format!("@{source}")))?;
        table.raw_set("short_src", short)?;
        table.raw_set("linedefined", defined.map_or(-1, |line| line as i64))
    };
    match args.front() {
        Some(Value::Function(function)) => {
            let info = function.info();
            let source = info.source.as_deref().map(|name| name.trim_start_matches(['@', '=']));
            put(info.what, source, info.short_src.as_deref(), info.line_defined)?;
            table.raw_set("name", info.name)?;
            table.raw_set("func", function)?;
            Ok(Some(table))
        }
        Some(Value::Integer(_) | Value::Number(_)) => {
            let level = args.front().and_then(Value::as_f64).unwrap_or_default();
            let level = level.clamp(0.0, 1e6) as usize;
            let found = lua.inspect_stack(level, |frame| {
                let source = frame.source();
                let short = source.short_src.as_deref();
                put(source.what, short, short, source.line_defined)?;
                table
                    .raw_set("currentline", frame.current_line().map_or(-1, |line| line as i64))?;
                let names = frame.names();
                table.raw_set("name", names.name.as_deref())?;
                table.raw_set("namewhat", names.name_what.unwrap_or_default())?;
                table.raw_set("func", frame.function())
            });
            found.transpose().map(|found| found.map(|()| table))
        }
        _ => Err(mlua::Error::runtime("bad argument #1 to 'getinfo' (function or level expected)")),
    }
}

#[cfg(test)]
mod tests {
    use super::{note, of_lua};

    fn said(text: &str, words: &str) -> String {
        note("t.lua", text);
        of_lua(&format!("t.lua:1: {words}")).map_or_else(
            || words.to_owned(),
            |said| said.trim_start_matches("t.lua:1: ").to_owned(),
        )
    }

    #[test]
    fn what_was_nil_is_named_as_lua_names_it() {
        let index = "attempt to index nil with 'x'";
        let call = "attempt to call a nil value";
        for (text, words, wanted) in [
            ("foo()", call, "attempt to call global 'foo' (a nil value)"),
            ("ngx.say(ngx.echo(1))", call, "attempt to call field 'echo' (a nil value)"),
            ("ngx.say(foo(tostring(2)))", call, "attempt to call global 'foo' (a nil value)"),
            ("local f f()", call, "attempt to call local 'f' (a nil value)"),
            (
                "local f local function g() f() end",
                call,
                "attempt to call upvalue 'f' (a nil value)",
            ),
            ("a() b()", call, "attempt to call a nil value"),
            ("local t local v = t.x", index, "attempt to index local 't' (a nil value)"),
            ("local t = {} t.a.x = 1", index, "attempt to index field 'a' (a nil value)"),
            ("local v = foo.x", index, "attempt to index global 'foo' (a nil value)"),
            ("local v = f().x", index, "attempt to index a nil value"),
            (
                "local t t:go()",
                "attempt to index nil with 'go'",
                "attempt to index local 't' (a nil value)",
            ),
            (
                "local t t:go()",
                "attempt to call missing method 'go' of table",
                "attempt to call method 'go' (a nil value)",
            ),
            (
                "local a local b = 'x' .. a",
                "attempt to concatenate string with nil",
                "attempt to concatenate local 'a' (a nil value)",
            ),
            (
                "local a = foo + 1",
                "attempt to perform arithmetic (add) on nil and number",
                "attempt to perform arithmetic on global 'foo' (a nil value)",
            ),
            (
                "local a = #foo",
                "attempt to get length of a nil value",
                "attempt to get length of global 'foo' (a nil value)",
            ),
            (
                "local a = 1 < nil",
                "attempt to compare number < nil",
                "attempt to compare number with nil",
            ),
            (
                "string.rep()",
                "missing argument #1 to 'rep' (string expected)",
                "bad argument #1 to 'rep' (string expected, got no value)",
            ),
            ("error('a: b')", "a: b", "a: b"),
        ] {
            assert_eq!(said(text, words), wanted, "{text}");
        }
    }

    #[test]
    fn scripts_that_were_not_noted_keep_their_words() {
        assert_eq!(of_lua("other.lua:1: attempt to call a nil value"), None);
        assert_eq!(of_lua("no place"), None);
    }
}
