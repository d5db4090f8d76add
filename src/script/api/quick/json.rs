//! Short ways into `cjson`: a plain text becomes tables as it is read, plain tables become a text.
//! What is malformed, deep, marked or strange goes the long way.

use std::cell::Cell;
use std::rc::Rc;
use std::slice;

use super::tape::{Tape, Token};
use super::{Answer, Out, Plain, Quick, Run, Stack, spare};
use crate::script::Call;
use crate::script::api::arguments::push_number;
use crate::script::api::modules::quote;

/// Bytes of a text that go the short way: reading them is over before anybody waits.
const SMALL: usize = 64 << 10;
/// How deep tables are that are written on the short way: each level takes a part of the stack.
const FLAT: usize = 4;

pub const QUICK: &[Quick] = &[
    Quick { name: "cjson.decode", run: Run::makes(decode) },
    Quick { name: "cjson.encode", run: Run::answers(encode) },
];

/// Keys of objects that are remembered while one text's tables are made.
const KEYS: usize = 16;

thread_local! {
    static TAPE: Cell<Tape> = Cell::default();
}

/// Makes what a tape says.
struct Maker<'t> {
    text: &'t [u8],
    unescaped: &'t [u8],
    tokens: slice::Iter<'t, Token>,
    keys: Keys<'t>,
}

/// Keys that came lately, each with its place on the stack: objects of one text mostly have the same,
/// and Luau hashes a text that it is given, whole, to find out that it has it.
struct Keys<'t> {
    known: [&'t [u8]; KEYS],
    /// Where the first one is.
    base: i32,
}

fn decode(stack: &mut Stack<'_>, text: &[u8]) -> bool {
    if text.len() > SMALL || stack.len() != 1 {
        return false;
    }
    let mut tape = TAPE.take();
    let went = tape.read(text) && stack.reserve(KEYS + 3 * tape.depth + 4);
    if went {
        Maker::of(&tape, text, stack).value(stack);
    }
    if tape.is_handy() {
        TAPE.set(tape);
    }
    went
}

impl<'t> Maker<'t> {
    fn of(tape: &'t Tape, text: &'t [u8], stack: &mut Stack<'_>) -> Self {
        let keys = Keys { known: [&[]; KEYS], base: stack.push_nils(KEYS) };
        Self { text, unescaped: &tape.unescaped, tokens: tape.tokens.iter(), keys }
    }

    /// Puts the next value onto the stack.
    fn value(&mut self, stack: &mut Stack<'_>) {
        match self.tokens.next().copied() {
            Some(Token::Boolean(value)) => stack.push_boolean(value),
            Some(Token::List(count)) => self.list(stack, count),
            Some(Token::Number(number)) => stack.push_number(number),
            Some(Token::Object(count)) => self.object(stack, count),
            Some(Token::Text(place)) => stack.push_bytes(place.of(self.text)),
            Some(Token::Unescaped(place)) => stack.push_bytes(place.of(self.unescaped)),
            Some(Token::Null) | None => stack.push_null(),
        }
    }

    fn list(&mut self, stack: &mut Stack<'_>, count: u32) {
        stack.push_table(count as usize, 0);
        for index in 1..=count {
            self.value(stack);
            stack.set_item(index as i32);
        }
    }

    fn object(&mut self, stack: &mut Stack<'_>, count: u32) {
        stack.push_table(0, count as usize);
        for _ in 0..count {
            match self.tokens.next() {
                Some(Token::Text(place)) => self.keys.push(stack, place.of(self.text)),
                Some(Token::Unescaped(place)) => self.keys.push(stack, place.of(self.unescaped)),
                _ => return,
            }
            self.value(stack);
            stack.set_field();
        }
    }
}

impl<'t> Keys<'t> {
    /// Puts a key onto the stack.
    fn push(&mut self, stack: &mut Stack<'_>, key: &'t [u8]) {
        let ([first, .., last] | [first @ last]) = key else { return stack.push_bytes(key) };
        let place = (key.len() ^ usize::from(first >> 1) ^ usize::from(*last) << 1) % KEYS;
        let Some(known) = self.known.get_mut(place) else { return stack.push_bytes(key) };
        let at = self.base + place as i32;
        if *known == key {
            return stack.push_copy(at);
        }
        stack.push_bytes(key);
        stack.keep_at(at);
        *known = key;
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
