//! Verdicts that were found before, by text and lens.

use std::hash::{BuildHasher, Hash, Hasher};

use foldhash::quality::RandomState;

/// Texts that have the same place to be in, at the most.
const WAYS: usize = 4;
/// Texts in all, at the most.
const SLOTS: usize = 8 << 10;
/// Bytes of a text that is remembered.
pub const LONGEST: usize = 2 << 10;
/// Bytes of all of them together.
const MOST_BYTES: usize = 1 << 20;
/// Heads that match a text which is remembered.
const MOST_HITS: usize = 8;

/// What is remembered.
pub struct Memory {
    slots: Vec<Slot>,
    /// Bytes of all texts, with the room they have.
    bytes: usize,
    /// Clients choose texts: they must not choose where they go.
    hasher: RandomState,
    /// What was remembered before this is forgotten.
    since: u32,
    on: bool,
    /// Verdicts since the last count.
    pub recall: Recall,
}

/// How verdicts were come by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Recall {
    /// They were remembered.
    pub recalled: u64,
    /// They were not.
    pub found: u64,
}

#[derive(Default)]
struct Slot {
    hash: u64,
    lens: u32,
    /// As [`Memory::since`]; 0: nothing is here.
    since: u32,
    /// Whether it was of use since somebody looked for room here.
    used: bool,
    count: u8,
    /// What it cost to find out.
    cost: u64,
    hits: [u16; MOST_HITS],
    text: Vec<u8>,
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            slots: Vec::new(),
            bytes: 0,
            hasher: RandomState::default(),
            since: 1,
            on: true,
            recall: Recall::default(),
        }
    }
}

impl Memory {
    /// Forgets everything; from now on remembers, or not.
    pub fn forget(&mut self, on: bool) {
        self.since = self.since.checked_add(1).unwrap_or_else(|| {
            self.slots.clear();
            1
        });
        self.on = on;
    }

    /// By what a text is found; none: it is not remembered.
    pub fn key(&self, lens: u32, text: &[u8]) -> Option<u64> {
        if !self.on || text.len() > LONGEST {
            return None;
        }
        let mut hasher = self.hasher.build_hasher();
        lens.hash(&mut hasher);
        hasher.write(text);
        Some(hasher.finish())
    }

    /// The heads that match a text, and what it cost to find out, if that is known.
    pub fn recall(&mut self, key: u64, lens: u32, text: &[u8]) -> Option<(&[u16], u64)> {
        let start = start(key);
        let since = self.since;
        let ways = self.slots.get_mut(start..start + WAYS).unwrap_or_default();
        let slot = ways.iter_mut().find(|slot| {
            slot.hash == key && slot.since == since && slot.lens == lens && slot.text == text
        })?;
        slot.used = true;
        self.recall.recalled += 1;
        Some((slot.hits.get(..usize::from(slot.count))?, slot.cost))
    }

    /// Remembers the heads that match a text, if they are few.
    pub fn remember(&mut self, key: u64, lens: u32, text: &[u8], found: &[u32], cost: u64) {
        self.recall.found += 1;
        let mut hits = [0; MOST_HITS];
        if found.len() > MOST_HITS {
            return;
        }
        for (hit, place) in hits.iter_mut().zip(found) {
            let Ok(place) = u16::try_from(*place) else { return };
            *hit = place;
        }
        if self.slots.is_empty() {
            self.slots.resize_with(SLOTS, Slot::default);
        }
        let start = start(key);
        let since = self.since;
        let Some(slot) = self.slots.get_mut(start..start + WAYS).and_then(|ways| room(ways, since))
        else {
            return;
        };
        self.bytes -= slot.text.capacity();
        slot.text.clear();
        if slot.text.capacity() > text.len() * 4 {
            slot.text = Vec::new();
        }
        if self.bytes + text.len().max(slot.text.capacity()) > MOST_BYTES {
            slot.text = Vec::new();
            slot.since = 0;
            return self.thin();
        }
        slot.text.reserve_exact(text.len());
        slot.text.extend_from_slice(text);
        self.bytes += slot.text.capacity();
        let (count, since) = (found.len() as u8, self.since);
        (slot.hash, slot.lens, slot.since, slot.used) = (key, lens, since, false);
        (slot.count, slot.hits, slot.cost) = (count, hits, cost);
    }

