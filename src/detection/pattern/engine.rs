//! What runs an expression.

use std::ops::Range;

use regex::bytes::{Regex, RegexBuilder};

use super::backtrack::Search;
use super::byte_set::ByteSet;
use super::exact::first_bytes;
use super::program::{self, Program};
use super::tree::Node;
use super::{Captures, Found};
use crate::detection::operators::Fault;

/// Memory that an automaton may take when compiled, in bytes: CRS's largest takes a twentieth.
const COMPILED_BYTES: usize = 10 << 20;
/// Groups within groups, as the automaton's language counts them: a repeated group is two.
const DEEPEST: u32 = 600;

#[derive(Debug)]
pub enum Engine {
    Automaton(Regex),
    /// `outline` matches wherever `exact` does, and more.
    Backtracking {
        outline: Regex,
        exact: Program,
        /// What a match begins with.
        first: Option<ByteSet>,
    },
}

impl Engine {
    pub fn automaton(expression: &str) -> Result<Self, Fault> {
        compile(expression).map(Self::Automaton)
    }

    pub fn backtracking(outline: &str, tree: &Node) -> Result<Self, Fault> {
        let (outline, exact) = (compile(outline)?, program::compile(tree)?);
        Ok(Self::Backtracking { outline, exact, first: first_bytes(tree) })
    }

    pub fn find(&self, value: &[u8]) -> Found {
        match self {
            Self::Automaton(regex) => found(regex.is_match(value)),
            Self::Backtracking { outline, exact, first } => {
                let Some(place) = outline.find(value) else { return Found::No };
                let mut search = Search::new(exact, value);
                search.find(place.start(), *first).map_or(Found::Cut, found)
            }
        }
    }

    pub fn captures(&self, value: &[u8], start: usize, captures: &mut Captures) -> Found {
        match self {
            Self::Automaton(regex) => {
                if !regex.is_match_at(value, start) {
                    return Found::No;
                }
                let mut places = regex.capture_locations();
                let _ = regex.captures_read_at(&mut places, value, start);
                captures.fill(|group| places.get(group).map(|(start, end)| start..end));
                Found::Yes
            }
            Self::Backtracking { outline, exact, first } => {
                let Some(place) = outline.find_at(value, start) else { return Found::No };
                let mut search = Search::new(exact, value);
                let found = search.find(place.start(), *first).map_or(Found::Cut, found);
                if found == Found::Yes {
                    captures.fill(|group| search.group(group));
                }
                found
            }
        }
    }
}

fn compile(expression: &str) -> Result<Regex, Fault> {
    RegexBuilder::new(expression)
        .unicode(false)
        .size_limit(COMPILED_BYTES)
        .nest_limit(DEEPEST)
        .build()
        .map_err(|error| Fault::new(told(&error)))
}

fn told(error: &regex::Error) -> String {
    match error {
        regex::Error::CompiledTooBig(limit) => {
            format!("the expression takes more than {limit} bytes when compiled")
        }
        error => format!("the expression cannot be run: {error}"),
    }
}

fn found(there: bool) -> Found {
    if there { Found::Yes } else { Found::No }
}

impl Captures {
    fn fill(&mut self, group: impl Fn(usize) -> Option<Range<usize>>) {
        for (number, place) in self.groups.iter_mut().enumerate() {
            *place = group(number);
        }
    }
}
