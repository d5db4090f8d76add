//! The longest of the leftmost matches, as PCRE's other engine finds it (option `d`).

use std::cell::RefCell;
use std::ops::Range;

use regex_automata::hybrid::dfa::{Cache, Config, DFA};
use regex_automata::nfa::thompson;
use regex_automata::util::syntax;
use regex_automata::{Anchored, Input, MatchKind};

use super::linear::Linear;

/// A regex that finds the longest of the leftmost matches.
pub struct Longest {
    /// Where a match begins: the same for both engines.
    first: Linear,
    automaton: DFA,
    cache: RefCell<Cache>,
}

/// What finds a regex's longest matches; none if it cannot be an automaton of that many bytes.
pub fn automaton(text: &str, options: syntax::Config, bytes: usize) -> Option<DFA> {
    let config = Config::new()
        .match_kind(MatchKind::All)
        .unicode_word_boundary(true)
        .cache_capacity(bytes)
        .skip_cache_capacity_check(true);
    DFA::builder()
        .configure(config)
        .syntax(options)
        .thompson(thompson::Config::new().utf8(false))
        .build(text)
        .ok()
}

impl Longest {
    /// Both forms of one regex.
    pub fn new(first: Linear, automaton: DFA) -> Self {
        let cache = RefCell::new(automaton.create_cache());
        Self { first, automaton, cache }
    }

    /// The match at or after `start`.
    pub fn at(&self, subject: &[u8], start: usize) -> Option<Range<usize>> {
        let shortest = self.first.whole(subject, start)?;
        let input = Input::new(subject).range(shortest.start..).anchored(Anchored::Yes);
        let longest = self.automaton.try_search_fwd(&mut self.cache.borrow_mut(), &input);
        match longest {
            Ok(Some(end)) => Some(shortest.start..end.offset()),
            // It gave up: what is found is a match all the same.
            Ok(None) | Err(_) => Some(shortest),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_alternatives_the_longest_is_found() {
        for (text, subject, found) in [
            ("he|hell", &b"xhello"[..], Some(1..5)),
            ("[0-9]|[0-9][0-9]", b"1234", Some(0..2)),
            ("a*?", b"aaa", Some(0..3)),
            ("b", b"aaa", None),
        ] {
            let options = syntax::Config::new().unicode(false).utf8(false);
            let Ok(first) = Linear::new(text, options, 64 << 10, 64 << 10) else {
                panic!("{text}")
            };
            let longest = Longest::new(first, automaton(text, options, 64 << 10).unwrap());
            assert_eq!(longest.at(subject, 0), found, "{text}");
        }
    }
}