    /// All that was of no use goes; what was has to be again.
    fn thin(&mut self) {
        for slot in &mut self.slots {
            if !std::mem::take(&mut slot.used) {
                slot.text = Vec::new();
                slot.since = 0;
            }
        }
        self.bytes = self.slots.iter().map(|slot| slot.text.capacity()).sum();
        if self.bytes > MOST_BYTES / 2 {
            self.slots.clear();
            self.bytes = 0;
        }
    }
}

/// Where the places that a text may have begin.
fn start(key: u64) -> usize {
    (key as usize % (SLOTS / WAYS)) * WAYS
}

/// Where there is room: nothing is there, else what was not of use; all are asked to be of use anew.
/// What is free goes first: what came last had no time yet to be of use.
fn room(ways: &mut [Slot], since: u32) -> Option<&mut Slot> {
    let free = ways.iter().position(|slot| slot.since != since);
    let place = free.or_else(|| ways.iter().position(|slot| !slot.used));
    if place.is_none() {
        for slot in &mut *ways {
            slot.used = false;
        }
    }
    ways.get_mut(place.unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::{LONGEST, MOST_BYTES, Memory, WAYS};

    fn known(memory: &mut Memory, lens: u32, text: &[u8]) -> Option<Vec<u16>> {
        let key = memory.key(lens, text)?;
        memory.recall(key, lens, text).map(|(hits, _)| hits.to_vec())
    }

    fn learn(memory: &mut Memory, lens: u32, text: &[u8], hits: &[u32]) {
        if let Some(key) = memory.key(lens, text) {
            memory.remember(key, lens, text, hits, 1);
        }
    }

    #[test]
    fn a_verdict_belongs_to_its_text_and_lens() {
        let mut memory = Memory::default();
        learn(&mut memory, 1, b"a", &[3, 5]);
        learn(&mut memory, 2, b"a", &[]);
        assert_eq!(known(&mut memory, 1, b"a"), Some(vec![3, 5]));
        assert_eq!(known(&mut memory, 2, b"a"), Some(vec![]));
        assert_eq!(known(&mut memory, 1, b"b"), None);
        memory.forget(true);
        assert_eq!(known(&mut memory, 1, b"a"), None);
        memory.forget(false);
        learn(&mut memory, 1, b"a", &[]);
        assert_eq!(known(&mut memory, 1, b"a"), None);
    }

    #[test]
    fn texts_of_one_place_are_remembered_beside_each_other() {
        let mut memory = Memory::default();
        let texts = (0..40_000_u32).map(|number| number.to_string());
        let same: Vec<String> = texts
            .filter(|text| memory.key(1, text.as_bytes()).map(super::start) == Some(0))
            .collect();
        let same = same.get(..WAYS).expect("of so many texts, twenty in the mean have one place");
        for text in same {
            learn(&mut memory, 1, text.as_bytes(), &[7]);
        }
        for text in same {
            assert_eq!(known(&mut memory, 1, text.as_bytes()), Some(vec![7]), "{text}");
        }
    }

    #[test]
    fn what_is_too_much_is_not_remembered() {
        let mut memory = Memory::default();
        learn(&mut memory, 1, &[b'a'; LONGEST + 1], &[]);
        assert_eq!(known(&mut memory, 1, &[b'a'; LONGEST + 1]), None);
        learn(&mut memory, 1, b"many", &(0..9).collect::<Vec<_>>());
        assert_eq!(known(&mut memory, 1, b"many"), None);
        learn(&mut memory, 1, b"far", &[70_000]);
        assert_eq!(known(&mut memory, 1, b"far"), None);
    }

    #[test]
    fn memory_stays_within_its_bounds_and_keeps_what_is_of_use() {
        let mut memory = Memory::default();
        learn(&mut memory, 1, b"often", &[]);
        let mut kept = 0;
        for number in 0..20_000_u32 {
            let text = number.to_string().repeat(1 + number as usize % 400);
            learn(&mut memory, 1, &text.as_bytes()[..text.len().min(LONGEST)], &[]);
            assert!(memory.bytes <= MOST_BYTES);
            let often = known(&mut memory, 1, b"often").is_some();
            kept += u32::from(often);
            if !often {
                learn(&mut memory, 1, b"often", &[]);
            }
        }
        assert!(kept > 19_900, "{kept}");
    }
}
