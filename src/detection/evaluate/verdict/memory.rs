//! Verdicts that were found before, by text and lens.

use std::hash::{BuildHasher, Hash, Hasher};

use foldhash::quality::RandomState;

/// Texts that have the same place to be in, at the most.
const WAYS: usize = 4;
/// Texts in all, at the most.
const SLOTS: usize = 8 << 10;
/// Bytes of a short text: most are.
pub const SHORT: usize = 2 << 10;
/// Bytes of a text that is remembered: a page that is served again and again. A long one is
/// remembered when it comes a second time.
const LONGEST: usize = 64 << 10;
/// Bytes of all texts together, with what was found of them.
const MOST_BYTES: usize = 1 << 20;
/// Those of long ones.
const MOST_LONG: usize = 256 << 10;
/// Long texts that are known to have come once.
const ONCE: usize = 64;
/// Bytes that a hit, and what a head spent, are held in.
const HIT: usize = 2;
const SPENT: usize = 6;

/// What is remembered.
pub struct Memory {
    slots: Vec<Slot>,
    /// Bytes of all texts, with the room they have.
    bytes: usize,
    /// Where long texts are, or were.
    long: Vec<usize>,
    /// Keys of long texts that came once.
    once: [u64; ONCE],
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

/// What is found of a text.
#[derive(Debug, Clone, Copy)]
pub struct Finding<'a> {
    /// The heads that match it.
    pub hits: &'a [u32],
    /// What heads spent on it, where it counts for their share.
    pub spent: &'a [(u32, u64)],
    /// What it cost to find out.
    pub cost: u64,
}

/// The same, as it is remembered.
#[derive(Debug, Clone, Copy)]
pub struct Remembered<'a> {
    hits: &'a [u8],
    spent: &'a [u8],
    /// What it cost to find out.
    pub cost: u64,
}

