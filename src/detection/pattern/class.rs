//! Classes: `[a-z]`, with everything that PCRE lets stand in them.

use super::byte_set::ByteSet;
use super::escape::{Escaped, LETTERS, SPACES, WORD};
use super::parser::{Parser, advised, fault};
use super::tree::{Look, Node};
use crate::detection::operators::Fault;

/// A part of a class.
enum Item {
    Byte(u8),
    Set(ByteSet),
}

impl Parser<'_> {
    /// A class whose `[` was read at `start`.
    pub fn class(&mut self, start: usize) -> Result<Node, Fault> {
        if self.take(b"[:<:]]") {
            return Ok(Node::Look(Look::WordStart));
        }
        if self.take(b"[:>:]]") {
            return Ok(Node::Look(Look::WordEnd));
        }
        if self.peek().is_some_and(|kind| posix_name(self.rest(), kind).is_some()) {
            let help = "write it within brackets: `[[:alpha:]]`";
            return Err(advised("a class of POSIX outside a class", start..self.at + 1, help));
        }
        let negated = self.take(b"^");
        let mut set = ByteSet::EMPTY;
        let mut quoted = false;
        let mut first = true;
        while let Some(item) = self.item(start, &mut quoted, first)? {
            first = false;
            set = set.or(self.with_range(item, start, &mut quoted)?);
        }
        if self.flags.fold {
            set = set.folded();
        }
        Ok(Node::Bytes(if negated { set.not() } else { set }))
    }

    /// The next part; none at the class's end.
    fn item(
        &mut self,
        start: usize,
        quoted: &mut bool,
        first: bool,
    ) -> Result<Option<Item>, Fault> {
        self.skip_quotes(quoted);
        let at = self.at;
        let byte = self.next().ok_or_else(|| unclosed(start))?;
        match byte {
            _ if *quoted => Ok(Some(Item::Byte(byte))),
            b']' if !first => Ok(None),
            b'\\' => self.class_escape(at).map(Some),
            b'[' => self.posix(at).map(Some),
            _ => Ok(Some(Item::Byte(byte))),
        }
    }

    fn skip_quotes(&mut self, quoted: &mut bool) {
        loop {
            if self.take(b"\\E") {
                *quoted = false;
            } else if !*quoted && self.take(b"\\Q") {
                *quoted = true;
            } else {
                return;
            }
        }
    }

    /// A part, or the range that it begins. A hyphen at an end of the class, and one beside
    /// something that is not a byte, is itself.
    fn with_range(
        &mut self,
        item: Item,
        start: usize,
        quoted: &mut bool,
    ) -> Result<ByteSet, Fault> {
        let from = match item {
            Item::Set(set) => return Ok(set),
            Item::Byte(byte) => byte,
        };
        self.skip_quotes(quoted);
        let hyphen = self.at;
        if *quoted || !self.take(b"-") {
            return Ok(ByteSet::one(from));
        }
        self.skip_quotes(quoted);
        if !*quoted && self.peek() == Some(b']') {
            self.at = hyphen;
            return Ok(ByteSet::one(from));
        }
        match self.item(start, quoted, true)? {
            Some(Item::Byte(to)) if to < from => {
                Err(fault("a range that ends before it begins", hyphen.saturating_sub(1)..self.at))
            }
            Some(Item::Byte(to)) => Ok(ByteSet::range(from, to)),
            Some(Item::Set(set)) => Ok(set.or(ByteSet::one(from)).or(ByteSet::one(b'-'))),
            None => Ok(ByteSet::one(from)),
        }
    }

    fn class_escape(&mut self, at: usize) -> Result<Item, Fault> {
        match self.peek() {
            Some(b'b') => {
                self.at += 1;
                Ok(Item::Byte(8))
            }
            Some(digit @ b'8'..=b'9') => {
                self.at += 1;
                Ok(Item::Byte(digit))
            }
            _ => Ok(match self.escaped(at)? {
                Escaped::Byte(byte) => Item::Byte(byte),
                Escaped::Set(set) => Item::Set(set),
            }),
        }
    }

    /// `[:alpha:]`; any other `[` in a class is itself.
    fn posix(&mut self, at: usize) -> Result<Item, Fault> {
        let kind = self.peek().unwrap_or_default();
        let Some(name) = posix_name(self.rest(), kind) else { return Ok(Item::Byte(b'[')) };
        self.at += name.len() + 3;
        let (name, negated) = match name.strip_prefix(b"^") {
            Some(name) => (name, true),
            None => (name, false),
        };
        let set = posix_set(name, self.flags.fold).filter(|_| kind == b':');
        let set = set.ok_or_else(|| fault("not a class of POSIX", at..self.at))?;
        Ok(Item::Set(if negated { set.not() } else { set }))
    }
}

fn unclosed(start: usize) -> Fault {
    advised("unclosed class", start..start + 1, "to match a bracket, write `\\[`")
}

/// The name in `:name:]…`, if that is what stands there.
fn posix_name(rest: &[u8], kind: u8) -> Option<&[u8]> {
    if !matches!(kind, b':' | b'.' | b'=') {
        return None;
    }
    let inside = rest.get(1..)?;
    let length = inside.windows(2).position(|pair| pair == [kind, b']'])?;
    let name = inside.get(..length)?;
    let nested = name.windows(2).any(|pair| pair == [b'[', kind]);
    (!nested && !name.contains(&b']')).then_some(name)
}

fn posix_set(name: &[u8], fold: bool) -> Option<ByteSet> {
    Some(match name {
        b"alnum" => WORD.and(ByteSet::one(b'_').not()),
        b"alpha" => LETTERS,
        b"ascii" => ByteSet::range(0, 0x7f),
        b"blank" => ByteSet::one(b'\t').or(ByteSet::one(b' ')),
        b"cntrl" => ByteSet::range(0, 0x1f).or(ByteSet::one(0x7f)),
        b"digit" => ByteSet::range(b'0', b'9'),
        b"graph" => ByteSet::range(0x21, 0x7e),
        // Where letters fold, these two are the same, negated or not.
        b"lower" | b"upper" if fold => LETTERS,
        b"lower" => ByteSet::range(b'a', b'z'),
        b"print" => ByteSet::range(0x20, 0x7e),
        b"punct" => ByteSet::range(0x21, 0x7e).and(WORD.not()).or(ByteSet::one(b'_')),
        b"space" => SPACES,
        b"upper" => ByteSet::range(b'A', b'Z'),
        b"word" => WORD,
        b"xdigit" => {
            ByteSet::range(b'0', b'9').or(ByteSet::range(b'A', b'F')).or(ByteSet::range(b'a', b'f'))
        }
        _ => return None,
    })
}
