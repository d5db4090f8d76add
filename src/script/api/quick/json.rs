//! Short ways into `cjson`: a plain text becomes tables as it is read, plain tables become a text.
//! What is malformed, deep, marked or strange goes the long way.

use std::rc::Rc;

use super::{Answer, Out, Plain, Quick, Run, Stack, spare};
use crate::script::Call;
use crate::script::api::arguments::push_number;
use crate::script::api::modules::quote;

/// Bytes of a text that go the short way: reading them is over before anybody waits.
const SMALL: usize = 64 << 10;
/// How deep values are nested in it.
const SHALLOW: usize = 30;
/// How deep tables are that are written on the short way: each level takes a part of the stack.
const FLAT: usize = 4;

pub const QUICK: &[Quick] = &[
    Quick { name: "cjson.decode", run: Run::makes(decode) },
    Quick { name: "cjson.encode", run: Run::answers(encode) },
];

struct Reader<'t> {
    rest: &'t [u8],
}

fn decode(stack: &mut Stack<'_>, text: &[u8]) -> bool {
    if text.len() > SMALL || stack.len() != 1 {
        return false;
    }
    let mut reader = Reader { rest: text };
    reader.value(stack, SHALLOW).is_some() && {
        reader.skip();
        reader.rest.is_empty()
    }
}

impl<'t> Reader<'t> {
    fn skip(&mut self) {
        while let [b' ' | b'\t' | b'\n' | b'\r', rest @ ..] = self.rest {
            self.rest = rest;
        }
    }

    fn eat(&mut self, word: &[u8]) -> Option<()> {
        self.rest = self.rest.strip_prefix(word)?;
        Some(())
    }

    /// Reads one value onto the stack; none if it is not plain.
    fn value(&mut self, stack: &mut Stack<'_>, depth: usize) -> Option<()> {
        self.skip();
        match self.rest.first()? {
            b'"' => self.string(stack),
            b'{' => self.object(stack, depth.checked_sub(1)?),
            b'[' => self.list(stack, depth.checked_sub(1)?),
            b't' => self.eat(b"true").map(|()| stack.push_boolean(true)),
            b'f' => self.eat(b"false").map(|()| stack.push_boolean(false)),
            b'n' => self.eat(b"null").map(|()| stack.push_null()),
            _ => self.number().map(|number| stack.push_number(number)),
        }
    }