#[derive(Default)]
struct Slot {
    hash: u64,
    lens: u32,
    /// As [`Memory::since`]; 0: nothing is here.
    since: u32,
    /// What it cost to find out.
    cost: u64,
    /// The text, the hits, and what heads spent.
    held: Vec<u8>,
    /// Bytes of the text.
    length: u32,
    /// Hits.
    count: u16,
    /// Whether it was of use since somebody looked for room here.
    used: bool,
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            slots: Vec::new(),
            bytes: 0,
            long: Vec::new(),
            once: [0; ONCE],
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
            self.bytes = 0;
            1
        });
        self.once = [0; ONCE];
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

    /// What was found of a text, if that is known.
    pub fn recall(&mut self, key: u64, lens: u32, text: &[u8]) -> Option<Remembered<'_>> {
        let start = start(key);
        let since = self.since;
        let ways = self.slots.get_mut(start..start + WAYS).unwrap_or_default();
        let slot = ways.iter_mut().find(|slot| {
            slot.hash == key && slot.since == since && slot.lens == lens && slot.text() == text
        })?;
        slot.used = true;
        self.recall.recalled += 1;
        let found = slot.held.get(slot.length as usize..)?;
        let (hits, spent) = found.split_at_checked(usize::from(slot.count) * HIT)?;
        Some(Remembered { hits, spent, cost: slot.cost })
    }

    /// Remembers what was found of a text, if there is room for it.
    pub fn remember(&mut self, key: u64, lens: u32, text: &[u8], found: &Finding<'_>) {
        self.recall.found += 1;
        let more = found.hits.len() * HIT + found.spent.len() * SPENT;
        if !found.is_tellable() || more > SHORT || !self.is_worth_it(key, text) {
            return;
        }
        if self.slots.is_empty() {
            self.slots.resize_with(SLOTS, Slot::default);
        }
        let (since, size) = (self.since, text.len() + more);
        let Some(at) = self.room(key) else { return };
        let Some(slot) = self.slots.get_mut(at) else { return };
        self.bytes -= slot.held.capacity();
        slot.held.clear();
        if slot.held.capacity() > size * 4 {
            slot.held = Vec::new();
        }
        if self.bytes + size.max(slot.held.capacity()) > MOST_BYTES {
            slot.held = Vec::new();
            slot.since = 0;
            return self.thin();
        }
        slot.held.reserve_exact(size);
        slot.held.extend_from_slice(text);
        found.write(&mut slot.held);
        self.bytes += slot.held.capacity();
        (slot.hash, slot.lens, slot.since, slot.used) = (key, lens, since, false);
        (slot.length, slot.count, slot.cost) =
            (text.len() as u32, found.hits.len() as u16, found.cost);
        if slot.is_long() {
            self.long.push(at);
        }
    }

    /// Whether a text is worth the room that it takes.
    fn is_worth_it(&mut self, key: u64, text: &[u8]) -> bool {
        if text.len() <= SHORT {
            return true;
        }
        let Some(once) = self.once.get_mut(key as usize % ONCE) else { return false };
        if *once != key {
            *once = key;
            return false;
        }
        self.have_room_for_long(text.len())
    }

    /// Long texts that were of no use make room for another, if they have to.
    fn have_room_for_long(&mut self, size: usize) -> bool {
        let Self { slots, long, bytes, .. } = self;
        let held = |slots: &[Slot], at: usize| slots.get(at).map_or(0, |slot| slot.held.capacity());
        long.sort_unstable();
        long.dedup();
        long.retain(|at| slots.get(*at).is_some_and(Slot::is_long));
        let mut all: usize = long.iter().map(|at| held(slots, *at)).sum();
        if all + size > MOST_LONG {
            for at in &*long {
                let Some(slot) = slots.get_mut(*at) else { continue };
                if !std::mem::take(&mut slot.used) {
                    *bytes -= slot.held.capacity();
                    slot.held = Vec::new();
                    slot.since = 0;
                }
            }
            all = long.iter().map(|at| held(slots, *at)).sum();
        }
        all + size <= MOST_LONG
    }

    /// Where there is room: nothing is there, else what was not of use; all are asked to be of use
    /// anew. What is free goes first: what came last had no time yet to be of use.
    fn room(&mut self, key: u64) -> Option<usize> {
        let (start, since) = (start(key), self.since);
        let ways = self.slots.get_mut(start..start + WAYS)?;
        let free = ways.iter().position(|slot| slot.since != since);
        let place = free.or_else(|| ways.iter().position(|slot| !slot.used));
        if place.is_none() {
            for slot in ways.iter_mut() {
                slot.used = false;
            }
        }
        Some(start + place.unwrap_or(0))
    }

    /// All that was of no use goes; what was has to be again.
    fn thin(&mut self) {
        for slot in &mut self.slots {
            if !std::mem::take(&mut slot.used) {
                slot.held = Vec::new();
                slot.since = 0;
            }
        }
        self.bytes = self.slots.iter().map(|slot| slot.held.capacity()).sum();
        if self.bytes > MOST_BYTES / 2 {
            self.slots.clear();
            self.bytes = 0;
        }
    }
}

impl Slot {
    fn text(&self) -> &[u8] {
        self.held.get(..self.length as usize).unwrap_or_default()
    }

    fn is_long(&self) -> bool {
        self.held.len() > SHORT * 2
    }
}

impl Finding<'_> {
    /// Whether its numbers are small enough.
    fn is_tellable(&self) -> bool {
        let small = |place: u32| u16::try_from(place).is_ok();
        let spent = |(place, cost): &(u32, u64)| small(*place) && u32::try_from(*cost).is_ok();
        self.hits.iter().all(|place| small(*place)) && self.spent.iter().all(spent)
    }

    fn write(&self, out: &mut Vec<u8>) {
        for place in self.hits {
            out.extend_from_slice(&(*place as u16).to_le_bytes());
        }
        for (place, cost) in self.spent {
            out.extend_from_slice(&(*place as u16).to_le_bytes());
            out.extend_from_slice(&(*cost as u32).to_le_bytes());
        }
    }
}

impl<'a> Remembered<'a> {
    /// The heads that match it.
    pub fn hits(&self) -> impl ExactSizeIterator<Item = u32> + use<'a> {
        self.hits.chunks_exact(HIT).map(two)
    }

    /// What heads spent on it, where it counts for their share.
    pub fn spent(&self) -> impl Iterator<Item = (u32, u64)> + Clone + use<'a> {
        self.spent.chunks_exact(SPENT).map(|one| {
            let cost = one.last_chunk().copied().map_or(0, u32::from_le_bytes);
            (two(one), u64::from(cost))
        })
    }
}

