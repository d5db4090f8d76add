//! A regex that goes through any subject in linear time, with the memory that its searches use again.

use std::cell::RefCell;
use std::ops::Range;

use regex_automata::meta::{self, Cache, Regex};
use regex_automata::util::primitives::NonMaxUsize;
use regex_automata::util::syntax;
use regex_automata::{Input, MatchKind};

use super::sequence::{Outcome, Places, Sequence};

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

/// How far a search came without an automaton.
enum Ahead {
    /// To its end.
    Found(Option<Range<usize>>),
    /// There is no match before this place.
    Late(usize),
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
        // What the last `search` found stays as it is: there is no place to mark.
        let start = match self.ahead(subject, start, &mut []) {
            Ahead::Found(found) => return found,
            Ahead::Late(at) => at,
        };
        let mut work = self.work.borrow_mut();
        let work = work.get_or_insert_with(|| Work::of(&self.regex));
        let input = Input::new(subject).range(start..);
        self.regex.search_with(&mut work.cache, &input).map(|found| found.range())
    }

    /// As [`whole`](Self::whole); where its groups are, [`group`](Self::group) tells until the next such
    /// search.
    pub fn search(&self, subject: &[u8], start: usize) -> Option<Range<usize>> {
        let mut work = self.work.borrow_mut();
        let work = work.get_or_insert_with(|| Work::of(&self.regex));
        let start = match self.ahead(subject, start, &mut work.places) {
            Ahead::Found(found) => return found,
            Ahead::Late(at) => at,
        };
        let input = Input::new(subject).range(start..);
        self.regex.search_slots_with(&mut work.cache, &input, &mut work.places)?;
        work.group(0)
    }

    /// What the sequence finds, if there is one.
    #[inline]
    fn ahead(&self, subject: &[u8], start: usize, places: &mut Places) -> Ahead {
        let Some(sequence) = &self.sequence else { return Ahead::Late(start) };
        match sequence.search(subject, start, places) {
            Outcome::Found(whole) => Ahead::Found(Some(whole)),
            Outcome::Late(at) => Ahead::Late(at),
            Outcome::None => Ahead::Found(None),
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_those_of_the_last_search_whatever_was_found_as_a_whole_since() {
        let options = || syntax::Config::new().unicode(false).utf8(false);
        // The second one is no sequence.
        for text in ["([a-z]+)([0-9]+)", "(?:x|([a-z]+))([0-9]+)"] {
            let made = Linear::new(text, options(), 1 << 20, 1 << 20);
            let Ok(regex) = made else { panic!("{text}") };
            assert_eq!(regex.search(b"  ab12", 0), Some(2..6));
            assert_eq!(regex.whole(b"c3 d4", 1), Some(3..5));
            assert_eq!((regex.group(1), regex.group(2)), (Some(2..4), Some(4..6)), "{text}");
        }
    }
}
