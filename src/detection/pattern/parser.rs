//! PCRE's language, read into a tree. Bytes, not characters: a class with `é` has two of them.

use std::ops::Range;

use super::Case;
use super::byte_set::ByteSet;
use super::tree::{Look, Node};
use crate::detection::operators::Fault;

/// Bytes of an expression, at most: a list of ten thousand words fits.
const LONGEST: usize = 1 << 20;
/// Groups within groups, at most. PCRE allows 250; the automaton's compiler takes up to 30 KiB of
/// the stack for each.
const DEEPEST: usize = 50;
/// What stands between the braces of a quantifier, at most.
const MOST_REPEATS: u32 = 65_535;

/// What `(?i)` and its like have set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flags {
    /// `i`
    pub fold: bool,
    /// `m`
    pub lines: bool,
    /// `s`
    pub dot_all: bool,
    /// `x`
    pub extended: bool,
    /// `U`
    pub lazy: bool,
    /// `n`
    pub plain_groups: bool,
}

/// Reads an expression.
///
/// # Errors
/// The first fault, and where it stands.
pub fn parse(expression: &[u8], case: Case) -> Result<Node, Fault> {
    if expression.len() > LONGEST {
        return Err(Fault::new(format!("the expression is longer than {LONGEST} bytes")));
    }
    let mut parser = Parser::new(expression, case);
    let node = parser.alternation()?;
    if parser.peek().is_some() {
        return Err(advised(
            "a `)` without its `(`",
            parser.at..parser.at + 1,
            "to match a parenthesis, write `\\)`",
        ));
    }
    parser.check_references()?;
    Ok(node)
}

/// A fault at a place of the expression.
pub fn fault(message: impl Into<String>, at: Range<usize>) -> Fault {
    Fault { message: message.into(), at: Some(at), help: None }
}

/// A fault, and the next step.
pub fn advised(message: impl Into<String>, at: Range<usize>, help: impl Into<String>) -> Fault {
    Fault { message: message.into(), at: Some(at), help: Some(help.into()) }
}

pub struct Parser<'a> {
    pub text: &'a [u8],
    pub at: usize,
    pub flags: Flags,
    /// Between `\Q` and `\E`.
    quoted: bool,
    depth: usize,
    /// Capturing groups opened so far.
    pub groups: u32,
    /// Their names.
    pub names: Vec<(&'a [u8], u32)>,
    /// Groups that are referred to, and where.
    pub references: Vec<(u32, Range<usize>)>,
}

impl<'a> Parser<'a> {
    fn new(text: &'a [u8], case: Case) -> Self {
        let flags = Flags {
            fold: case == Case::Folds,
            lines: false,
            dot_all: true,
            extended: false,
            lazy: false,
            plain_groups: false,
        };
        let (names, references) = (Vec::new(), Vec::new());
        Self { text, at: 0, flags, quoted: false, depth: 0, groups: 0, names, references }
    }

    /// The next byte.
    pub fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    /// The next byte, read.
    pub fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    /// What is not read yet.
    pub fn rest(&self) -> &'a [u8] {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// Reads `expected`, if it is next.
    pub fn take(&mut self, expected: &[u8]) -> bool {
        let there = self.rest().starts_with(expected);
        if there {
            self.at += expected.len();
        }
        there
    }

