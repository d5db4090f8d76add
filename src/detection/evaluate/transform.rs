//! Transformed values, each made once: `t:a,t:b` and `t:a,t:c` share what `t:a` made.

use super::super::plan::{ChainId, Chains};
use super::super::transformations::{TRANSFORMATIONS, always, changes_of};
use super::budget::LOOK;
use super::sight::Sight;
use super::texts::{Keep, TextId};

/// Bytes that transformed values may take for a phase; past that they are made anew for each rule.
const MADE_BYTES: usize = 8 << 20;

/// The transformations that may change a text, as bits by their places in the list of all.
fn changes(text: &[u8]) -> u64 {
    text.iter().fold(always(), |changes, byte| changes | changes_of(*byte))
}

/// What chains made of texts that are kept for the phase.
#[derive(Debug, Default)]
pub struct Made {
    /// By text: its row, from 1; 0 for none.
    rows: Vec<u32>,
    /// By row and chain: the text, if it was made.
    texts: Vec<Option<TextId>>,
    /// By text: the transformations that may change it.
    changes: Vec<Option<u64>>,
    /// Where transformations write.
    work: Vec<u8>,
}

impl Made {
    /// Nothing any more; the memory stays.
    pub fn clear(&mut self) {
        self.rows.clear();
        self.texts.clear();
        self.changes.clear();
    }

    /// Bytes of memory that are held, roughly.
    pub fn held(&self) -> usize {
        self.work.capacity()
            + self.texts.capacity() * size_of::<Option<TextId>>()
            + self.changes.capacity() * size_of::<Option<u64>>()
    }

    fn known(&self, text: TextId, chain: ChainId, width: usize) -> Option<TextId> {
        let row = *self.rows.get(text.place())?;
        let start = (row as usize).checked_sub(1)? * width;
        *self.texts.get(start + chain.0 as usize)?
    }

    fn remember(&mut self, text: TextId, chain: ChainId, width: usize, made: TextId) {
        if self.rows.len() <= text.place() {
            self.rows.resize(text.place() + 1, 0);
        }
        let Some(row) = self.rows.get_mut(text.place()) else { return };
        if *row == 0 {
            *row = (self.texts.len() / width) as u32 + 1;
            self.texts.resize(self.texts.len() + width, None);
        }
        let start = (*row as usize - 1) * width;
        if let Some(slot) = self.texts.get_mut(start + chain.0 as usize) {
            *slot = Some(made);
        }
    }
}

impl Sight {
    /// What a chain makes of a text: the text itself where it changes nothing.
    pub fn transformed(&mut self, text: TextId, chain: ChainId, chains: &Chains) -> TextId {
        let Some(node) = chains.nodes.get(chain.0 as usize) else { return text };
        let Some(step) = node.step else { return text };
        // What no step of it may change, none changes.
        if self.changes(text) & node.all == 0 {
            return text;
        }
        let width = chains.nodes.len();
        let lasting = text.keep() == Keep::Phase;
        if let Some(made) = lasting.then(|| self.made.known(text, chain, width)).flatten() {
            return made;
        }
        let before = self.transformed(text, node.parent, chains);
        let after = self.step(before, step as usize);
        if lasting && after.keep() == Keep::Phase {
            self.made.remember(text, chain, width, after);
        }
        after
    }

    fn step(&mut self, text: TextId, step: usize) -> TextId {
        let Some(transformation) = TRANSFORMATIONS.get(step) else { return text };
        if self.changes(text) >> step & 1 == 0 {
            return text;
        }
        self.spent += self.text(text).len() as u64 + LOOK;
        let mut work = std::mem::take(&mut self.made.work);
        work.clear();
        let changed = (transformation.apply)(self.text(text), &mut work);
        let after = if changed { self.add_made(text, &work) } else { text };
        self.made.work = work;
        after
    }

    fn add_made(&mut self, from: TextId, made: &[u8]) -> TextId {
        let room = self.phase_size() + made.len() <= MADE_BYTES;
        let keep = if from.keep() == Keep::Phase && room { Keep::Phase } else { Keep::Link };
        self.add_text(made, keep)
    }

    fn changes(&mut self, text: TextId) -> u64 {
        if text.keep() != Keep::Phase {
            return changes(self.text(text));
        }
        if let Some(Some(known)) = self.made.changes.get(text.place()) {
            return *known;
        }
        let found = changes(self.text(text));
        if self.made.changes.len() <= text.place() {
            self.made.changes.resize(text.place() + 1, None);
        }
        if let Some(slot) = self.made.changes.get_mut(text.place()) {
            *slot = Some(found);
        }
        found
    }
}
