//! What runs an expression.

use std::ops::Range;

use fancy_regex::{BytesMode, RegexBuilder as FancyBuilder};
use regex::bytes::{Regex, RegexBuilder};

use super::{Captures, Found};
use crate::detection::operators::Fault;

/// Memory that an automaton may take when compiled, in bytes: CRS's largest takes a twentieth.
const COMPILED_BYTES: usize = 10 << 20;
/// Steps back that a search may take. About ten milliseconds.
const STEPS: usize = 200_000;
/// Instructions of an expression that backtracks.
const INSTRUCTIONS: usize = 100_000;

#[derive(Debug)]
pub enum Engine {
    Automaton(Regex),
    /// `outline` matches wherever `exact` does, and more.
    Backtracking {
        outline: Regex,
        exact: fancy_regex::Regex,
    },
}

impl Engine {
    pub fn automaton(expression: &str) -> Result<Self, Fault> {
        compile(expression).map(Self::Automaton)
    }

    pub fn backtracking(outline: &str, exact: &str) -> Result<Self, Fault> {
        let outline = compile(outline)?;
        let exact = FancyBuilder::new(exact)
            .bytes_mode(BytesMode::Ascii)
            .backtrack_limit(STEPS)
            .delegate_size_limit(COMPILED_BYTES)
            .max_prog_size(INSTRUCTIONS)
            .build()
            .map_err(|error| Fault::new(format!("the expression cannot be run: {error}")))?;
        Ok(Self::Backtracking { outline, exact })
    }

    pub fn find(&self, value: &[u8]) -> Found {
        match self {
            Self::Automaton(regex) => found(regex.is_match(value)),
            Self::Backtracking { outline, exact } => {
                let Some(first) = outline.find(value) else { return Found::No };
                match exact.find_from_pos(value, first.start()) {
                    Ok(there) => found(there.is_some()),
                    Err(_) => Found::Cut,
                }
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
            Self::Backtracking { outline, exact } => {
                let Some(first) = outline.find_at(value, start) else { return Found::No };
                match exact.captures_from_pos(value, first.start()) {
                    Ok(None) => Found::No,
                    Ok(Some(there)) => {
                        captures.fill(|group| there.get(group).map(|part| part.range()));
                        Found::Yes
                    }
                    Err(_) => Found::Cut,
                }
            }
        }
    }
}

fn compile(expression: &str) -> Result<Regex, Fault> {
    RegexBuilder::new(expression)
        .unicode(false)
        .size_limit(COMPILED_BYTES)
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
