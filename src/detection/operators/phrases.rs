//! Many phrases at once, in any case of ASCII letters: what `@pm` and its like share.

use std::collections::HashSet;

use aho_corasick::{AhoCorasick, AhoCorasickKind};

use super::{Fault, Matcher, Scope};
use crate::detection::prefilter::Needs;

/// Bytes of all phrases together up to which the quickest automaton is chosen; it takes a quarter of
/// a KiB for each of them, and few values get here.
const SMALL: usize = 512;
/// Bytes of all phrases together, at the most: an automaton takes fifty times as much.
const LARGEST: usize = 4 << 20;

/// A list of phrases, found in one pass.
#[derive(Debug)]
pub(super) struct Phrases {
    automaton: AhoCorasick,
    phrases: Vec<Vec<u8>>,
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
        Ok(Box::new(Self { automaton, phrases }))
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
        captures.texts.extend(self.phrases.get(found.pattern().as_usize()).cloned());
        true
    }

    fn needs(&self) -> Needs {
        Needs::one_of(self.phrases.iter().map(Vec::as_slice))
    }
}
