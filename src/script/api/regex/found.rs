//! What a regex found, whichever engine found it.

use std::ops::Range;

use regex::bytes::Captures;

/// A match and its groups.
pub enum Found<'a> {
    Backtracked { subject: &'a [u8], groups: Vec<Option<Range<usize>>> },
    Linear(Captures<'a>),
}

impl<'a> Found<'a> {
    pub fn backtracked(subject: &'a [u8], captures: &fancy_regex::Captures<'a, [u8]>) -> Self {
        let groups = (0..captures.len())
            .map(|group| captures.get(group).map(|found| found.start()..found.end()))
            .collect();
        Self::Backtracked { subject, groups }
    }

    /// Where a group stands in the subject, if it took part.
    pub fn get(&self, group: usize) -> Option<Range<usize>> {
        match self {
            Self::Backtracked { groups, .. } => groups.get(group)?.clone(),
            Self::Linear(captures) => captures.get(group).map(|found| found.range()),
        }
    }

    /// A group's bytes, if it took part.
    pub fn bytes(&self, group: usize) -> Option<&'a [u8]> {
        match self {
            Self::Backtracked { subject, groups } => subject.get(groups.get(group)?.clone()?),
            Self::Linear(captures) => captures.get(group).map(|found| found.as_bytes()),
        }
    }
}
