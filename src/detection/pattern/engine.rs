//! What runs an expression.

use std::ops::Range;

use regex_syntax::hir::Hir;

use super::automaton::Automaton;
use super::backtrack::Search;
use super::byte_set::ByteSet;
use super::exact::{Exactness, exactness, first_bytes};
use super::program::{self, Program};
use super::shape::Shape;
use super::tree::Node;
use super::{Captures, Found, outline};
use crate::detection::operators::Fault;
use crate::memory::heap::apart;

/// What runs an expression.
#[derive(Debug)]
pub enum Engine {
    Automaton {
        automaton: Automaton,
        /// Finds the captures, where an automaton's are not PCRE's.
        spans: Option<Program>,
    },
    /// `outline` matches wherever `exact` does, and more.
    Backtracking {
        outline: Automaton,
        exact: Program,
        /// What a match begins with.
        first: Option<ByteSet>,
    },
    Shape(Shape),
}

impl Engine {
    /// # Errors
    /// If it is too large.
    pub fn new(tree: &Node) -> Result<Self, Fault> {
        match Shape::of(tree) {
            Some(shape) => Ok(Self::Shape(shape)),
            None => Self::automaton(tree),
        }
    }

    /// The same, whatever shape it has.
    pub fn automaton(tree: &Node) -> Result<Self, Fault> {
        let outline = apart(|| outline::for_automaton(tree));
        let automaton = Automaton::new(&outline)?;
        Ok(match exactness(tree) {
            Exactness::None => {
                let exact = program::compile(tree)?;
                Self::Backtracking { outline: automaton, exact, first: first_bytes(tree) }
            }
            Exactness::Verdict => Self::Automaton { automaton, spans: program::compile(tree).ok() },
            Exactness::Spans => Self::Automaton { automaton, spans: None },
        })
    }

    /// Whether it is found. `tree` is the outline of what this was made of.
    pub fn find(&self, value: &[u8], tree: impl Fn() -> Option<Hir>) -> Found {
        match self {
            Self::Automaton { automaton, .. } => found(automaton.is_in(value)),
            Self::Backtracking { outline, exact, first } => {
                let Some(place) = outline.span(value, 0, tree) else { return Found::No };
                search(exact, value, place.start, *first).0
            }
            Self::Shape(shape) => shape.find(value),
        }
    }

    /// The captures of the first match that begins at or after `start`.
    pub fn captures(
        &self,
        value: &[u8],
        start: usize,
        tree: impl Fn() -> Option<Hir>,
        captures: &mut Captures,
    ) -> Found {
        match self {
            Self::Automaton { automaton, spans } => {
                // Most values do not match: where a match begins is asked for only then.
                if !automaton.is_in_from(value, start) {
                    return Found::No;
                }
                let Some(whole) = automaton.span(value, start, &tree) else { return Found::No };
                let searched =
                    spans.as_ref().map(|program| search(program, value, whole.start, None));
                match searched {
                    Some((Found::Yes, search)) => captures.fill(|group| search.group(group)),
                    _ => automaton.groups(value, whole, tree, captures),
                }
                Found::Yes
            }
            Self::Backtracking { outline, exact, first } => {
                let Some(place) = outline.span(value, start, tree) else { return Found::No };
                let (found, search) = search(exact, value, place.start, *first);
                if found == Found::Yes {
                    captures.fill(|group| search.group(group));
                }
                found
            }
            Self::Shape(shape) => shape.captures(value, start, captures),
        }
    }
}

fn search<'a>(
    program: &'a Program,
    value: &'a [u8],
    start: usize,
    first: Option<ByteSet>,
) -> (Found, Search<'a>) {
    let mut search = Search::new(program, value);
    let outcome = search.find(start, first);
    (outcome.map_or(Found::Cut, found), search)
}

fn found(there: bool) -> Found {
    if there { Found::Yes } else { Found::No }
}

impl Captures {
    /// Sets each group.
    pub(super) fn fill(&mut self, group: impl Fn(usize) -> Option<Range<usize>>) {
        for (number, place) in self.groups.iter_mut().enumerate() {
            *place = group(number);
        }
    }
}
