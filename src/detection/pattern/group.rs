//! What follows a `(`: groups of all kinds and settings of flags.

use super::parser::{Flags, Parser, advised, fault};
use super::tree::Node;
use crate::detection::operators::Fault;

impl<'a> Parser<'a> {
    /// A group whose `(` was read at `start`.
    pub fn group(&mut self, start: usize) -> Result<Node, Fault> {
        if self.peek() == Some(b'*') {
            return Err(self.refused(start, "a verb", "matching that a verb directs"));
        }
        if !self.take(b"?") {
            return if self.flags.plain_groups { self.inside(start) } else { self.capture(start) };
        }
        match self.next() {
            Some(b':') => self.inside(start),
            Some(b'>') => Ok(Node::Atomic(Box::new(self.inside(start)?))),
            Some(b'=') => self.around(start, false, false),
            Some(b'!') => self.around(start, false, true),
            Some(b'<') if self.take(b"=") => self.around(start, true, false),
            Some(b'<') if self.take(b"!") => self.around(start, true, true),
            Some(b'<') => self.named(start, b'>'),
            Some(b'\'') => self.named(start, b'\''),
            Some(b'P') if self.take(b"<") => self.named(start, b'>'),
            Some(b'P') if self.take(b"=") => self.named_reference(start, b')'),
            Some(b'|') => Err(self.refused(start, "a branch reset", "groups that share a number")),
            Some(b'(') => Err(self.refused(start, "a condition", "conditional groups")),
            Some(b'C') => Err(self.refused(start, "a callout", "callouts")),
            Some(b'R' | b'&' | b'P' | b'+' | b'0'..=b'9') => {
                Err(self.refused(start, "a recursion", "expressions that call themselves"))
            }
            Some(_) => {
                self.at -= 1;
                self.settings(start)
            }
            None => Err(fault("unclosed group", start..start + 1)),
        }
    }

    fn refused(&self, start: usize, what: &str, which: &str) -> Fault {
        advised(
            format!("{what} in an expression"),
            start..self.at,
            format!("{which} are not run here: write the alternatives out"),
        )
    }

    /// Up to the `)`; flags end with it.
    fn inside(&mut self, start: usize) -> Result<Node, Fault> {
        let flags = self.flags;
        let node = self.alternation()?;
        if !self.take(b")") {
            return Err(advised(
                "unclosed group",
                start..start + 1,
                "to match a parenthesis, write `\\(`",
            ));
        }
        self.flags = flags;
        Ok(node)
    }

    fn capture(&mut self, start: usize) -> Result<Node, Fault> {
        self.groups += 1;
        Ok(Node::Capture(Box::new(self.inside(start)?)))
    }

    fn around(&mut self, start: usize, behind: bool, negated: bool) -> Result<Node, Fault> {
        let node = self.inside(start)?;
        let known = match &node {
            Node::Alternation(nodes) => nodes.iter().all(|node| node.length().is_some()),
            node => node.length().is_some(),
        };
        if behind && !known {
            let message = "a look-behind that matches now more, now fewer bytes";
            let help = "each of its alternatives has one length";
            return Err(advised(message, start..self.at, help));
        }
        Ok(Node::Around { behind, negated, node: Box::new(node) })
    }

    fn named(&mut self, start: usize, end: u8) -> Result<Node, Fault> {
        let name = self.name(start, end)?;
        if self.names.iter().any(|(known, _)| *known == name) {
            let message = format!("a second group `{}`", String::from_utf8_lossy(name));
            return Err(fault(message, start..self.at));
        }
        self.names.push((name, self.groups + 1));
        self.capture(start)
    }

    /// A name up to `end`.
    fn name(&mut self, start: usize, end: u8) -> Result<&'a [u8], Fault> {
        let name = self.take_until(end).unwrap_or_default();
        let word = name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
        if !word || name.first().is_none_or(u8::is_ascii_digit) {
            return Err(fault("a group's name is letters, digits and `_`", start..self.at));
        }
        Ok(name)
    }

    /// A reference by name, up to `end`.
    pub fn named_reference(&mut self, start: usize, end: u8) -> Result<Node, Fault> {
        let name = self.name(start, end)?;
        let named = self.names.iter().find(|(known, _)| *known == name);
        let Some((_, group)) = named else {
            let name = String::from_utf8_lossy(name);
            return Err(fault(format!("there is no group `{name}` before this"), start..self.at));
        };
        Ok(Node::Reference { group: *group, fold: self.flags.fold })
    }

    /// `(?i)` for the rest of the group, or `(?i:…)`.
    fn settings(&mut self, start: usize) -> Result<Node, Fault> {
        let before = self.flags;
        let mut on = true;
        if self.take(b"^") {
            self.flags = Flags { lazy: before.lazy, ..CLEARED };
        }
        loop {
            match self.next() {
                Some(b')') => return Ok(Node::Empty),
                Some(b':') => {
                    let node = self.inside(start)?;
                    self.flags = before;
                    return Ok(node);
                }
                Some(b'-') if on => on = false,
                Some(b'i') => self.flags.fold = on,
                Some(b'm') => self.flags.lines = on,
                Some(b's') => self.flags.dot_all = on,
                Some(b'x') if self.peek() != Some(b'x') => self.flags.extended = on,
                Some(b'n') => self.flags.plain_groups = on,
                Some(b'U') => self.flags.lazy = on,
                Some(_) => {
                    return Err(advised(
                        "not a kind of group",
                        start..self.at,
                        "flags are `i`, `m`, `s`, `x`, `n` and `U`",
                    ));
                }
                None => return Err(fault("unclosed group", start..start + 1)),
            }
        }
    }
}

const CLEARED: Flags = Flags {
    fold: false,
    lines: false,
    dot_all: false,
    extended: false,
    lazy: false,
    plain_groups: false,
};
