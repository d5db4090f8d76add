//! A tree as the automata's compiler takes it.

use regex_syntax::hir::{
    Capture, Class, ClassBytes, ClassBytesRange, Hir, Look as There, Repetition,
};

use super::byte_set::ByteSet;
use super::tree::{Look, Node};

/// For an automaton. Where the tree needs backtracking, this matches more: wherever the tree
/// matches, this matches from the same place.
pub fn for_automaton(node: &Node) -> Hir {
    Writer { groups: 0 }.node(node)
}

struct Writer {
    /// Groups that were opened.
    groups: u32,
}

impl Writer {
    fn node(&mut self, node: &Node) -> Hir {
        match node {
            Node::Alternation(nodes) => {
                Hir::alternation(nodes.iter().map(|node| self.node(node)).collect())
            }
            Node::Atomic(node) => self.node(node),
            Node::Bytes(set) => Hir::class(class(*set)),
            Node::Capture(node) => {
                self.groups += 1;
                let index = self.groups;
                let sub = Box::new(self.node(node));
                Hir::capture(Capture { index, name: None, sub })
            }
            Node::Concat(nodes) => Hir::concat(nodes.iter().map(|node| self.node(node)).collect()),
            Node::Look(look) => Hir::look(there(*look)),
            Node::Repeat { node, min, max, greedy } => {
                let sub = Box::new(self.node(node));
                Hir::repetition(Repetition { min: *min, max: *max, greedy: *greedy, sub })
            }
            // Without these it matches more, as wherever a group's match may be anything.
            Node::Around { .. } | Node::Empty | Node::KeepOut => Hir::empty(),
            Node::Reference { .. } => {
                let sub = Box::new(Hir::class(class(ByteSet::ALL)));
                Hir::repetition(Repetition { min: 0, max: None, greedy: true, sub })
            }
        }
    }
}

fn class(set: ByteSet) -> Class {
    let ranges = set.ranges();
    let ranges = ranges.iter().map(|(first, last)| ClassBytesRange::new(*first, *last));
    Class::Bytes(ClassBytes::new(ranges))
}

fn there(look: Look) -> There {
    match look {
        Look::End => There::End,
        // Also before another newline than the last.
        Look::EndOrNewline | Look::LineEnd => There::EndLF,
        // Also behind a last newline.
        Look::LineStart => There::StartLF,
        Look::NotWordBoundary => There::WordAsciiNegate,
        Look::Start => There::Start,
        Look::WordBoundary => There::WordAscii,
        Look::WordEnd => There::WordEndAscii,
        Look::WordStart => There::WordStartAscii,
    }
}
