//! A tree, written for the automaton (crate `regex`): no flag is on, no byte but letters, digits
//! and `_` stands for itself, and nothing is left to a meaning that the crate does not share.

use std::fmt::Write as _;

use super::byte_set::ByteSet;
use super::tree::{Look, Node};

/// For the automaton. Where the tree needs backtracking, this matches more: wherever the tree
/// matches, this matches from the same place.
pub fn for_automaton(node: &Node) -> String {
    let mut writer = Writer { text: String::new() };
    writer.node(node);
    writer.text
}

struct Writer {
    text: String,
}

impl Writer {
    fn node(&mut self, node: &Node) {
        match node {
            Node::Alternation(nodes) => self.grouped("(?:", |writer| writer.alternatives(nodes)),
            Node::Bytes(set) => self.bytes(*set),
            Node::Capture(node) => self.grouped("(", |writer| writer.inside(node)),
            Node::Concat(nodes) => nodes.iter().for_each(|node| self.node(node)),
            Node::Look(look) => self.look(*look),
            Node::Repeat { node, min, max, greedy } => self.repeat(node, *min, *max, *greedy),
            Node::Atomic(node) => self.node(node),
            // Without these it matches more, as wherever a group's match may be anything.
            Node::Around { .. } | Node::Empty | Node::KeepOut => {}
            Node::Reference { .. } => self.text.push_str("(?s:.)*"),
        }
    }

    fn grouped(&mut self, opening: &str, inside: impl FnOnce(&mut Self)) {
        self.text.push_str(opening);
        inside(self);
        self.text.push(')');
    }

    /// In a group of its own, an alternation needs no other.
    fn inside(&mut self, node: &Node) {
        match node {
            Node::Alternation(nodes) => self.alternatives(nodes),
            node => self.node(node),
        }
    }

    fn alternatives(&mut self, nodes: &[Node]) {
        for (index, node) in nodes.iter().enumerate() {
            if index > 0 {
                self.text.push('|');
            }
            self.node(node);
        }
    }

    fn repeat(&mut self, node: &Node, min: u32, max: Option<u32>, greedy: bool) {
        match node {
            Node::Bytes(_) | Node::Capture(_) => self.node(node),
            node => self.grouped("(?:", |writer| writer.inside(node)),
        }
        let _ = match (min, max) {
            (0, None) => self.text.write_str("*"),
            (1, None) => self.text.write_str("+"),
            (0, Some(1)) => self.text.write_str("?"),
            (min, None) => write!(self.text, "{{{min},}}"),
            (min, Some(max)) => write!(self.text, "{{{min},{max}}}"),
        };
        if !greedy {
            self.text.push('?');
        }
    }

    fn look(&mut self, look: Look) {
        self.text.push_str(match look {
            Look::End => "\\z",
            // Also before another newline than the last.
            Look::EndOrNewline | Look::LineEnd => "(?m:$)",
            // Also behind a last newline.
            Look::LineStart => "(?m:^)",
            Look::NotWordBoundary => "\\B",
            Look::Start => "\\A",
            Look::WordBoundary => "\\b",
            Look::WordEnd => "\\b{end}",
            Look::WordStart => "\\b{start}",
        });
    }

    fn bytes(&mut self, set: ByteSet) {
        if set == ByteSet::ALL {
            return self.text.push_str("(?s:.)");
        }
        let ranges = set.ranges();
        if let [(first, last)] = ranges.as_slice()
            && first == last
        {
            return self.byte(*first);
        }
        if ranges.is_empty() {
            return self.text.push_str("[^\\x00-\\xff]");
        }
        self.text.push('[');
        for (first, last) in ranges {
            self.byte(first);
            if last > first {
                self.text.push('-');
                self.byte(last);
            }
        }
        self.text.push(']');
    }

    fn byte(&mut self, byte: u8) {
        if byte.is_ascii_alphanumeric() || byte == b'_' {
            self.text.push(char::from(byte));
        } else {
            let _ = write!(self.text, "\\x{byte:02x}");
        }
    }
}
