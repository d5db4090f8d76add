//! What follows a `\`.

use super::byte_set::ByteSet;
use super::parser::{Parser, advised, fault};
use super::tree::{Look, Node};
use crate::detection::operators::Fault;

const DIGITS: ByteSet = ByteSet::range(b'0', b'9');
/// `\h`: `\xa0` is Latin-1's blank, as PCRE has it for bytes.
const BLANKS: ByteSet = ByteSet::one(b'\t').or(ByteSet::one(b' ')).or(ByteSet::one(0xa0));
/// `\v`
const BREAKS: ByteSet = ByteSet::range(b'\n', b'\r').or(ByteSet::one(0x85));
/// `\s`
pub const SPACES: ByteSet = ByteSet::range(b'\t', b'\r').or(ByteSet::one(b' '));
/// `[:alpha:]`
pub const LETTERS: ByteSet = ByteSet::range(b'A', b'Z').or(ByteSet::range(b'a', b'z'));
/// `\w`
pub const WORD: ByteSet = LETTERS.or(DIGITS).or(ByteSet::one(b'_'));

/// What an escape is, in a class and outside.
pub enum Escaped {
    Byte(u8),
    Set(ByteSet),
}

impl Parser<'_> {
    /// An escape outside a class, whose `\` was read at `start`.
    pub fn escape(&mut self, start: usize) -> Result<Node, Fault> {
        let look = match self.peek() {
            Some(b'A' | b'G') => Look::Start,
            Some(b'B') => Look::NotWordBoundary,
            Some(b'Z') => Look::EndOrNewline,
            Some(b'b') => Look::WordBoundary,
            Some(b'z') => Look::End,
            Some(b'1'..=b'9') => return self.number(start),
            Some(b'C') => return Ok(self.read(Node::Bytes(ByteSet::ALL))),
            Some(b'K') => return Ok(self.read(Node::KeepOut)),
            Some(b'N') if !self.rest().starts_with(b"N{U") => {
                return Ok(self.read(Node::Bytes(ByteSet::one(b'\n').not())));
            }
            Some(b'R') => return Ok(self.read(any_line_end())),
            Some(b'g') => return self.reference(start),
            Some(b'k') => return self.named_escape(start),
            _ => {
                return Ok(match self.escaped(start)? {
                    Escaped::Byte(byte) => self.byte(byte),
                    Escaped::Set(set) => Node::Bytes(set),
                });
            }
        };
        Ok(self.read(Node::Look(look)))
    }

    fn read<T>(&mut self, what: T) -> T {
        self.at += 1;
        what
    }

    /// An escape that is one byte of a set.
    pub fn escaped(&mut self, start: usize) -> Result<Escaped, Fault> {
        let Some(byte) = self.next() else {
            return Err(advised(
                "a `\\` with nothing behind it",
                start..start + 1,
                "to match a backslash, write `\\\\`",
            ));
        };
        let set = match byte | 0x20 {
            b'd' => DIGITS,
            b'h' => BLANKS,
            b's' => SPACES,
            b'v' => BREAKS,
            b'w' => WORD,
            b'p' => return self.property(start, byte == b'P').map(Escaped::Set),
            _ => return self.escaped_byte(start, byte).map(Escaped::Byte),
        };
        Ok(Escaped::Set(if byte.is_ascii_uppercase() { set.not() } else { set }))
    }

    fn escaped_byte(&mut self, start: usize, byte: u8) -> Result<u8, Fault> {
        match byte {
            b'a' => Ok(7),
            b'c' => self.control(start),
            b'e' => Ok(0x1b),
            b'f' => Ok(0x0c),
            b'n' => Ok(b'\n'),
            b'o' if self.take(b"{") => self.braced(start, 8),
            b'r' => Ok(b'\r'),
            b't' => Ok(b'\t'),
            b'x' if self.take(b"{") => self.braced(start, 16),
            b'x' => self.digits(start, 16, 2),
            b'0'..=b'7' => {
                self.at -= 1;
                self.digits(start, 8, 3)
            }
            _ if byte.is_ascii_alphanumeric() => {
                let name = char::from(byte);
                Err(advised(
                    format!("`\\{name}` has no meaning here"),
                    start..self.at,
                    format!("to match the letter, write `{name}`"),
                ))
            }
            _ => Ok(byte),
        }
    }

    fn control(&mut self, start: usize) -> Result<u8, Fault> {
        match self.next() {
            Some(byte @ b' '..=b'~') => Ok(byte.to_ascii_uppercase() ^ 0x40),
            _ => Err(fault("`\\c` needs an ASCII character behind it", start..self.at)),
        }
    }

    /// At most so many digits; none are 0, as in `\x`.
    fn digits(&mut self, start: usize, base: u32, most: usize) -> Result<u8, Fault> {
        let digits = self.rest().iter().take(most);
        let count = digits.take_while(|byte| char::from(**byte).is_digit(base)).count();
        let text = self.rest().get(..count).unwrap_or_default();
        self.at += count;
        self.byte_of(start, text, base)
    }

    fn braced(&mut self, start: usize, base: u32) -> Result<u8, Fault> {
        let text = self.take_until(b'}').unwrap_or_default();
        if text.is_empty() || !text.iter().all(|byte| char::from(*byte).is_digit(base)) {
            return Err(fault(format!("braces without digits of base {base}"), start..self.at));
        }
        self.byte_of(start, text, base)
    }

    fn byte_of(&self, start: usize, digits: &[u8], base: u32) -> Result<u8, Fault> {
        let add = |value: u32, digit: &u8| {
            value
                .saturating_mul(base)
                .saturating_add(char::from(*digit).to_digit(base).unwrap_or(0))
        };
        let value = digits.iter().fold(0, add);
        u8::try_from(value).map_err(|_| {
            advised(
                "a character past `\\xff`",
                start..self.at,
                "values are bytes: write the character's bytes of UTF-8",
            )
        })
    }

    /// `\1` to `\9`, and more if there are as many groups before; else an octal number.
    fn number(&mut self, start: usize) -> Result<Node, Fault> {
        let length = self.rest().iter().take_while(|byte| byte.is_ascii_digit()).count();
        let digits = self.rest().get(..length).unwrap_or_default();
        let group = std::str::from_utf8(digits).ok().and_then(|text| text.parse().ok());
        let octal = !matches!(digits.first(), Some(b'8' | b'9'));
        match group {
            Some(group) if group < 10 || !octal || group <= self.groups => {
                self.at += length;
                Ok(self.referred(start, group))
            }
            _ if octal => Ok(self.digits(start, 8, 3).map(|byte| self.byte(byte))?),
            _ => Err(fault("a reference to a group that is not there", start..self.at + length)),
        }
    }

    fn referred(&mut self, start: usize, group: u32) -> Node {
        self.references.push((group, start..self.at));
        Node::Reference { group, fold: self.flags.fold }
    }

    /// `\g1`, `\g-1`, `\g{1}`, `\g{-1}` or `\g{name}`.
    fn reference(&mut self, start: usize) -> Result<Node, Fault> {
        self.at += 1;
        let braced = self.take(b"{");
        let back = self.take(b"-");
        let length = self.rest().iter().take_while(|byte| byte.is_ascii_digit()).count();
        let digits = self.rest().get(..length).unwrap_or_default();
        if digits.is_empty() && braced && !back {
            return self.named_reference(start, b'}');
        }
        self.at += length;
        let number: Option<u32> =
            std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok());
        match number {
            Some(number) if !braced || self.take(b"}") => {
                let from_here = (self.groups + 1).saturating_sub(number);
                Ok(self.referred(start, if back { from_here } else { number }))
            }
            _ => Err(fault("`\\g` needs a group's number or `{name}`", start..self.at)),
        }
    }

    fn named_escape(&mut self, start: usize) -> Result<Node, Fault> {
        self.at += 1;
        match self.next() {
            Some(b'<') => self.named_reference(start, b'>'),
            Some(b'\'') => self.named_reference(start, b'\''),
            Some(b'{') => self.named_reference(start, b'}'),
            _ => Err(fault("`\\k` needs a group's `<name>`", start..self.at)),
        }
    }

    /// `\p{L}`: a byte is the character of Latin-1, as for PCRE.
    fn property(&mut self, start: usize, negated: bool) -> Result<ByteSet, Fault> {
        let name = match self.next() {
            Some(b'{') => self.take_until(b'}').unwrap_or_default(),
            Some(_) => self.text.get(self.at - 1..self.at).unwrap_or_default(),
            None => &[],
        };
        let (name, inverted) = match name.strip_prefix(b"^") {
            Some(name) => (name, true),
            None => (name, false),
        };
        let set = latin1_with(name)
            .ok_or_else(|| fault("not a property of characters", start..self.at))?;
        Ok(if negated == inverted { set } else { set.not() })
    }
}

