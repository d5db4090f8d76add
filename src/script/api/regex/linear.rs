//! A regex that goes through any subject in linear time, with the memory that its searches use again.

use std::cell::RefCell;
use std::ops::Range;

use regex_automata::meta::{self, Cache, Regex};
use regex_automata::util::primitives::NonMaxUsize;
use regex_automata::util::syntax;
use regex_automata::{Input, MatchKind};

use super::sequence::{Outcome, Sequence};

/// A regex of a state, which one thread has for itself.
pub struct Linear {
    regex: Regex,
    /// The same in a form that is searched faster, if it has one.
    sequence: Option<Sequence>,
    /// None before the first search.
    work: RefCell<Option<Box<Work>>>,
}

/// What searches write into.
struct Work {
    cache: Cache,
    /// Where the groups of the last search begin and end.
    places: Vec<Option<NonMaxUsize>>,
}

/// Why there is no such regex.
pub enum Refused {
    /// It takes more memory than it may.
    TooLarge,
    /// In the words of whoever reads it.
    Wrong(String),
}

impl Linear {
    /// A regex whose program takes `bytes` at the most, and its lazy automaton `automaton_bytes`.
    pub fn new(
        text: &str,
        options: syntax::Config,
        bytes: usize,
        automaton_bytes: usize,
    ) -> Result<Self, Refused> {
        let config = meta::Config::new()
            .match_kind(MatchKind::LeftmostFirst)
            .utf8_empty(false)
            .nfa_size_limit(Some(bytes))
            .hybrid_cache_capacity(automaton_bytes);
        let parsed = syntax::parse_with(text, &options);
        let parsed = parsed.map_err(|wrong| Refused::Wrong(wrong.to_string()))?;
        let built = meta::Builder::new().configure(config).build_from_hir(&parsed);
        let regex = built.map_err(|error| match error.size_limit() {
            Some(_) => Refused::TooLarge,
            None => Refused::Wrong(error.to_string()),
        })?;
        Ok(Self { regex, sequence: Sequence::of(&parsed), work: RefCell::default() })
    }

    /// How many groups there are, the whole match included.
    pub fn groups(&self) -> usize {
        self.regex.captures_len()
    }

    /// Where the first match at or after `start` is.
    pub fn whole(&self, subject: &[u8], start: usize) -> Option<Range<usize>> {
        self.found(subject, start, |regex, work, input| {
            regex.search_with(&mut work.cache, input).map(|found| found.range())
        })
    }

    /// As [`whole`](Self::whole); where its groups are, [`group`](Self::group) tells until the next such
    /// search.
    pub fn search(&self, subject: &[u8], start: usize) -> Option<Range<usize>> {
        self.found(subject, start, |regex, work, input| {
            regex.search_slots_with(&mut work.cache, input, &mut work.places)?;
            work.group(0)
        })
    }

    /// What the sequence finds, or `other`.
    #[inline]
    fn found(
        &self,
        subject: &[u8],
        mut start: usize,
        other: impl FnOnce(&Regex, &mut Work, &Input<'_>) -> Option<Range<usize>>,
    ) -> Option<Range<usize>> {
        let mut work = self.work.borrow_mut();
        let work = work.get_or_insert_with(|| Work::of(&self.regex));
        if let Some(sequence) = &self.sequence {
            match sequence.search(subject, start, &mut work.places) {
                Outcome::Found(whole) => return Some(whole),
                Outcome::Late(at) => start = at,
                Outcome::None => return None,
            }
        }
        other(&self.regex, work, &Input::new(subject).range(start..))
    }

    /// Where a group of the last [`search`](Self::search) is, if that found it.
    pub fn group(&self, group: usize) -> Option<Range<usize>> {
        self.work.borrow().as_ref()?.group(group)
    }
}

impl Work {
    fn of(regex: &Regex) -> Box<Self> {
        let places = vec![None; regex.captures_len() * 2];
        Box::new(Self { cache: regex.create_cache(), places })
    }

    fn group(&self, group: usize) -> Option<Range<usize>> {
        match self.places.get(group * 2..)? {
            [Some(start), Some(end), ..] => Some(start.get()..end.get()),
            _ => None,
        }
    }
}
