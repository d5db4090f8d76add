//! What can be said without backtracking.
//!
//! An atomic group (and a possessive quantifier is one) can be left open where no other way of it
//! could lead on: either what follows always succeeds, so that no other way is asked for, or no
//! other way is followed by a byte that what follows begins with.

use super::byte_set::ByteSet;
use super::tree::{Look, Node};

/// What comes after a place, up to the end of the expression.
#[derive(Debug, Clone, Copy)]
pub struct Next {
    /// The bytes before which it may succeed.
    first: ByteSet,
    /// Whether it succeeds everywhere.
    surely: bool,
    /// Whether it may succeed at the end of the value.
    at_end: bool,
}

/// Nothing: the expression ends here.
const NOTHING: Next = Next { first: ByteSet::ALL, surely: true, at_end: true };

/// The bytes that a match begins with; none if it may begin anywhere, even at the end.
pub fn first_bytes(node: &Node) -> Option<ByteSet> {
    let next = before(node, NOTHING);
    (!next.at_end).then_some(next.first)
}

/// Whether it may match nothing.
pub fn can_be_empty(node: &Node) -> bool {
    before(node, NOTHING).at_end
}

/// Whether an automaton finds the same spans as PCRE.
pub fn is_exact(node: &Node) -> bool {
    exact(node, NOTHING)
}

fn exact(node: &Node, next: Next) -> bool {
    match node {
        Node::Alternation(nodes) => nodes.iter().all(|node| exact(node, next)),
        Node::Around { .. } | Node::KeepOut | Node::Reference { .. } => false,
        Node::Atomic(node) => (next.surely || has_one_way(node, next)) && exact(node, NOTHING),
        Node::Bytes(_) | Node::Empty => true,
        Node::Capture(node) => exact(node, next),
        Node::Concat(nodes) => each_with_next(nodes, next, exact),
        // An automaton's `^` also stands behind a last newline.
        Node::Look(Look::LineStart) => !next.at_end,
        Node::Look(Look::EndOrNewline) => false,
        Node::Look(_) => true,
        Node::Repeat { node, min, max, .. } => exact(node, in_loop(node, *min, *max, next)),
    }
}

/// Whether, once `node` has matched, no other way of it leads to what is next.
fn has_one_way(node: &Node, next: Next) -> bool {
    if next.surely {
        return true;
    }
    match node {
        Node::Alternation(nodes) => {
            apart(nodes, next) && nodes.iter().all(|node| has_one_way(node, next))
        }
        Node::Capture(node) => has_one_way(node, next),
        Node::Concat(nodes) => each_with_next(nodes, next, has_one_way),
        Node::Repeat { node, min, max, .. } if Some(*min) == *max => {
            has_one_way(node, in_loop(node, *min, *max, next))
        }
        Node::Repeat { node, min, max, greedy } => {
            let again = before(node, NOTHING).first;
            *greedy
                && again.and(next.first).is_empty()
                && has_one_way(node, in_loop(node, *min, *max, next))
        }
        Node::Around { .. }
        | Node::Atomic(_)
        | Node::Bytes(_)
        | Node::Empty
        | Node::KeepOut
        | Node::Look(_)
        | Node::Reference { .. } => true,
    }
}

/// Whether no two of them may begin at the same place.
fn apart(nodes: &[Node], next: Next) -> bool {
    let mut seen = ByteSet::EMPTY;
    nodes.iter().all(|node| {
        let after = before(node, next);
        let new = after.first.and(seen).is_empty() && !after.at_end;
        seen = seen.or(after.first);
        new
    })
}

/// Asks each node of a sequence, with what follows it.
fn each_with_next(nodes: &[Node], next: Next, ask: fn(&Node, Next) -> bool) -> bool {
    let mut next = next;
    nodes.iter().rev().all(|node| {
        let answer = ask(node, next);
        next = before(node, next);
        answer
    })
}

/// What follows one repetition: another, or what follows them all.
fn in_loop(node: &Node, min: u32, max: Option<u32>, next: Next) -> Next {
    if max == Some(1) {
        return next;
    }
    let again = before(node, NOTHING);
    Next {
        first: again.first.or(next.first),
        surely: next.surely && min <= 1,
        at_end: again.at_end || next.at_end,
    }
}

/// What comes after the place before `node`.
fn before(node: &Node, next: Next) -> Next {
    let unsure = Next { surely: false, ..next };
    match node {
        Node::Alternation(nodes) => either(nodes.iter().map(|node| before(node, next))),
        Node::Atomic(node) => {
            let inside = before(node, next);
            Next { surely: inside.surely && next.surely, ..inside }
        }
        Node::Bytes(set) => Next { first: *set, surely: false, at_end: false },
        Node::Capture(node) => before(node, next),
        Node::Concat(nodes) => nodes.iter().rev().fold(next, |next, node| before(node, next)),
        Node::Empty | Node::KeepOut => next,
        Node::Look(Look::End) => Next { first: ByteSet::EMPTY, ..unsure },
        Node::Look(Look::EndOrNewline | Look::LineEnd) => {
            Next { first: next.first.and(ByteSet::one(b'\n')), ..unsure }
        }
        Node::Around { .. } | Node::Look(_) => unsure,
        Node::Reference { .. } => Next { first: ByteSet::ALL, surely: false, at_end: true },
        Node::Repeat { min: 0, node, .. } => {
            Next { surely: next.surely, ..either([before(node, NOTHING), next].into_iter()) }
        }
        Node::Repeat { node, .. } => before(node, Next { surely: next.surely, ..NOTHING }),
    }
}

fn either(ways: impl Iterator<Item = Next>) -> Next {
    let none = Next { first: ByteSet::EMPTY, surely: false, at_end: false };
    ways.fold(none, |a, b| Next {
        first: a.first.or(b.first),
        surely: a.surely || b.surely,
        at_end: a.at_end || b.at_end,
    })
}