/// The characters of Latin-1 with a property.
fn latin1_with(name: &[u8]) -> Option<ByteSet> {
    let name = std::str::from_utf8(name).ok()?;
    if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        return None;
    }
    let hir = regex_syntax::parse(&format!("\\p{{{name}}}")).ok()?;
    let regex_syntax::hir::HirKind::Class(regex_syntax::hir::Class::Unicode(class)) = hir.kind()
    else {
        return None;
    };
    let latin1 = class.ranges().iter().filter_map(|range| {
        let first = u8::try_from(u32::from(range.start())).ok()?;
        let last = u8::try_from(u32::from(range.end())).unwrap_or(u8::MAX);
        Some(ByteSet::range(first, last))
    });
    Some(latin1.fold(ByteSet::EMPTY, ByteSet::or))
}

/// `\R`: `\r\n` is one, and is not taken apart.
fn any_line_end() -> Node {
    let newline = Node::repeat(Node::Bytes(ByteSet::one(b'\n')), 0, Some(1), true);
    let carriage = Node::Concat(vec![Node::Bytes(ByteSet::one(b'\r')), newline]);
    let others = Node::Bytes(BREAKS.and(ByteSet::one(b'\r').not()));
    Node::Atomic(Box::new(Node::Alternation(vec![carriage, others])))
}
