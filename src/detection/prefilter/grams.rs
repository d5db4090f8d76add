//! Many texts found in one pass: each is known by the rarest four bytes in a row of it.
//!
//! A bit says whether any text is known by what stands at a place; few places pass, and there the
//! texts in question are compared whole. This takes a hundredth of the memory of an automaton, and
//! ordinary values stay in the cache's nearest level.

use super::needs::literal_commonness;

const WORDS: usize = 1 << 10;
/// Where in a text the bytes that it is known by may stand.
const FARTHEST: usize = 64;

/// Texts, lower case, of two bytes or more.
#[derive(Debug, Default)]
pub struct Grams {
    /// All of them, end to end.
    bytes: Box<[u8]>,
    /// Where each ends.
    ends: Box<[u32]>,
    twos: Index,
    threes: Index,
    fours: Index,
}

/// From a key of 16 bits to the texts that are known by it.
#[derive(Debug)]
struct Index {
    /// One bit a key.
    bits: Box<[u64; WORDS]>,
    /// By word: how many bits are set before it.
    ranks: Box<[u16; WORDS]>,
    /// By rank: where its entries begin.
    starts: Box<[u32]>,
    entries: Box<[Entry]>,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    text: u32,
    /// Bytes of the text up to the end of those that it is known by.
    before: u32,
}

impl Grams {
    /// Of these texts.
    pub fn new<'a>(texts: impl Iterator<Item = &'a [u8]>) -> Self {
        let (mut twos, mut threes, mut fours) = (Vec::new(), Vec::new(), Vec::new());
        let (mut bytes, mut ends) = (Vec::new(), Vec::new());
        let mut crowd = vec![0_u32; 1 << 16];
        for (text, one) in (0..).zip(texts) {
            bytes.extend_from_slice(one);
            ends.push(bytes.len() as u32);
            match *one {
                [] | [_] => {}
                [a, b] => twos.push((two_key(folded([0, 0, a, b])), Entry { text, before: 2 })),
                [a, b, c] => {
                    threes.push((three_key(folded([0, a, b, c])), Entry { text, before: 3 }));
                }
                _ => {
                    let known_by = rarest(one, &mut crowd);
                    fours.extend(known_by.map(|(before, key)| (key, Entry { text, before })));
                }
            }
        }
        let (twos, threes, fours) = (Index::new(twos), Index::new(threes), Index::new(fours));
        Self { bytes: bytes.into(), ends: ends.into(), twos, threes, fours }
    }

    /// Tells of each text that is in a value, whatever the case of its letters; of some more than
    /// once.
    pub fn find(&self, value: &[u8], mut found: impl FnMut(u32)) {
        if self.ends.is_empty() {
            return;
        }
        // The last four bytes, the latest highest.
        let mut four = 0_u32;
        for (at, byte) in value.iter().enumerate() {
            four = four >> 8 | u32::from(*byte | CASE) << 24;
            let (two, three, key) = (two_key(four), three_key(four), four_key(four));
            if self.fours.has(key) {
                self.compare(&self.fours, key, value, at + 1, &mut found);
            }
            if self.threes.has(three) {
                self.compare(&self.threes, three, value, at + 1, &mut found);
            }
            if self.twos.has(two) {
                self.compare(&self.twos, two, value, at + 1, &mut found);
            }
        }
    }

    #[cold]
    fn compare(
        &self,
        index: &Index,
        key: u16,
        value: &[u8],
        end: usize,
        found: &mut impl FnMut(u32),
    ) {
        for entry in index.entries(key) {
            let text = self.text(entry.text);
            let start = end.checked_sub(entry.before as usize);
            let there = start.and_then(|start| value.get(start..start + text.len()));
            if there.is_some_and(|there| there.eq_ignore_ascii_case(text)) {
                found(entry.text);
            }
        }
    }

    fn text(&self, number: u32) -> &[u8] {
        let end = |number: usize| self.ends.get(number).copied().unwrap_or(0) as usize;
        let start = (number as usize).checked_sub(1).map_or(0, end);
        self.bytes.get(start..end(number as usize)).unwrap_or_default()
    }
}

