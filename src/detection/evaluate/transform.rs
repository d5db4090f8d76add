//! Transformed values, each made once: `t:a,t:b` and `t:a,t:c` share what `t:a` made.

use std::sync::LazyLock;

use super::super::plan::{ChainId, Chains};
use super::super::transformations::{TRANSFORMATIONS, Trigger};
use super::sight::Sight;
use super::texts::{Keep, TextId};

/// A set of byte values.
type ByteSet = [u64; 4];

/// Bytes that transformed values may take for a phase; past that they are made anew for each rule.
const MADE_BYTES: usize = 8 << 20;

/// For each transformation the bytes without which it changes nothing; none: it may change any.
static TRIGGERS: LazyLock<Vec<Option<ByteSet>>> = LazyLock::new(|| {
    let trigger = |trigger: &Trigger| match trigger {
        Trigger::Always => None,
        Trigger::Bytes(wanted) => Some(byte_set((0..=255).filter(|byte| wanted(*byte)))),
    };
    TRANSFORMATIONS.iter().map(|known| trigger(&known.trigger)).collect()
});

/// What chains made of texts that are kept for the phase.
#[derive(Debug, Default)]
pub struct Made {
    /// By text: its row, from 1; 0 for none.
    rows: Vec<u32>,
    /// By row and chain: the text, if it was made.
    texts: Vec<Option<TextId>>,
    /// By text: which bytes are in it.
    present: Vec<Option<ByteSet>>,
    /// Where transformations write.
    work: Vec<u8>,
}

impl Made {
    /// Nothing any more; the memory stays.
    pub fn clear(&mut self) {
        self.rows.clear();
        self.texts.clear();
        self.present.clear();
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
        if !self.may_change(text, step) {
            return text;
        }
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

    fn may_change(&mut self, text: TextId, step: usize) -> bool {
        let Some(Some(trigger)) = TRIGGERS.get(step) else { return true };
        let present = self.present(text);
        present.iter().zip(trigger).any(|(there, wanted)| there & wanted != 0)
    }

    fn present(&mut self, text: TextId) -> ByteSet {
        if text.keep() != Keep::Phase {
            return byte_set(self.text(text).iter().copied());
        }
        if let Some(Some(known)) = self.made.present.get(text.place()) {
            return *known;
        }
        let set = byte_set(self.text(text).iter().copied());
        if self.made.present.len() <= text.place() {
            self.made.present.resize(text.place() + 1, None);
        }
        if let Some(slot) = self.made.present.get_mut(text.place()) {
            *slot = Some(set);
        }
        set
    }
}

fn byte_set(bytes: impl Iterator<Item = u8>) -> ByteSet {
    let mut set = ByteSet::default();
    for byte in bytes {
        if let Some(word) = set.get_mut(usize::from(byte >> 6)) {
            *word |= 1 << (byte & 63);
        }
    }
    set
}
