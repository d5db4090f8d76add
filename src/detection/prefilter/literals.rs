//! Which heads have a literal in a text.

use std::collections::BTreeMap;

use super::grams::Grams;

/// Literals and the heads that need them.
#[derive(Debug, Default)]
pub struct Literals {
    grams: Grams,
    /// By literal.
    heads: Vec<Box<[u32]>>,
}

impl Literals {
    /// Of literals, each with a head.
    pub fn new<'a>(all: impl Iterator<Item = (&'a [u8], u32)>) -> Self {
        let mut heads: BTreeMap<&[u8], Vec<u32>> = BTreeMap::new();
        for (literal, head) in all {
            heads.entry(literal).or_default().push(head);
        }
        let grams = Grams::new(heads.keys().copied());
        Self { grams, heads: heads.into_values().map(Vec::into_boxed_slice).collect() }
    }

    /// Tells of the heads of each literal that is in a text, in any case; of some more than once.
    pub fn find(&self, text: &[u8], mut found: impl FnMut(&[u32])) {
        self.grams.find(text, |literal| {
            if let Some(heads) = self.heads.get(literal as usize) {
                found(heads);
            }
        });
    }
}
