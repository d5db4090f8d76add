//! What a regex found, whichever engine found it.

use std::ops::Range;

/// A match and its groups.
pub struct Found<'a> {
    subject: &'a [u8],
    groups: Vec<Option<Range<usize>>>,
}

impl<'a> Found<'a> {
    /// Of groups by number, the whole match first.
    pub fn new(subject: &'a [u8], groups: Vec<Option<Range<usize>>>) -> Self {
        Self { subject, groups }
    }

    /// Of an engine that backtracks.
    pub fn backtracked(subject: &'a [u8], captures: &fancy_regex::Captures<'a, [u8]>) -> Self {
        let groups = (0..captures.len())
            .map(|group| captures.get(group).map(|found| found.start()..found.end()))
            .collect();
        Self::new(subject, groups)
    }

    /// Where a group stands in the subject, if it took part.
    pub fn get(&self, group: usize) -> Option<Range<usize>> {
        self.groups.get(group)?.clone()
    }

    /// A group's bytes, if it took part.
    pub fn bytes(&self, group: usize) -> Option<&'a [u8]> {
        self.subject.get(self.get(group)?)
    }
}
