//! Many phrases at once, in any case of ASCII letters: what `@pm` and its like share.

use std::collections::HashSet;

use aho_corasick::{AhoCorasick, AhoCorasickKind};

use super::{Fault, Matcher, Scope};
use crate::detection::prefilter::Needs;

/// Bytes of all phrases together up to which the quickest automaton is chosen. It takes a table of
/// some hundred bytes for each of them; and few values come so far, as most lack what is needed.
const SMALL: usize = 256;
/// Bytes of all phrases together, at the most: an automaton takes fifty times as much.
const LARGEST: usize = 4 << 20;

/// A list of phrases, found in one pass.
#[derive(Debug)]
pub(super) struct Phrases {
    automaton: AhoCorasick,
    /// All phrases, one behind the other.
    text: Box<[u8]>,
    /// Where each ends.
    ends: Box<[usize]>,
}

impl Phrases {
    /// Of these phrases; an empty one would match everything, and is left out, as is one that was
    /// there before: an automaton takes quadratic time over equal ones.
    ///
    /// # Errors
    /// If they are too many for an automaton.
    pub(super) fn compile(mut phrases: Vec<Vec<u8>>) -> Result<Box<dyn Matcher>, Fault> {
        let mut seen = HashSet::new();
        phrases.retain(|phrase| !phrase.is_empty() && seen.insert(phrase.to_ascii_lowercase()));
        let size: usize = phrases.iter().map(Vec::len).sum();
        if size > LARGEST {
            return Err(Fault::new(format!("the phrases take more than {LARGEST} bytes")));
        }
        let automaton = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .kind((size > SMALL).then_some(AhoCorasickKind::ContiguousNFA))
            .build(&phrases)
            .map_err(|error| Fault::new(format!("the phrases are too many: {error}")))?;
        let ends = phrases.iter().scan(0, |end, phrase| {
            *end += phrase.len();
            Some(*end)
        });
        Ok(Box::new(Self { automaton, ends: ends.collect(), text: phrases.concat().into() }))
    }

    fn phrase(&self, number: usize) -> &[u8] {
        let start = number.checked_sub(1).and_then(|before| self.ends.get(before));
        let range = start.copied().unwrap_or(0)..self.ends.get(number).copied().unwrap_or(0);
        self.text.get(range).unwrap_or_default()
    }
}

/// The phrases of a text, one a line; blanks around them, empty lines and comments do not count.
pub(super) fn lines(text: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    text.split(|byte| *byte == b'\n')
        .map(<[u8]>::trim_ascii)
        .filter(|line| !line.is_empty() && !line.starts_with(b"#"))
        .map(<[u8]>::to_vec)
}

impl Matcher for Phrases {
    /// Of several, the one that ends first is captured, as it is listed.
    fn matches(&self, value: &[u8], scope: &mut Scope<'_>) -> bool {
        let Some(captures) = scope.captures.as_deref_mut() else {
            return self.automaton.is_match(value);
        };
        let Some(found) = self.automaton.find(value) else { return false };
        captures.clear();
        captures.texts.push(self.phrase(found.pattern().as_usize()).to_vec());
        true
    }

    fn needs(&self) -> Needs {
        Needs::one_of((0..self.ends.len()).map(|number| self.phrase(number)))
    }
}