    /// Reads up to `end` and `end` itself; what stood before it.
    pub fn take_until(&mut self, end: u8) -> Option<&'a [u8]> {
        let rest = self.rest();
        let length = memchr::memchr(end, rest)?;
        self.at += length + 1;
        rest.get(..length)
    }

    /// Alternatives, up to a `)` or the end.
    pub fn alternation(&mut self) -> Result<Node, Fault> {
        self.depth += 1;
        if self.depth > DEEPEST {
            let message = format!("groups are nested deeper than {DEEPEST}");
            return Err(fault(message, self.at.saturating_sub(1)..self.at));
        }
        let mut branches = vec![self.branch()?];
        while self.take(b"|") {
            branches.push(self.branch()?);
        }
        self.depth -= 1;
        Ok(Node::alternation(branches))
    }

    fn branch(&mut self) -> Result<Node, Fault> {
        let mut nodes = Vec::new();
        loop {
            self.skip_unread()?;
            let start = self.at;
            match self.peek() {
                None => break,
                Some(b'|' | b')') if !self.quoted => break,
                Some(_) => {}
            }
            let node = self.atom()?;
            nodes.push(self.quantified(node, start)?);
        }
        Ok(Node::concat(nodes))
    }

    /// Comments, `\Q` and `\E`, blanks where they do not count.
    fn skip_unread(&mut self) -> Result<(), Fault> {
        loop {
            let start = self.at;
            if self.take(b"\\E") {
                self.quoted = false;
            } else if self.quoted {
                return Ok(());
            } else if self.take(b"\\Q") {
                self.quoted = true;
            } else if self.take(b"(?#") {
                let closed = self.take_until(b')').is_some();
                closed.then_some(()).ok_or_else(|| fault("unclosed comment", start..start + 3))?;
            } else if !self.skip_blank() {
                return Ok(());
            }
        }
    }

    fn skip_blank(&mut self) -> bool {
        if !self.flags.extended {
            return false;
        }
        match self.peek() {
            Some(b'\t'..=b'\r' | b' ') => self.at += 1,
            Some(b'#') => {
                if self.take_until(b'\n').is_none() {
                    self.at = self.text.len();
                }
            }
            _ => return false,
        }
        true
    }

    fn atom(&mut self) -> Result<Node, Fault> {
        let start = self.at;
        let Some(byte) = self.next() else { return Ok(Node::Empty) };
        if self.quoted {
            return Ok(self.byte(byte));
        }
        match byte {
            b'(' => self.group(start),
            b'[' => self.class(start),
            b'\\' => self.escape(start),
            b'.' if self.flags.dot_all => Ok(Node::Bytes(ByteSet::ALL)),
            b'.' => Ok(Node::Bytes(ByteSet::one(b'\n').not())),
            b'^' if self.flags.lines => Ok(Node::Look(Look::LineStart)),
            b'^' => Ok(Node::Look(Look::Start)),
            b'$' if self.flags.lines => Ok(Node::Look(Look::LineEnd)),
            b'$' => Ok(Node::Look(Look::End)),
            b'*' | b'+' | b'?' => Err(advised(
                "a quantifier with nothing before it",
                start..self.at,
                format!("to match it, write `\\{}`", char::from(byte)),
            )),
            b'{' if self.bounds(start)?.is_some() => Err(advised(
                "a quantifier with nothing before it",
                start..self.at,
                "to match a brace, write `\\{`",
            )),
            _ => Ok(self.byte(byte)),
        }
    }

    /// A byte as the flags have it.
    pub fn byte(&self, byte: u8) -> Node {
        let set = ByteSet::one(byte);
        Node::Bytes(if self.flags.fold { set.folded() } else { set })
    }

    /// A node and the quantifiers behind it.
    fn quantified(&mut self, mut node: Node, start: usize) -> Result<Node, Fault> {
        let mut intervals_only = false;
        loop {
            self.skip_unread()?;
            if self.quoted {
                return Ok(node);
            }
            let sign = self.at;
            let (min, max) = match self.peek() {
                Some(b'*') => (0, None),
                Some(b'+') => (1, None),
                Some(b'?') => (0, Some(1)),
                Some(b'{') => match self.interval(sign)? {
                    Some(bounds) => bounds,
                    None => return Ok(node),
                },
                _ => return Ok(node),
            };
            if self.at == sign {
                self.at += 1;
                if intervals_only {
                    return Err(advised(
                        "a quantifier on a quantifier",
                        start..self.at,
                        "put `(?:` and `)` around what is repeated",
                    ));
                }
            }
            intervals_only = true;
            node = self.repeated(node, min, max);
        }
    }

    fn repeated(&mut self, node: Node, min: u32, max: Option<u32>) -> Node {
        let possessive = self.take(b"+");
        let swapped = !possessive && self.take(b"?");
        let greedy = self.flags.lazy == swapped || possessive;
        let repeated = match node {
            // To look twice at the same place is to look once; not to have to is not to look.
            Node::Look(_) | Node::Empty if min == 0 => Node::Empty,
            Node::Look(_) | Node::Empty => node,
            Node::Around { .. } if min > 0 => node,
            Node::Around { .. } if greedy => Node::Alternation(vec![node, Node::Empty]),
            Node::Around { .. } => Node::Alternation(vec![Node::Empty, node]),
            _ => Node::repeat(node, min, max, greedy),
        };
        if possessive { Node::Atomic(Box::new(repeated)) } else { repeated }
    }

    /// `{n}`, `{n,}` or `{n,m}`, read; none (and nothing read) if the brace is itself.
    fn interval(&mut self, start: usize) -> Result<Option<(u32, Option<u32>)>, Fault> {
        self.at += 1;
        let bounds = self.bounds(start)?;
        if bounds.is_none() {
            self.at = start;
        }
        Ok(bounds)
    }

    /// What follows a `{`, if it is a quantifier; else nothing is read.
    fn bounds(&mut self, start: usize) -> Result<Option<(u32, Option<u32>)>, Fault> {
        let Some(length) = memchr::memchr(b'}', self.rest()) else { return Ok(None) };
        let inside = self.rest().get(..length).unwrap_or_default();
        let mut parts = inside.splitn(2, |byte| *byte == b',');
        let (first, second) = (parts.next().unwrap_or_default(), parts.next());
        let digits = |text: &[u8]| text.iter().all(u8::is_ascii_digit);
        if first.is_empty() || !digits(first) || !second.is_none_or(digits) {
            return Ok(None);
        }
        self.at += length + 1;
        let at = start..self.at;
        let min = number(first).ok_or_else(|| too_many(&at))?;
        let max = match second {
            None => Some(min),
            Some([]) => None,
            Some(second) => Some(number(second).ok_or_else(|| too_many(&at))?),
        };
        if max.is_some_and(|max| max < min) {
            return Err(fault("the most is less than the least", at));
        }
        Ok(Some((min, max)))
    }

    /// References to groups that are not there.
    fn check_references(&self) -> Result<(), Fault> {
        match self.references.iter().find(|(group, _)| *group > self.groups || *group == 0) {
            None => Ok(()),
            Some((group, at)) => {
                let message = format!("there is no group {group}, but {} in all", self.groups);
                Err(fault(message, at.clone()))
            }
        }
    }
}

/// A decimal number that a quantifier may have.
fn number(digits: &[u8]) -> Option<u32> {
    let number = std::str::from_utf8(digits).ok()?.parse().ok()?;
    (number <= MOST_REPEATS).then_some(number)
}

fn too_many(at: &Range<usize>) -> Fault {
    fault(format!("more repetitions than {MOST_REPEATS}"), at.clone())
}
