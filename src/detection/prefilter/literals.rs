//! Which heads have a literal in a text.

use std::collections::BTreeMap;

use super::grams::Grams;

/// Literals and the heads that need them.
#[derive(Debug, Clone, Default)]
pub struct Literals {
    grams: Grams,
    /// The heads of each literal, end to end.
    heads: Box<[u32]>,
    /// By literal: where its heads end.
    ends: Box<[u32]>,
}

impl Literals {
    /// Of literals, each with a head.
    pub fn new<'a>(all: impl Iterator<Item = (&'a [u8], u32)>) -> Self {
        let mut by_literal: BTreeMap<&[u8], Vec<u32>> = BTreeMap::new();
        for (literal, head) in all {
            by_literal.entry(literal).or_default().push(head);
        }
        let grams = Grams::new(by_literal.keys().copied());
        let (mut heads, mut ends) = (Vec::new(), Vec::new());
        for of_literal in by_literal.values() {
            heads.extend_from_slice(of_literal);
            ends.push(heads.len() as u32);
        }
        Self { grams, heads: heads.into(), ends: ends.into() }
    }

    /// Tells of the heads of each literal that is in a text, in any case; of some more than once.
    pub fn find(&self, text: &[u8], mut found: impl FnMut(&[u32])) {
        self.grams.find(text, |literal| {
            let literal = literal as usize;
            let start = literal.checked_sub(1).and_then(|before| self.ends.get(before));
            let start = start.copied().unwrap_or(0) as usize;
            let end = self.ends.get(literal).copied().unwrap_or(0) as usize;
            found(self.heads.get(start..end).unwrap_or_default());
        });
    }
}