    /// A string without escapes or control characters.
    fn string(&mut self, stack: &mut Stack<'_>) -> Option<()> {
        let text = self.rest.get(1..)?;
        let length = text.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..=0x1f))?;
        let (inner, after) = text.split_at_checked(length)?;
        match after.first()? {
            b'"' if inner.is_ascii() || std::str::from_utf8(inner).is_ok() => {
                self.rest = after.get(1..)?;
                stack.push_bytes(inner);
            }
            b'\\' => {
                let plain = self.escaped(text)?;
                stack.push_bytes(&plain);
            }
            _ => return None,
        }
        Some(())
    }

    /// A string with escapes of one letter.
    fn escaped(&mut self, text: &'t [u8]) -> Option<Vec<u8>> {
        let (mut plain, mut rest) = (Vec::new(), text);
        loop {
            let (byte, after) = rest.split_first()?;
            rest = after;
            match byte {
                b'"' => break,
                b'\\' => {
                    let (letter, after) = rest.split_first()?;
                    rest = after;
                    plain.push(match letter {
                        b'"' | b'\\' | b'/' => *letter,
                        b'b' => 8,
                        b'f' => 12,
                        b'n' => b'\n',
                        b'r' => b'\r',
                        b't' => b'\t',
                        _ => return None,
                    });
                }
                0..=0x1f => return None,
                other => plain.push(*other),
            }
        }
        self.rest = rest;
        std::str::from_utf8(&plain).is_ok().then_some(plain)
    }

    fn number(&mut self) -> Option<f64> {
        let length = self
            .rest
            .iter()
            .position(|byte| !matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E'));
        let (number, after) = self.rest.split_at_checked(length.unwrap_or(self.rest.len()))?;
        let digits = number.strip_prefix(b"-").unwrap_or(number);
        let is_plain = matches!(digits, [b'0'] | [b'0', b'.', ..] | [b'1'..=b'9', ..]);
        if !is_plain || digits.len() > 15 || digits.contains(&b'e') || digits.contains(&b'E') {
            return None;
        }
        self.rest = after;
        if digits.iter().all(u8::is_ascii_digit) {
            let whole = digits.iter().fold(0_u64, |sum, digit| sum * 10 + u64::from(digit - b'0'));
            let whole = whole as f64;
            return Some(if number.len() > digits.len() { -whole } else { whole });
        }
        let fraction = digits.split(|byte| *byte == b'.').nth(1)?;
        let is_fraction = !fraction.is_empty() && fraction.iter().all(u8::is_ascii_digit);
        is_fraction.then(|| std::str::from_utf8(number).ok()?.parse().ok())?
    }

    fn list(&mut self, stack: &mut Stack<'_>, depth: usize) -> Option<()> {
        self.eat(b"[")?;
        stack.reserve().then_some(())?;
        stack.push_table(0, 0);
        self.skip();
        if self.rest.first() == Some(&b']') {
            return self.eat(b"]");
        }
        for index in 1.. {
            self.value(stack, depth)?;
            stack.set_item(index);
            self.skip();
            if self.eat(b",").is_none() {
                break;
            }
        }
        self.eat(b"]")
    }

    fn object(&mut self, stack: &mut Stack<'_>, depth: usize) -> Option<()> {
        self.eat(b"{")?;
        stack.reserve().then_some(())?;
        stack.push_table(0, 0);
        self.skip();
        if self.rest.first() == Some(&b'}') {
            return self.eat(b"}");
        }
        loop {
            self.skip();
            (self.rest.first() == Some(&b'"')).then_some(())?;
            self.string(stack)?;
            self.skip();
            self.eat(b":")?;
            self.value(stack, depth)?;
            stack.set_field();
            self.skip();
            if self.eat(b",").is_none() {
                break;
            }
        }
        self.eat(b"}")
    }
}

fn encode<'a>(stack: &Stack<'a>, _: &Rc<Call>, answer: &mut Answer<'a>) -> bool {
    let mut out = spare();
    write(stack, 1, &mut out, FLAT) && answer.give(Out::Owned(out))
}

fn write(stack: &Stack<'_>, value: i32, out: &mut Vec<u8>, depth: usize) -> bool {
    if out.len() > SMALL {
        return false;
    }
    match stack.plain(value) {
        Plain::Text(text) => quote(text, out),
        Plain::Number(number) => {
            push_number(number, out);
            return number.is_finite();
        }
        Plain::Boolean(value) => out.extend_from_slice(if value { b"true" } else { b"false" }),
        Plain::Nil | Plain::Other => {
            let depth = depth.checked_sub(1).filter(|_| stack.is_plain_table(value));
            return depth.is_some_and(|depth| write_table(stack, value, out, depth));
        }
    }
    true
}

/// Whether a key is the place of entry `count` of a list.
fn is_next(key: f64, count: u32) -> bool {
    key.to_bits() == f64::from(count).to_bits()
}

/// A table whose keys are all texts, or 1, 2, 3, … in this order; of others the long way knows.
fn write_table(stack: &Stack<'_>, table: i32, out: &mut Vec<u8>, depth: usize) -> bool {
    let (mut count, mut is_list) = (0_u32, false);
    let began = out.len();
    out.push(b'{');
    let walked = stack.walk(table, |key, value| {
        count += 1;
        if count > 1 {
            out.push(b',');
        }
        match stack.plain(key) {
            Plain::Text(name) if !is_list => {
                quote(name, out);
                out.push(b':');
            }
            Plain::Number(place) if is_next(place, count) && (is_list || count == 1) => {
                is_list = true;
            }
            _ => return false,
        }
        write(stack, value, out, depth)
    });
    if is_list && let Some(open) = out.get_mut(began) {
        *open = b'[';
    }
    out.push(if is_list { b']' } else { b'}' });
    walked
}