/// Where in a text end the bytes that it is to be known by: rare ones, that few others use.
fn rarest(text: &[u8], crowd: &mut [u32]) -> Option<(u32, u16)> {
    let places = text.windows(4).take(FARTHEST).zip(4..);
    let keys = places.filter_map(|(bytes, end)| {
        let key = four_key(folded(*bytes.first_chunk()?));
        let crowd = crowd.get(usize::from(key)).copied().unwrap_or(0);
        Some((literal_commonness(bytes) * (1 + crowd) as f32, end, key))
    });
    let (_, end, key) = keys.min_by(|one, other| one.0.total_cmp(&other.0))?;
    if let Some(count) = crowd.get_mut(usize::from(key)) {
        *count += 1;
    }
    Some((end, key))
}

/// Letters have it in lower case; some other bytes become others with it, which a comparison of the
/// whole finds out.
const CASE: u8 = 0x20;

fn folded(four: [u8; 4]) -> u32 {
    u32::from_le_bytes(four.map(|byte| byte | CASE))
}

fn two_key(four: u32) -> u16 {
    (four >> 16) as u16
}

fn three_key(four: u32) -> u16 {
    hashed(four >> 8)
}

fn four_key(four: u32) -> u16 {
    hashed(four)
}

fn hashed(bytes: u32) -> u16 {
    (bytes.wrapping_mul(0x9E37_79B1) >> 16) as u16
}

impl Default for Index {
    fn default() -> Self {
        Self::new(Vec::new())
    }
}

impl Index {
    fn new(mut known: Vec<(u16, Entry)>) -> Self {
        known.sort_by_key(|(key, _)| *key);
        let (mut bits, mut starts) = (Box::new([0_u64; WORDS]), Vec::new());
        let mut last = None;
        for (place, (key, _)) in (0..).zip(&known) {
            if last.replace(*key) != Some(*key) {
                starts.push(place);
            }
            if let Some(word) = bits.get_mut(usize::from(key >> 6)) {
                *word |= 1 << (key & 63);
            }
        }
        starts.push(known.len() as u32);
        let (mut ranks, mut before) = (Box::new([0_u16; WORDS]), 0_u16);
        for (rank, word) in ranks.iter_mut().zip(bits.iter()) {
            *rank = before;
            before = before.wrapping_add(word.count_ones() as u16);
        }
        let entries = known.into_iter().map(|(_, entry)| entry).collect();
        Self { bits, ranks, starts: starts.into(), entries }
    }

    #[inline]
    fn has(&self, key: u16) -> bool {
        self.bits.get(usize::from(key >> 6)).is_some_and(|word| word >> (key & 63) & 1 == 1)
    }

    fn entries(&self, key: u16) -> &[Entry] {
        let place = usize::from(key >> 6);
        let (Some(word), Some(rank)) = (self.bits.get(place), self.ranks.get(place)) else {
            return &[];
        };
        let below = word & ((1 << (key & 63)) - 1);
        let rank = usize::from(*rank) + below.count_ones() as usize;
        let (Some(from), Some(to)) = (self.starts.get(rank), self.starts.get(rank + 1)) else {
            return &[];
        };
        self.entries.get(*from as usize..*to as usize).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::Grams;

    #[test]
    fn every_text_is_found_wherever_it_stands() {
        let texts = ["ab", "abc", "select", "\0\u{ff}", "b.", "elect", "zzzz"];
        let grams = Grams::new(texts.iter().map(|text| text.as_bytes()));
        for value in ["", "a", "ab", "xabc", "selects elect", "zzz", "zzzz", "b.ab", "\0\u{ff}"] {
            let mut found = Vec::new();
            grams.find(value.as_bytes(), |text| found.push(text as usize));
            found.sort_unstable();
            found.dedup();
            let there = (0..texts.len()).filter(|text| value.contains(texts[*text]));
            assert_eq!(found, there.collect::<Vec<_>>(), "{value:?}");
            let mut in_capitals = Vec::new();
            grams.find(value.to_uppercase().as_bytes(), |text| in_capitals.push(text as usize));
            in_capitals.sort_unstable();
            in_capitals.dedup();
            assert!(value.contains('\u{ff}') || in_capitals == found, "{value:?}");
        }
    }
}
