//! `tcpsock:receiveuntil`.

use std::cell::Cell;
use std::rc::Rc;

use memchr::memmem::Finder;
use mlua::{Lua, MultiValue, Value};

use super::super::arguments::{at, fault, number, one, refusal, string, text, type_name};
use super::connection::Wanted;
use super::receive::{fetch, ready};
use super::{bad, counted, settings};
use crate::script::{Call, current};

/// The longest pattern.
const LONGEST_PATTERN: usize = 64 << 10;

/// What one iterator looks for.
struct Until {
    pattern: Vec<u8>,
    inclusive: bool,
    /// Of each prefix of the pattern, how long the longest proper one is that also ends it.
    borders: Vec<usize>,
    /// Whether the pattern came, and the script has not been told so yet.
    has_come: Cell<bool>,
}

/// The data before the pattern.
struct Before<'a> {
    until: &'a Until,
    /// Bytes to be returned at once, about; 0: all.
    size: usize,
    at: usize,
    /// Bytes of the pattern that were seen last.
    state: usize,
    /// Bytes that cannot be the pattern's.
    sure: usize,
    matched: bool,
}

/// Makes the iterator.
pub fn receive_until(lua: &Lua, _: &Rc<Call>, args: MultiValue) -> mlua::Result<MultiValue> {
    counted(&args, 2..=3, "2 or 3 arguments")?;
    let Value::Table(socket) = at(&args, 1).clone() else {
        let why = format!("table expected, got {}", type_name(at(&args, 1)));
        return Err(super::bad_argument(1, "receiveuntil", &why));
    };
    let inclusive = match at(&args, 3) {
        Value::Nil => false,
        Value::Table(options) => match options.get("inclusive")? {
            Value::Nil => false,
            Value::Boolean(inclusive) => inclusive,
            other => {
                let kind = type_name(&other);
                return Err(fault(format!("bad \"inclusive\" option value type: {kind}")));
            }
        },
        other => {
            let why = format!("table expected, got {}", type_name(other));
            return Err(bad(lua, 2, "receiveuntil", &why));
        }
    };
    let Some(pattern) = text(lua, at(&args, 2))? else {
        let why = format!("string expected, got {}", type_name(at(&args, 2)));
        return Err(bad(lua, 1, "receiveuntil", &why));
    };
    let pattern = pattern.as_bytes().to_vec();
    if pattern.is_empty() {
        return refusal(lua, "pattern is empty");
    }
    if pattern.len() > LONGEST_PATTERN {
        return refusal(lua, "failed to compile pattern");
    }
    let until = Rc::new(Until {
        borders: borders(&pattern),
        pattern,
        inclusive,
        has_come: Cell::default(),
    });
    let read = lua.create_async_function(move |lua, args: MultiValue| {
        let whole = MultiValue::from_vec(vec![Value::Table(socket.clone())]);
        let until = until.clone();
        async move {
            let call = current().ok_or_else(|| fault("no request found"))?;
            call.awaited(Box::pin(next(lua, until, whole, args))).await
        }
    })?;
    Ok(one(Value::Function(read)))
}

async fn next(
    lua: Lua,
    until: Rc<Until>,
    socket: MultiValue,
    args: MultiValue,
) -> mlua::Result<MultiValue> {
    if args.len() > 1 {
        return Err(fault(format!("expecting 0 or 1 argument, but seen {}", args.len())));
    }
    let size = match at(&args, 1) {
        Value::Nil if args.is_empty() => 0,
        value => {
            let wrong = || format!("number expected, got {}", type_name(value));
            let size = number(value).ok_or_else(|| super::bad_argument(1, "?", &wrong()))?;
            size.max(0.0) as usize
        }
    };
    let call = current().ok_or_else(|| fault("no request found"))?;
    if !super::PHASES.contains(call.phase) {
        let context = call.phase.context();
        return Err(fault(format!("API disabled in the context of {context}")));
    }
    let (tcp, connection) = match ready(&lua, &call, &socket, "receiveuntil")? {
        Ok(both) => both,
        Err(words) => return refusal(&lua, words),
    };
    if until.has_come.replace(false) {
        return Ok(MultiValue::from_vec(vec![Value::Nil, Value::Nil, Value::Nil]));
    }
    let mut before = Before { until: &until, size, at: 0, state: 0, sure: 0, matched: false };
    let settings = settings(&lua, &call);
    let fetched = fetch(&call, &settings, &tcp, &connection, &mut before).await;
    let mut buffer = connection.buffer.borrow_mut();
    match fetched {
        Ok(end) if before.matched => {
            let end = end.min(buffer.len());
            let mut data = buffer.split_to(end);
            if !until.inclusive {
                data.truncate(data.len().saturating_sub(until.pattern.len()));
            }
            until.has_come.set(size > 0);
            string(&lua, data).map(one)
        }
        Ok(end) => {
            let end = end.min(buffer.len());
            string(&lua, buffer.split_to(end)).map(one)
        }
        Err(failure) => {
            let words = string(&lua, failure.to_string())?;
            let partial = string(&lua, buffer.split())?;
            Ok(MultiValue::from_vec(vec![Value::Nil, words, partial]))
        }
    }
}

