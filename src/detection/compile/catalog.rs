//! Which rules there are, and which of them a directive or action speaks of.

use super::draft::Draft;
use crate::detection::RuleIndex;
use crate::detection::pattern::{Case, Found, Pattern};

/// The ids of `modsecurity.conf-recommended`.
const RECOMMENDED: std::ops::RangeInclusive<u64> = 200_000..=200_099;

/// A choice among rules.
pub(in crate::detection) enum Choice {
    /// Ids and ranges of ids, both ends included.
    Ids(Vec<(u64, u64)>),
    /// By message.
    Message(Expression),
    /// By any tag.
    Tag(Expression),
}

/// A text that is found as it is or as a regular expression. ModSecurity 2 took it for an
/// expression, 3 takes it literally: both kinds of authors get what they meant.
pub(in crate::detection) struct Expression {
    literal: Vec<u8>,
    sought: Sought,
}

/// Where an expression is found other than in a text that is the same.
enum Sought {
    /// Where its pattern is.
    Pattern(Box<Pattern>),
    /// Nowhere: it is none.
    Nowhere,
    /// Wherever it stands as it is: nothing in it means anything else.
    Text(Box<memchr::memmem::Finder<'static>>),
}

/// All rules in order; the number of each is its index. After them, those that were removed.
#[derive(Default)]
pub(super) struct Catalog {
    entries: Vec<Entry>,
    removed: Vec<Entry>,
}

struct Entry {
    id: u64,
    tags: Vec<Vec<u8>>,
    message: Vec<u8>,
}

impl Expression {
    pub(in crate::detection) fn new(written: &[u8]) -> Self {
        let sought = if written.iter().all(|byte| is_plain(*byte)) {
            Sought::Text(Box::new(memchr::memmem::Finder::new(written).into_owned()))
        } else {
            Pattern::new(written, Case::Differs)
                .map_or(Sought::Nowhere, |pattern| Sought::Pattern(Box::new(pattern)))
        };
        Self { literal: written.to_vec(), sought }
    }

    fn finds(&self, text: &[u8]) -> bool {
        self.literal == text
            || match &self.sought {
                Sought::Pattern(pattern) => pattern.find(text) == Found::Yes,
                Sought::Nowhere => false,
                Sought::Text(finder) => finder.find(text).is_some(),
            }
    }
}

impl Choice {
    /// Whether a rule is meant.
    pub(in crate::detection) fn has<'t>(
        &self,
        id: u64,
        mut tags: impl Iterator<Item = &'t [u8]>,
        message: &[u8],
    ) -> bool {
        match self {
            Self::Ids(ranges) => ranges.iter().any(|(first, last)| (*first..=*last).contains(&id)),
            Self::Message(expression) => !message.is_empty() && expression.finds(message),
            Self::Tag(expression) => tags.any(|tag| expression.finds(tag)),
        }
    }

    pub(super) fn has_draft(&self, draft: &Draft<'_>) -> bool {
        self.has(draft.id, draft.tags(), draft.message())
    }

    /// Each range of ids alone, so that one that means no rule is not hidden by its neighbours.
    pub(in crate::detection) fn parts(self) -> Vec<Self> {
        match self {
            Self::Ids(ranges) => ranges.into_iter().map(|range| Self::Ids(vec![range])).collect(),
            other => vec![other],
        }
    }

    /// Whether it means a rule of `modsecurity.conf-recommended`, which rule sets exclude whether it
    /// is there or not.
    fn is_recommended(&self) -> bool {
        matches!(self, Self::Ids(ranges) if ranges.iter().all(|(first, last)| {
            RECOMMENDED.contains(first) && RECOMMENDED.contains(last)
        }))
    }

    /// What it asks for, as part of a sentence: `the id 5`.
    pub(in crate::detection) fn words(&self) -> String {
        match self {
            Self::Ids(ranges) => match ranges.as_slice() {
                [(first, last)] if first == last => format!("the id `{first}`"),
                [(first, last)] => format!("an id from `{first}` to `{last}`"),
                _ => "one of these ids".to_owned(),
            },
            Self::Message(expression) => format!("the message `{}`", expression.written()),
            Self::Tag(expression) => format!("the tag `{}`", expression.written()),
        }
    }
}

impl Expression {
    fn written(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.literal)
    }
}

/// Whether a byte stands for itself in every expression.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b' ' | b'-' | b'/' | b'_')
}

impl Catalog {
    pub(super) fn push(&mut self, draft: &Draft<'_>) {
        let tags = draft.tags().map(<[u8]>::to_vec).collect();
        let entry = Entry { id: draft.id, tags, message: draft.message().to_vec() };
        if draft.removed { self.removed.push(entry) } else { self.entries.push(entry) }
    }

    /// The rules that are meant; none if there never was one that could be.
    pub(super) fn rules(&self, choice: &Choice) -> Option<Vec<RuleIndex>> {
        let is_meant = |entry: &Entry| {
            choice.has(entry.id, entry.tags.iter().map(Vec::as_slice), &entry.message)
        };
        let numbered = (0..).map(RuleIndex).zip(&self.entries);
        let found: Vec<_> =
            numbered.filter(|(_, entry)| is_meant(entry)).map(|(index, _)| index).collect();
        let is_expected =
            !found.is_empty() || choice.is_recommended() || self.removed.iter().any(is_meant);
        is_expected.then_some(found)
    }
}

/// Ids and ranges of ids: `1-5,7 9`.
///
/// # Errors
/// The part that is neither.
pub(in crate::detection) fn ids(text: &[u8]) -> Result<Vec<(u64, u64)>, String> {
    let text = String::from_utf8_lossy(text);
    let parts = text.split([',', ' ', '\t']).filter(|part| !part.is_empty());
    let ranges: Vec<_> = parts.map(range).collect::<Result<_, _>>()?;
    if ranges.is_empty() { Err(text.into_owned()) } else { Ok(ranges) }
}

fn range(part: &str) -> Result<(u64, u64), String> {
    let (first, last) = part.split_once('-').unwrap_or((part, part));
    let fault = || part.to_owned();
    let first = first.trim().parse().map_err(|_| fault())?;
    let last = last.trim().parse().map_err(|_| fault())?;
    if first <= last { Ok((first, last)) } else { Err(fault()) }
}

#[cfg(test)]
mod tests {
    use super::{Choice, Expression, ids};

    #[test]
    fn ids_come_alone_in_ranges_and_in_lists() {
        assert_eq!(ids(b"1"), Ok(vec![(1, 1)]));
        assert_eq!(ids(b"1-5, 7 9"), Ok(vec![(1, 5), (7, 7), (9, 9)]));
        for text in ["", "x", "5-1", "1-", "-1", "1-2-3"] {
            assert!(ids(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn a_message_with_the_signs_of_an_expression_is_found_as_it_is() {
        let choice = Choice::Message(Expression::new(b"Attack (SQL"));
        assert!(choice.has(1, std::iter::empty(), b"Attack (SQL"));
        assert!(!choice.has(1, std::iter::empty(), b"Attack"));
        assert!(!Choice::Message(Expression::new(b"")).has(1, std::iter::empty(), b""));
    }
}
