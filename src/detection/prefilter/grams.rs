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
    texts: Vec<Box<[u8]>>,
    twos: Index,
    threes: Index,
    fours: Index,
}

/// From a key of 16 bits to the texts that are known by it.
#[derive(Debug, Default)]
struct Index {
    /// One bit a key.
    bits: Vec<u64>,
    /// By word: how many bits are set before it.
    ranks: Vec<u32>,
    /// By rank: where its entries begin.
    starts: Vec<u32>,
    entries: Vec<Entry>,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    text: u32,
    /// Bytes of the text before those that it is known by.
    before: u32,
}

impl Grams {
    /// Of these texts.
    pub fn new(texts: Vec<Box<[u8]>>) -> Self {
        let (mut twos, mut threes, mut fours) = (Vec::new(), Vec::new(), Vec::new());
        let mut crowd = vec![0_u32; 1 << 16];
        for (text, bytes) in (0..).zip(&texts) {
            match **bytes {
                [] | [_] => {}
                [one, two] => {
                    twos.push((two_key(folded([one, two, 0, 0])), Entry { text, before: 0 }))
                }
                [one, two, three] => {
                    threes
                        .push((three_key(folded([one, two, three, 0])), Entry { text, before: 0 }));
                }
                _ => {
                    let known_by = rarest(bytes, &mut crowd);
                    fours.extend(known_by.map(|(before, key)| (key, Entry { text, before })));
                }
            }
        }
        let (twos, threes, fours) = (Index::new(twos), Index::new(threes), Index::new(fours));
        Self { texts, twos, threes, fours }
    }

    /// Tells of each text that is in a value, whatever the case of its letters; of some more than
    /// once.
    pub fn find(&self, value: &[u8], mut found: impl FnMut(u32)) {
        if self.texts.is_empty() {
            return;
        }
        for (at, four) in value.array_windows().enumerate() {
            self.at(*four, value, at, &mut found);
        }
        for at in value.len().saturating_sub(3)..value.len() {
            let mut four = [0; 4];
            let rest = value.get(at..).unwrap_or_default();
            four.iter_mut().zip(rest).for_each(|(place, byte)| *place = *byte);
            self.at(four, value, at, &mut found);
        }
    }

    #[inline(always)]
    fn at(&self, four: [u8; 4], value: &[u8], at: usize, found: &mut impl FnMut(u32)) {
        let four = folded(four);
        let (two, three, key) = (two_key(four), three_key(four), four_key(four));
        if self.fours.has(key) {
            self.compare(&self.fours, key, value, at, found);
        }
        if self.threes.has(three) {
            self.compare(&self.threes, three, value, at, found);
        }
        if self.twos.has(two) {
            self.compare(&self.twos, two, value, at, found);
        }
    }

    #[cold]
    fn compare(
        &self,
        index: &Index,
        key: u16,
        value: &[u8],
        at: usize,
        found: &mut impl FnMut(u32),
    ) {
        for entry in index.entries(key) {
            let start = at.checked_sub(entry.before as usize);
            let rest = start.and_then(|start| value.get(start..)).unwrap_or_default();
            let text = self.texts.get(entry.text as usize);
            let begins = |text: &[u8]| {
                rest.get(..text.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(text))
            };
            if text.is_some_and(|text| begins(text)) {
                found(entry.text);
            }
        }
    }
}

/// Where in a text stand the bytes that it is to be known by: rare ones, that few others use.
fn rarest(text: &[u8], crowd: &mut [u32]) -> Option<(u32, u16)> {
    let places = text.windows(4).take(FARTHEST).zip(0..);
    let keys = places.filter_map(|(bytes, at)| {
        let key = four_key(folded(*bytes.first_chunk()?));
        let crowd = crowd.get(usize::from(key)).copied().unwrap_or(0);
        Some((literal_commonness(bytes) * (1 + crowd) as f32, at, key))
    });
    let (_, at, key) = keys.min_by(|one, other| one.0.total_cmp(&other.0))?;
    if let Some(count) = crowd.get_mut(usize::from(key)) {
        *count += 1;
    }
    Some((at, key))
}

/// Letters in one case; some other bytes become others, which a comparison of the whole finds out.
fn folded(four: [u8; 4]) -> u32 {
    u32::from_le_bytes(four) | 0x2020_2020
}

fn two_key(four: u32) -> u16 {
    four as u16
}

fn three_key(four: u32) -> u16 {
    hashed(four & 0xFF_FFFF)
}

fn four_key(four: u32) -> u16 {
    hashed(four)
}

fn hashed(bytes: u32) -> u16 {
    (bytes.wrapping_mul(0x9E37_79B1) >> 16) as u16
}

impl Index {
    fn new(mut known: Vec<(u16, Entry)>) -> Self {
        if known.is_empty() {
            return Self { bits: vec![0; WORDS], ranks: vec![0; WORDS], ..Self::default() };
        }
        known.sort_by_key(|(key, _)| *key);
        let mut index = Self { bits: vec![0; WORDS], ..Self::default() };
        for (place, (key, entry)) in (0..).zip(known) {
            if !index.has(key) {
                index.starts.push(place);
            }
            if let Some(word) = index.bits.get_mut(usize::from(key >> 6)) {
                *word |= 1 << (key & 63);
            }
            index.entries.push(entry);
        }
        index.starts.push(index.entries.len() as u32);
        let mut before = 0;
        for word in &index.bits {
            index.ranks.push(before);
            before += word.count_ones();
        }
        index
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
        let rank = (rank + below.count_ones()) as usize;
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
        let grams = Grams::new(texts.iter().map(|text| text.as_bytes().into()).collect());
        for value in ["", "a", "ab", "xabc", "selects elect", "zzz", "zzzz", "b.ab", "\0\u{ff}"] {
            let mut found = Vec::new();
            grams.find(value.as_bytes(), |text| found.push(text as usize));
            found.sort_unstable();
            found.dedup();
            let there = (0..texts.len()).filter(|text| value.contains(texts[*text]));
            assert_eq!(found, there.collect::<Vec<_>>(), "{value:?}");
        }
    }
}