impl Wanted for Before<'_> {
    fn end(&mut self, buffer: &[u8]) -> Option<usize> {
        if self.size == 0 { self.whole(buffer) } else { self.piece(buffer) }
    }
}

impl Before<'_> {
    fn whole(&mut self, buffer: &[u8]) -> Option<usize> {
        let pattern = &self.until.pattern;
        let found = Finder::new(pattern).find(buffer.get(self.at..)?);
        if let Some(found) = found {
            self.matched = true;
            return Some(self.at + found + pattern.len());
        }
        self.at = buffer.len().saturating_sub(pattern.len() - 1).max(self.at);
        None
    }

    /// As lua-nginx-module cuts: bytes that looked like the pattern are given back together, so that
    /// a piece may be somewhat longer than was asked for.
    fn piece(&mut self, buffer: &[u8]) -> Option<usize> {
        let pattern = &self.until.pattern;
        while let Some(byte) = buffer.get(self.at) {
            if pattern.get(self.state) == Some(byte) {
                self.at += 1;
                self.state += 1;
                if self.state == pattern.len() {
                    self.matched = true;
                    return Some(self.at);
                }
                continue;
            }
            if self.state == 0 {
                self.at += 1;
                self.sure += 1;
            } else {
                let next = self.after(*byte);
                self.sure += self.state + usize::from(next > 0) - next;
                self.at += usize::from(next > 0);
                self.state = next;
            }
            if self.sure >= self.size {
                return Some(self.sure);
            }
        }
        None
    }

    /// How much of the pattern is seen with one more byte, which is not the one that it has next.
    fn after(&self, byte: u8) -> usize {
        let until = self.until;
        let mut state = self.state;
        while let Some(border) = state.checked_sub(1).and_then(|last| until.borders.get(last)) {
            state = *border;
            if until.pattern.get(state) == Some(&byte) {
                return state + 1;
            }
        }
        0
    }
}

fn borders(pattern: &[u8]) -> Vec<usize> {
    let mut borders = vec![0];
    let mut length = 0;
    for byte in pattern.iter().skip(1) {
        while length > 0 && pattern.get(length) != Some(byte) {
            length = borders.get(length - 1).copied().unwrap_or_default();
        }
        length += usize::from(pattern.get(length) == Some(byte));
        borders.push(length);
    }
    borders
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(pattern: &str, text: &str, size: usize) -> Vec<String> {
        let until = Until {
            pattern: pattern.into(),
            inclusive: false,
            borders: borders(pattern.as_bytes()),
            has_come: Cell::default(),
        };
        let (mut rest, mut pieces) = (text, Vec::new());
        loop {
            let mut before =
                Before { until: &until, size, at: 0, state: 0, sure: 0, matched: false };
            // Byte by byte, as the slowest peer sends.
            let end = (0..=rest.len()).find_map(|length| before.end(&rest.as_bytes()[..length]));
            let Some(end) = end else { return pieces };
            let cut = if before.matched { end - pattern.len() } else { end };
            pieces.push(rest[..cut].to_owned());
            rest = &rest[end..];
            if before.matched {
                return pieces;
            }
        }
    }

    #[test]
    fn what_only_looks_like_the_pattern_is_data() {
        for (pattern, text, whole) in [
            ("--abc", "hello---abc", "hello-"),
            ("--abc", "-----abc", "---"),
            ("abcabd", "abcabcabd", "abc"),
            ("aa", "baa", "b"),
            ("a", "xa", "x"),
            ("abababc", "ababababc", "ab"),
        ] {
            assert_eq!(pieces(pattern, text, 0), [whole], "{pattern} in {text}");
            let cut = pieces(pattern, text, 2);
            assert_eq!(cut.concat(), whole, "{pattern} in {text}: {cut:?}");
        }
    }

    #[test]
    fn pieces_are_as_long_as_asked_for_or_end_with_what_looked_like_the_pattern() {
        assert_eq!(pieces("--", "abcdefg--", 3), ["abc", "def", "g"]);
        assert_eq!(pieces("--abc", "x--ab-y--abc", 1), ["x", "--ab", "-", "y", ""]);
    }
}
