//! An expression as a tree: flags are applied, letters are folded, names are numbers.

use super::byte_set::ByteSet;

/// A part of an expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    /// One of them, the first first.
    Alternation(Vec<Node>),
    /// A look-ahead or look-behind.
    Around {
        /// Whether it looks back.
        behind: bool,
        /// Whether it must not be there.
        negated: bool,
        /// What.
        node: Box<Node>,
    },
    /// Once it has matched, no other way of it is tried.
    Atomic(Box<Node>),
    /// One byte.
    Bytes(ByteSet),
    /// A group whose span is kept; numbered in the order of their beginnings.
    Capture(Box<Node>),
    /// One after the other.
    Concat(Vec<Node>),
    /// Nothing.
    Empty,
    /// `\K`: the match begins here.
    KeepOut,
    /// A condition on the place.
    Look(Look),
    /// What a group matched, again.
    Reference {
        /// The group.
        group: u32,
        /// Whether letters fold.
        fold: bool,
    },
    /// Several times.
    Repeat {
        /// What.
        node: Box<Node>,
        /// At least.
        min: u32,
        /// At most.
        max: Option<u32>,
        /// Whether the most is tried first.
        greedy: bool,
    },
}

/// A condition on the place alone. Lines end with `\n`, words are of ASCII.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// `\z`, and `$` unless it is of lines.
    End,
    /// `\Z`: the end, or before a last newline.
    EndOrNewline,
    /// `$` of lines.
    LineEnd,
    /// `^` of lines; never behind a last newline.
    LineStart,
    /// `\B`
    NotWordBoundary,
    /// `\A`, and `^` unless it is of lines.
    Start,
    /// `\b`
    WordBoundary,
    /// `[[:>:]]`
    WordEnd,
    /// `[[:<:]]`
    WordStart,
}

impl Node {
    /// Nodes one after the other.
    pub fn concat(mut nodes: Vec<Self>) -> Self {
        nodes.retain(|node| *node != Self::Empty);
        match nodes.len() {
            0 => Self::Empty,
            1 => nodes.remove(0),
            _ => Self::Concat(nodes),
        }
    }

    /// One of these nodes.
    pub fn alternation(mut nodes: Vec<Self>) -> Self {
        if nodes.len() == 1 { nodes.remove(0) } else { Self::Alternation(nodes) }
    }

    /// A node several times.
    pub fn repeat(node: Self, min: u32, max: Option<u32>, greedy: bool) -> Self {
        Self::Repeat { node: Box::new(node), min, max, greedy }
    }

    /// How many bytes it always matches; none if that differs.
    pub fn length(&self) -> Option<usize> {
        match self {
            Self::Alternation(nodes) => {
                let mut lengths = nodes.iter().map(Self::length);
                let first = lengths.next()??;
                lengths.all(|length| length == Some(first)).then_some(first)
            }
            Self::Around { .. } | Self::Empty | Self::KeepOut | Self::Look(_) => Some(0),
            Self::Atomic(node) | Self::Capture(node) => node.length(),
            Self::Bytes(_) => Some(1),
            Self::Concat(nodes) => {
                nodes.iter().try_fold(0_usize, |sum, node| sum.checked_add(node.length()?))
            }
            Self::Reference { .. } => None,
            Self::Repeat { node, min, max, .. } => {
                let times = max.filter(|max| max == min)?;
                node.length()?.checked_mul(times as usize)
            }
        }
    }

    /// How many groups in it capture.
    pub fn groups(&self) -> usize {
        match self {
            Self::Alternation(nodes) | Self::Concat(nodes) => nodes.iter().map(Self::groups).sum(),
            Self::Around { node, .. } | Self::Atomic(node) | Self::Repeat { node, .. } => {
                node.groups()
            }
            Self::Capture(node) => 1 + node.groups(),
            Self::Bytes(_)
            | Self::Empty
            | Self::KeepOut
            | Self::Look(_)
            | Self::Reference { .. } => 0,
        }
    }
}
