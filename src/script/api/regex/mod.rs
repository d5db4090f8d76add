//! `ngx.re`: regular expressions, in linear time where that can be, else in a bounded number of steps.

mod cache;
mod found;
mod groups;
mod linear;
mod longest;
mod pcre;
mod sequence;

use std::rc::Rc;

use mlua::{Function as LuaFunction, Lua, LuaString, MultiValue, Table, Value};

pub use self::cache::Compiled;
use self::cache::compiled;
use self::found::Found;
use super::arguments::{at, fault, loose_text, number, one, refusal, string, text, type_name};
use super::{EVERYWHERE, Function, Native, log, quick};
use crate::script::api::answer::STAGED_BYTES;
use crate::script::{Call, spec_of};

pub const FUNCTIONS: &[Function] = &[
    Function {
        name: "ngx.re.match",
        phases: EVERYWHERE,
        syntax: "local captures, err = ngx.re.match(subject, regex, options?, ctx?, table?)",
        doc: "The first match: `captures[0]` is all of it, `captures[1]` the first group, \
              `captures.name` a named one; false for a group that took no part. nil if there is \
              none. `ctx.pos` is where to begin, and then where the match ended. Options: `a` \
              anchored, `i` without case, `m` lines, `s` dot matches new lines, `u` UTF-8, `x` \
              extended, `U` UTF-8 that is not checked, `D` names that stand for several groups (as \
              a list), `J` JavaScript's `\\uHHHH`, `d` the longest match, without groups; `j`, `o` are accepted. A regex takes linear time unless it needs \
              look-around, back-references, atomic groups or possessive quantifiers; those take a \
              bounded number of steps (`pcre_exec() failed: -8`). `$` is the very end of the \
              subject.",
        native: Native::Now(first_match),
    },
    Function {
        name: "ngx.re.find",
        phases: EVERYWHERE,
        syntax: "local from, to, err = ngx.re.find(subject, regex, options?, ctx?, nth?)",
        doc: "Where the first match (or its group `nth`) begins and ends.",
        native: Native::Now(find),
    },
    Function {
        name: "ngx.re.gmatch",
        phases: EVERYWHERE,
        syntax: "for captures, err in ngx.re.gmatch(subject, regex, options?) do … end",
        doc: "An iterator over all matches.",
        native: Native::Now(gmatch),
    },
    Function {
        name: "ngx.re.sub",
        phases: EVERYWHERE,
        syntax: "local text, count, err = ngx.re.sub(subject, regex, replacement, options?)",
        doc: "Replaces the first match. In a replacement `$1` or `${1}` is a group, `$0` the whole \
              match, `$$` a dollar; or it is a function that gets the captures and returns a \
              string.",
        native: Native::Now(|lua, call, args| substitute(lua, call, &args, Scope::First)),
    },
    Function {
        name: "ngx.re.gsub",
        phases: EVERYWHERE,
        syntax: "local text, count, err = ngx.re.gsub(subject, regex, replacement, options?)",
        doc: "Replaces all matches.",
        native: Native::Now(|lua, call, args| substitute(lua, call, &args, Scope::All)),
    },
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scope {
    All,
    First,
}

/// What every function of the family begins with.
struct Job {
    subject: LuaString,
    compiled: Rc<Compiled>,
}

impl Job {
    /// The job, or words for the script if its regex cannot be compiled.
    fn new(lua: &Lua, args: &MultiValue, options: usize) -> mlua::Result<Result<Self, String>> {
        let subject = loose_text(lua, at(args, 1))?;
        let regex = loose_text(lua, at(args, 2))?;
        let options = loose_text(lua, at(args, options))?;
        let compiled = compiled(lua, &regex.as_bytes(), &options.as_bytes())?;
        let fits = |compiled: Rc<Compiled>| {
            let fits = compiled.admits(subject.as_bytes().len());
            if fits { Ok(compiled) } else { Err("subject too long for this regex".to_owned()) }
        };
        Ok(compiled.and_then(fits).map(|compiled| Self { subject, compiled }))
    }
}

fn first_match(lua: &Lua, _: &Rc<Call>, args: MultiValue) -> mlua::Result<MultiValue> {
    let job = match Job::new(lua, &args, 3)? {
        Ok(job) => job,
        Err(words) => return refusal(lua, words),
    };
    let context = context(&args)?;
    let subject = job.subject.as_bytes();
    let Some(start) = start(context, subject.len())? else { return Ok(one(Value::Nil)) };
    let found = match job.compiled.at(&subject, start) {
        Ok(found) => found,
        Err(words) => return refusal(lua, words),
    };
    let Some(captures) = found else { return Ok(one(Value::Nil)) };
    note_place(context, &captures)?;
    let table = match at(&args, 5) {
        // What it holds of another match stays, as there.
        Value::Table(table) => table.clone(),
        _ => lua.create_table()?,
    };
    fill(lua, &table, &job.compiled, &captures)?;
    Ok(one(Value::Table(table)))
}

/// Compiles a regex, so that it is at hand: whether it is one that `gmatch` and `gsub` in Luau go over
/// the matches of.
///
/// # Errors
/// If the state's memory is spent, or there is an unknown option.
pub fn prepare(lua: &Lua, args: MultiValue) -> mlua::Result<bool> {
    let Ok(job) = Job::new(lua, &args, 3)? else { return Ok(false) };
    let (regex, options) = (loose_text(lua, at(&args, 2))?, loose_text(lua, at(&args, 3))?);
    quick::note_regex(lua, &regex.as_bytes(), &options.as_bytes(), &job.compiled);
    Ok(job.compiled.is_plain())
}

fn find(lua: &Lua, _: &Rc<Call>, args: MultiValue) -> mlua::Result<MultiValue> {
    let job = match Job::new(lua, &args, 3)? {
        Ok(job) => job,
        Err(words) => return find_refusal(lua, words),
    };
    let context = context(&args)?;
    let subject = job.subject.as_bytes();
    let Some(start) = start(context, subject.len())? else { return Ok(one(Value::Nil)) };
    let nth = number(at(&args, 5)).unwrap_or_default();
    if nth < 0.0 || nth >= job.compiled.groups() as f64 {
        return find_refusal(lua, "nth out of bound".to_owned());
    }
    let found = match job.compiled.at(&subject, start) {
        Ok(found) => found,
        Err(words) => return find_refusal(lua, words.to_owned()),
    };
    let Some(captures) = found else { return Ok(one(Value::Nil)) };
    note_place(context, &captures)?;
    Ok(match captures.get(nth as usize) {
        None => one(Value::Nil),
        Some(found) => MultiValue::from_vec(vec![
            Value::Integer(found.start as i64 + 1),
            Value::Integer(found.end as i64),
        ]),
    })
}

fn find_refusal(lua: &Lua, words: String) -> mlua::Result<MultiValue> {
    Ok(MultiValue::from_vec(vec![Value::Nil, Value::Nil, string(lua, words)?]))
}

fn gmatch(lua: &Lua, _: &Rc<Call>, args: MultiValue) -> mlua::Result<MultiValue> {
    let job = match Job::new(lua, &args, 3)? {
        Ok(job) => job,
        Err(words) => return refusal(lua, words),
    };
    let place = std::cell::Cell::new(Some(0));
    let next = lua.create_function(move |lua, ()| {
        let subject = job.subject.as_bytes();
        let searched = place.get().map_or(Ok(None), |start| job.compiled.at(&subject, start));
        let found = match searched {
            Ok(found) => found,
            Err(words) => {
                place.set(None);
                return refusal(lua, words);
            }
        };
        let Some(captures) = found else {
            place.set(None);
            return Ok(one(Value::Nil));
        };
        place.set(captures.get(0).and_then(|whole| {
            let next = if whole.is_empty() { whole.end + 1 } else { whole.end };
            (next <= subject.len()).then_some(next)
        }));
        let table = lua.create_table()?;
        fill(lua, &table, &job.compiled, &captures)?;
        Ok(one(Value::Table(table)))
    })?;
    Ok(one(Value::Function(next)))
}

fn substitute(
    lua: &Lua,
    call: &Rc<Call>,
    args: &MultiValue,
    scope: Scope,
) -> mlua::Result<MultiValue> {
    let job = match Job::new(lua, args, 4)? {
        Ok(job) => job,
        Err(words) => return find_refusal(lua, words),
    };
    let replacement = match at(args, 3) {
        Value::Function(function) => Replacement::Function(function.clone()),
        other => match text(lua, other)?.map(|text| template(&text.as_bytes())) {
            Some(Ok(parts)) => Replacement::Template(parts),
            Some(Err(why)) => {
                log::tell_error(call, &why);
                let words = "failed to compile the replacement template".to_owned();
                return find_refusal(lua, words);
            }
            None => {
                let got = type_name(other);
                return Err(fault(format!(
                    "bad argument #3 to 'sub' (string, number, or function expected, got {got})"
                )));
            }
        },
    };
    let subject = job.subject.as_bytes();
    let (mut out, mut copied, mut count) = (Vec::new(), 0, 0);
    let mut start = 0;
    while start <= subject.len() {
        let found = match job.compiled.at(&subject, start) {
            Ok(found) => found,
            Err(words) => return find_refusal(lua, words.to_owned()),
        };
        let Some(captures) = found else { break };
        let Some(whole) = captures.get(0) else { break };
        out.extend_from_slice(subject.get(copied..whole.start).unwrap_or_default());
        replacement.write(lua, &job.compiled, &captures, &mut out)?;
        count += 1;
        copied = whole.end;
        start = if whole.is_empty() { whole.end + 1 } else { whole.end };
        if scope == Scope::First {
            break;
        }
    }
    out.extend_from_slice(subject.get(copied..).unwrap_or_default());
    Ok(MultiValue::from_vec(vec![string(lua, out)?, Value::Integer(count)]))
}

/// What takes the place of a match.
enum Replacement {
    Function(LuaFunction),
    Template(Vec<Part>),
}

/// A part of a replacement.
pub enum Part {
    Group(usize),
    Text(Vec<u8>),
}

impl Replacement {
    fn write(
        &self,
        lua: &Lua,
        compiled: &Compiled,
        captures: &Found<'_>,
        out: &mut Vec<u8>,
    ) -> mlua::Result<()> {
        match self {
            Self::Template(parts) => {
                for part in parts {
                    match part {
                        Part::Group(group) => {
                            out.extend_from_slice(captures.bytes(*group).unwrap_or_default());
                        }
                        Part::Text(text) => out.extend_from_slice(text),
                    }
                }
            }
            Self::Function(function) => {
                let table = lua.create_table()?;
                fill(lua, &table, compiled, captures)?;
                let value: Value = function.call(table)?;
                let Some(text) = text(lua, &value)? else {
                    return Err(fault(format!(
                        "string or number expected to be returned by the replacement function, \
                         but got {}",
                        type_name(&value)
                    )));
                };
                out.extend_from_slice(&text.as_bytes());
            }
        }
        let most = spec_of(lua).map_or(STAGED_BYTES, |spec| spec.memory.min(STAGED_BYTES));
        if out.len() > most { Err(fault("no memory")) } else { Ok(()) }
    }
}

/// Bytes of a replacement: each byte may become a part of many.
const LONGEST_TEMPLATE: usize = 64 << 10;

/// A replacement's parts, or why it has none, in lua-nginx-module's words.
pub fn template(text: &[u8]) -> Result<Vec<Part>, String> {
    let (mut parts, mut rest) = (Vec::new(), text);
    if text.len() > LONGEST_TEMPLATE && memchr::memchr(b'$', text).is_some() {
        return Err(format!(
            "a replacement with variables is longer than {LONGEST_TEMPLATE} bytes"
        ));
    }
    while let Some(mark) = memchr::memchr(b'$', rest) {
        let (before, after) = rest.split_at(mark);
        if !before.is_empty() {
            parts.push(Part::Text(before.to_vec()));
        }
        let after = after.get(1..).unwrap_or_default();
        if let Some(tail) = after.strip_prefix(b"$") {
            parts.push(Part::Text(b"$".to_vec()));
            rest = tail;
            continue;
        }
        let (number, tail) = variable(after).map_err(|fault| match fault {
            Misnamed::Nothing => {
                let text = String::from_utf8_lossy(text);
                format!("lua script: invalid capturing variable name found in \"{text}\"")
            }
            Misnamed::Named(name) => format!(
                "attempt to use named capturing variable \"{name}\" (named captures not supported \
                 yet)"
            ),
            Misnamed::Open(name) => {
                format!("the closing bracket in \"{name}\" variable is missing")
            }
        })?;
        parts.push(Part::Group(number));
        rest = tail;
    }
    if !rest.is_empty() {
        parts.push(Part::Text(rest.to_vec()));
    }
    Ok(parts)
}

/// What is wrong with a variable of a replacement.
enum Misnamed {
    Named(String),
    Nothing,
    Open(String),
}

/// The group of a variable whose `$` was just taken, and what stands behind it.
fn variable(text: &[u8]) -> Result<(usize, &[u8]), Misnamed> {
    let bracketed = text.strip_prefix(b"{");
    let text = bracketed.unwrap_or(text);
    if text.is_empty() {
        return Err(Misnamed::Nothing);
    }
    let is_number = text.first().is_some_and(u8::is_ascii_digit);
    let of_name = |byte: &&u8| {
        byte.is_ascii_digit() || !is_number && (byte.is_ascii_alphabetic() || **byte == b'_')
    };
    let (name, tail) = text.split_at(text.iter().take_while(of_name).count());
    let shown = || String::from_utf8_lossy(name).into_owned();
    let tail = match (bracketed.is_some(), tail.strip_prefix(b"}")) {
        (true, Some(tail)) => tail,
        (true, None) => return Err(Misnamed::Open(shown())),
        (false, _) => tail,
    };
    if name.is_empty() {
        return Err(Misnamed::Nothing);
    }
    group(name).map(|number| (number, tail)).ok_or_else(|| Misnamed::Named(shown()))
}

fn group(digits: &[u8]) -> Option<usize> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

fn fill(lua: &Lua, table: &Table, compiled: &Compiled, captures: &Found<'_>) -> mlua::Result<()> {
    let value = |group: usize| match captures.bytes(group) {
        None => Ok(Value::Boolean(false)),
        Some(found) => string(lua, found),
    };
    for group in 0..compiled.groups() {
        table.raw_set(group, value(group)?)?;
    }
    for (name, group) in compiled.names() {
        if !compiled.duplicates() {
            table.raw_set(name.as_str(), value(*group)?)?;
            continue;
        }
        // Those of one name that took part, as a list.
        let Some(found) = captures.bytes(*group) else { continue };
        match table.raw_get(name.as_str())? {
            Value::Table(list) => list.raw_push(string(lua, found)?)?,
            _ => table.raw_set(name.as_str(), lua.create_sequence_from([string(lua, found)?])?)?,
        }
    }
    Ok(())
}

fn context(args: &MultiValue) -> mlua::Result<Option<&Table>> {
    match at(args, 4) {
        Value::Nil => Ok(None),
        Value::Table(table) => Ok(Some(table)),
        other => {
            let got = type_name(other);
            Err(fault(format!("bad argument #4 to 'match' (table expected, got {got})")))
        }
    }
}

/// Where to begin (from 0); none if that is past the subject's end.
fn start(context: Option<&Table>, length: usize) -> mlua::Result<Option<usize>> {
    let Some(context) = context else { return Ok(Some(0)) };
    let place = number(&context.get::<Value>("pos")?).unwrap_or(1.0);
    let start = (place.max(1.0) - 1.0) as usize;
    Ok((start <= length).then_some(start))
}

fn note_place(context: Option<&Table>, captures: &Found<'_>) -> mlua::Result<()> {
    match (context, captures.get(0)) {
        (Some(context), Some(whole)) => context.set("pos", whole.end + 1),
        _ => Ok(()),
    }
}
