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

/// Something that never succeeds.
const NOWHERE: Next = Next { first: ByteSet::EMPTY, surely: false, at_end: false };

/// What an automaton can do with an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exactness {
    /// It matches too much.
    None,
    /// It matches where PCRE does, but not always the same: where PCRE leaves a loop because a
    /// turn of it matched nothing, an automaton prefers other ways.
    Verdict,
    /// It finds the same spans.
    Spans,
}

/// What an automaton can do with an expression.
pub fn exactness(node: &Node) -> Exactness {
    exact(node, NOTHING)
}

fn exact(node: &Node, next: Next) -> Exactness {
    match node {
        Node::Alternation(nodes) => least(nodes.iter().map(|node| exact(node, next))),
        // Its group is left open, so that what is in it is followed by what follows it.
        Node::Atomic(node) if has_one_way(node, next) => exact(node, next),
        Node::Capture(node) => exact(node, next),
        Node::Concat(nodes) => least(with_next(nodes, next).map(|(node, next)| exact(node, next))),
        // An automaton's `^` also stands behind a last newline.
        Node::Look(Look::LineStart) if !next.at_end => Exactness::Spans,
        Node::Around { .. }
        | Node::Atomic(_)
        | Node::KeepOut
        | Node::Look(Look::EndOrNewline | Look::LineStart)
        | Node::Reference { .. } => Exactness::None,
        Node::Bytes(_) | Node::Empty | Node::Look(_) => Exactness::Spans,
        Node::Repeat { node, min, max, .. } => {
            let turn = exact(node, in_loop(node, *min, *max, next));
            let endless = max.is_none() && can_be_empty(node);
            if endless { turn.min(Exactness::Verdict) } else { turn }
        }
    }
}

fn least(parts: impl Iterator<Item = Exactness>) -> Exactness {
    parts.min().unwrap_or(Exactness::Spans)
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
        Node::Concat(nodes) => with_next(nodes, next).all(|(node, next)| has_one_way(node, next)),
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

/// Whether, where one of them matches, none behind it leads to what is next.
fn apart(nodes: &[Node], next: Next) -> bool {
    let mut seen = NOWHERE;
    nodes.iter().all(|node| {
        let way = before(node, next);
        let apart = way.first.and(seen.first).is_empty() && !(way.at_end && seen.at_end);
        seen = either(seen, before(node, NOTHING));
        apart
    })
}

/// Each node of a sequence with what follows it, the last first.
fn with_next(nodes: &[Node], next: Next) -> impl Iterator<Item = (&Node, Next)> {
    nodes.iter().rev().scan(next, |next, node| {
        let after = *next;
        *next = before(node, after);
        Some((node, after))
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
        Node::Alternation(nodes) => {
            nodes.iter().map(|node| before(node, next)).fold(NOWHERE, either)
        }
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
            Next { surely: next.surely, ..either(before(node, NOTHING), next) }
        }
        Node::Repeat { node, .. } => before(node, Next { surely: next.surely, ..NOTHING }),
    }
}

fn either(a: Next, b: Next) -> Next {
    Next { first: a.first.or(b.first), surely: a.surely || b.surely, at_end: a.at_end || b.at_end }
}