fn two(bytes: &[u8]) -> u32 {
    bytes.first_chunk().copied().map_or(0, u16::from_le_bytes).into()
}

/// Where the places that a text may have begin.
fn start(key: u64) -> usize {
    (key as usize % (SLOTS / WAYS)) * WAYS
}

#[cfg(test)]
mod tests {
    use super::{Finding, LONGEST, MOST_BYTES, MOST_LONG, Memory, SHORT, WAYS};

    fn known(memory: &mut Memory, lens: u32, text: &[u8]) -> Option<Vec<u32>> {
        let key = memory.key(lens, text)?;
        memory.recall(key, lens, text).map(|found| found.hits().collect())
    }

    fn learn(memory: &mut Memory, lens: u32, text: &[u8], hits: &[u32]) {
        if let Some(key) = memory.key(lens, text) {
            memory.remember(key, lens, text, &Finding { hits, spent: &[], cost: 1 });
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
        let (mut memory, long) = (Memory::default(), vec![b'a'; LONGEST + 1]);
        for _ in 0..3 {
            learn(&mut memory, 1, &long, &[]);
            learn(&mut memory, 1, b"many", &[9; SHORT]);
            learn(&mut memory, 1, b"far", &[70_000]);
        }
        assert_eq!(known(&mut memory, 1, &long), None);
        assert_eq!(known(&mut memory, 1, b"many"), None);
        assert_eq!(known(&mut memory, 1, b"far"), None);
    }

    #[test]
    fn many_hits_and_what_heads_spent_come_back() {
        let mut memory = Memory::default();
        let hits: Vec<u32> = (0..300).collect();
        let spent = [(7, 70_000), (65_535, 4_000_000_000)];
        let key = memory.key(1, b"attack").expect("short");
        memory.remember(key, 1, b"attack", &Finding { hits: &hits, spent: &spent, cost: 77 });
        let found = memory.recall(key, 1, b"attack").expect("remembered");
        assert_eq!(found.hits().collect::<Vec<_>>(), hits);
        assert_eq!(found.spent().collect::<Vec<_>>(), spent);
        assert_eq!(found.cost, 77);
    }

    #[test]
    fn a_long_text_is_remembered_when_it_comes_again() {
        let mut memory = Memory::default();
        let page = vec![b'p'; SHORT * 5];
        learn(&mut memory, 1, &page, &[1]);
        assert_eq!(known(&mut memory, 1, &page), None);
        learn(&mut memory, 1, &page, &[1]);
        assert_eq!(known(&mut memory, 1, &page), Some(vec![1]));
        let mut kept = 0;
        for number in 0..500_u32 {
            let mut other = vec![b'x'; SHORT * 2 + number as usize * 100 % LONGEST];
            other.extend(number.to_le_bytes());
            learn(&mut memory, 1, &other, &[]);
            learn(&mut memory, 1, &other, &[]);
            let long = |slot: &&super::Slot| slot.is_long();
            let held: usize = memory.slots.iter().filter(long).map(|slot| slot.held.len()).sum();
            assert!(held <= MOST_LONG && memory.bytes <= MOST_BYTES, "{held}");
            kept += u32::from(known(&mut memory, 1, &page).is_some());
        }
        assert!(kept > 400, "what is of use stays: {kept}");
    }

    #[test]
    fn memory_stays_within_its_bounds_and_keeps_what_is_of_use() {
        let mut memory = Memory::default();
        learn(&mut memory, 1, b"often", &[]);
        let mut kept = 0;
        for number in 0..20_000_u32 {
            let text = number.to_string().repeat(1 + number as usize % 400);
            let hits = vec![3; number as usize % 30];
            learn(&mut memory, 1, &text.as_bytes()[..text.len().min(SHORT)], &hits);
            assert!(memory.bytes <= MOST_BYTES);
            let held: usize = memory.slots.iter().map(|slot| slot.held.capacity()).sum();
            assert_eq!(held, memory.bytes);
            let often = known(&mut memory, 1, b"often").is_some();
            kept += u32::from(often);
            if !often {
                learn(&mut memory, 1, b"often", &[]);
            }
        }
        assert!(kept > 19_900, "{kept}");
    }
}
