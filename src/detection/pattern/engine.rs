//! What runs an expression.

use std::ops::Range;

use regex::bytes::{Regex, RegexBuilder};

use super::backtrack::Search;
use super::byte_set::ByteSet;
use super::exact::{Exactness, exactness, first_bytes};
use super::program::{self, Program};
use super::shape::Shape;
use super::tree::Node;
use super::{Captures, Found};
use crate::detection::operators::Fault;

/// Memory that an automaton may take when compiled, in bytes: CRS's largest takes a twentieth.
const COMPILED_BYTES: usize = 10 << 20;
/// Nesting as the automaton's language counts it: up to five for each of our groups.
const DEEPEST: u32 = 300;

#[derive(Debug)]
pub enum Engine {
    Automaton {
        regex: Regex,
        /// Finds the captures, where an automaton's are not PCRE's.
        spans: Option<Program>,
    },
    /// `outline` matches wherever `exact` does, and more.
    Backtracking {
        outline: Regex,
        exact: Program,
        /// What a match begins with.
        first: Option<ByteSet>,
    },
    Shape(Shape),
}

impl Engine {
    /// # Errors
    /// If it is too large, or is refused for another reason.
    pub fn new(tree: &Node, translated: &str) -> Result<Self, Fault> {
        match Shape::of(tree) {
            Some(shape) => Ok(Self::Shape(shape)),
            None => Self::automaton(tree, translated),
        }
    }

    /// The same, whatever shape it has.
    pub fn automaton(tree: &Node, translated: &str) -> Result<Self, Fault> {
        let regex = compile(translated)?;
        Ok(match exactness(tree) {
            Exactness::None => {
                let exact = program::compile(tree)?;
                Self::Backtracking { outline: regex, exact, first: first_bytes(tree) }
            }
            Exactness::Verdict => Self::Automaton { regex, spans: program::compile(tree).ok() },
            Exactness::Spans => Self::Automaton { regex, spans: None },
        })
    }

    pub fn find(&self, value: &[u8]) -> Found {
        match self {
            Self::Automaton { regex, .. } => found(regex.is_match(value)),
            Self::Backtracking { outline, exact, first } => {
                let Some(place) = outline.find(value) else { return Found::No };
                search(exact, value, place.start(), *first).0
            }
            Self::Shape(shape) => shape.find(value),
        }
    }

    /// The captures of the first match that begins at or after `start`.
    pub fn captures(&self, value: &[u8], start: usize, captures: &mut Captures) -> Found {
        match self {
            Self::Automaton { regex, spans } => {
                let place = match spans {
                    None => regex.is_match_at(value, start).then_some(start),
                    Some(_) => regex.find_at(value, start).map(|whole| whole.start()),
                };
                let Some(place) = place else { return Found::No };
                let searched = spans.as_ref().map(|program| search(program, value, place, None));
                match searched {
                    Some((Found::Yes, search)) => captures.fill(|group| search.group(group)),
                    _ => captures.fill_from(regex, value, place),
                }
                Found::Yes
            }
            Self::Backtracking { outline, exact, first } => {
                let Some(place) = outline.find_at(value, start) else { return Found::No };
                let (found, search) = search(exact, value, place.start(), *first);
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
        // The last line says what is wrong; those before show the translated expression.
        error => {
            let told = error.to_string();
            let last = told.lines().last().unwrap_or_default();
            format!("the expression cannot be run: {}", last.trim_start_matches("error: "))
        }
    }
}

fn found(there: bool) -> Found {
    if there { Found::Yes } else { Found::No }
}

impl Captures {
    fn fill_from(&mut self, regex: &Regex, value: &[u8], start: usize) {
        if regex.captures_len() == 1 {
            let whole = regex.find_at(value, start).map(|whole| whole.range());
            return self.fill(|group| whole.clone().filter(|_| group == 0));
        }
        let mut places = regex.capture_locations();
        let _ = regex.captures_read_at(&mut places, value, start);
        self.fill(|group| places.get(group).map(|(start, end)| start..end));
    }

    fn fill(&mut self, group: impl Fn(usize) -> Option<Range<usize>>) {
        for (number, place) in self.groups.iter_mut().enumerate() {
            *place = group(number);
        }
    }
}
