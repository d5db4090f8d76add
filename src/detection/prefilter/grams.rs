//! Many texts found in one pass: each is known by a few bytes in a row of it, rare ones.
//!
//! A bit says whether any text is known by what stands at a place; few places pass, and there the
//! texts in question are compared whole. This takes a hundredth of the memory of an automaton, and
//! ordinary values stay in the cache's nearest level. A long text is known by each of four places in
//! a row, so that only every fourth place of a value is looked at.

use super::index::{Entry, Index};
use super::needs::literal_commonness;

/// Bytes of a value between two places that are looked at.
const STRIDE: usize = 4;
/// Bytes of a text from which on it is known by each of [`STRIDE`] places in a row.
const LONG: usize = 4 + STRIDE - 1;
/// Where in a text the bytes that it is known by may begin.
const FARTHEST: usize = 64;
/// Letters have it in lower case; some other bytes become others with it, which a comparison of the
/// whole finds out.
const CASE: u64 = 0x2020_2020_2020_2020;
/// One bit for each two bytes.
type Twos = [u64; 1 << 10];

/// The first bytes of eight.
const THREE: u64 = 0xFF_FFFF;
const FOUR: u64 = 0xFFFF_FFFF;

/// Texts, lower case, of two bytes or more.
#[derive(Debug, Clone)]
pub struct Grams {
    /// All of them, end to end.
    bytes: Box<[u8]>,
    /// Where each ends.
    ends: Box<[u32]>,
    /// Texts of two and three bytes, by two of them, looked for at every place; and a bit for each
    /// two bytes that are known.
    twos: Index,
    is_two: Box<Twos>,
    /// Those of up to six, by three bytes, looked for at every second place.
    threes: Index,
    /// The others, by four bytes, looked for at every fourth place.
    fours: Index,
}

impl Default for Grams {
    fn default() -> Self {
        Self::new(std::iter::empty())
    }
}

impl Grams {
    /// Of these texts.
    pub fn new<'a>(texts: impl Iterator<Item = &'a [u8]>) -> Self {
        let (mut bytes, mut ends) = (Vec::new(), Vec::new());
        let (mut twos, mut threes, mut fours) = (Known::new(2), Known::new(3), Known::new(4));
        for (text, one) in (0..).zip(texts) {
            bytes.extend_from_slice(one);
            ends.push(bytes.len() as u32);
            match one.len() {
                0 | 1 => {}
                2 | 3 => twos.add(text, one, 1),
                4..LONG => threes.add(text, one, 2),
                _ => fours.add(text, one, STRIDE),
            }
        }
        let mut is_two = Box::new([0; 1 << 10]);
        for (two, _) in &twos.entries {
            if let Some(word) = is_two.get_mut((*two >> 6) as usize) {
                *word |= 1 << (two & 63);
            }
        }
        let twos = Index::new(twos.entries, 1);
        let threes = Index::new(threes.entries, 32);
        let fours = Index::new(fours.entries, 16);
        Self { bytes: bytes.into(), ends: ends.into(), twos, is_two, threes, fours }
    }

    /// Tells of each text that is in a value, whatever the case of its letters; of some more than
    /// once.
    pub fn find(&self, value: &[u8], mut found: impl FnMut(u32)) {
        if self.ends.is_empty() {
            return;
        }
        for at in (0..value.len()).step_by(STRIDE) {
            let next = eight(value, at) | CASE;
            self.try_at(&self.fours, next & FOUR, value, at, &mut found);
            self.try_at(&self.threes, next & THREE, value, at, &mut found);
            self.try_at(&self.threes, next >> 16 & THREE, value, at + 2, &mut found);
            self.try_two(next, value, at, &mut found);
            self.try_two(next >> 8, value, at + 1, &mut found);
            self.try_two(next >> 16, value, at + 2, &mut found);
            self.try_two(next >> 24, value, at + 3, &mut found);
        }
    }

    #[inline]
    fn try_at(
        &self,
        index: &Index,
        gram: u64,
        value: &[u8],
        at: usize,
        found: &mut impl FnMut(u32),
    ) {
        if index.has(gram) {
            self.compare(index, gram, value, at, found);
        }
    }

    #[inline]
    fn try_two(&self, two: u64, value: &[u8], at: usize, found: &mut impl FnMut(u32)) {
        let two = two as u16;
        if self.is_two.get(usize::from(two >> 6)).is_some_and(|word| word >> (two & 63) & 1 == 1) {
            self.compare(&self.twos, two.into(), value, at, found);
        }
    }

    /// Compares the texts that are known by what stands at a place.
    #[cold]
    fn compare(
        &self,
        index: &Index,
        gram: u64,
        value: &[u8],
        at: usize,
        found: &mut impl FnMut(u32),
    ) {
        for entry in index.entries(gram) {
            let text = self.text(entry.text());
            let start = at.checked_sub(entry.before());
            let there = start.and_then(|start| value.get(start..start + text.len()));
            if there.is_some_and(|there| is_the_same(there, text)) {
                found(entry.text());
            }
        }
    }

    fn text(&self, number: u32) -> &[u8] {
        let end = |number: usize| self.ends.get(number).copied().unwrap_or(0) as usize;
        let start = (number as usize).checked_sub(1).map_or(0, end);
        self.bytes.get(start..end(number as usize)).unwrap_or_default()
    }
}

/// Whether two texts of the same length differ in case at most; most differ at their ends.
fn is_the_same(one: &[u8], other: &[u8]) -> bool {
    let (Some(first), Some(like_first)) = (one.first(), other.first()) else { return true };
    let (Some(last), Some(like_last)) = (one.last(), other.last()) else { return true };
    first.eq_ignore_ascii_case(like_first)
        && last.eq_ignore_ascii_case(like_last)
        && one.iter().zip(other).all(|(one, other)| one.eq_ignore_ascii_case(other))
}

/// The bytes at a place, the first lowest; NUL beyond the end.
#[inline]
fn eight(value: &[u8], at: usize) -> u64 {
    let rest = value.get(at..).unwrap_or_default();
    if let Some(whole) = rest.first_chunk() {
        return u64::from_le_bytes(*whole);
    }
    let mut padded = [0; 8];
    padded.iter_mut().zip(rest).for_each(|(place, byte)| *place = *byte);
    u64::from_le_bytes(padded)
}

/// What texts are known by, as many bytes in a row of each.
struct Known {
    size: usize,
    entries: Vec<(u64, Entry)>,
    /// By a few bits of what they are known by: how many.
    crowd: Vec<u32>,
}

impl Known {
    fn new(size: usize) -> Self {
        Self { size, entries: Vec::new(), crowd: vec![0; 1 << 16] }
    }

    /// One more text, known by so many places in a row: those with rare bytes that few others use.
    fn add(&mut self, text: u32, bytes: &[u8], places: usize) {
        let grams: Vec<(u64, f32)> = bytes.windows(self.size).take(FARTHEST).map(gram).collect();
        let cost = |run: &[(u64, f32)]| {
            let one = |(gram, common): &(u64, f32)| common * (1 + self.crowd_of(*gram)) as f32;
            run.iter().map(one).sum::<f32>()
        };
        let costs = grams.windows(places).map(cost).enumerate();
        let best = costs.min_by(|one, other| one.1.total_cmp(&other.1));
        let Some((first, _)) = best else { return };
        for (before, (gram, _)) in grams.iter().enumerate().skip(first).take(places) {
            self.entries.push((*gram, Entry::new(text, before)));
            if let Some(count) = self.crowd.get_mut(crowd_place(*gram)) {
                *count += 1;
            }
        }
    }

    fn crowd_of(&self, gram: u64) -> u32 {
        self.crowd.get(crowd_place(gram)).copied().unwrap_or(0)
    }
}

fn crowd_place(gram: u64) -> usize {
    (gram as u32).wrapping_mul(0x9E37_79B1) as usize >> 16
}

/// Some bytes as they are looked for, and how common they are.
fn gram(bytes: &[u8]) -> (u64, f32) {
    let size = 8 * bytes.len() as u32;
    (eight(bytes, 0) | (CASE & ((1 << size) - 1)), literal_commonness(bytes))
}

#[cfg(test)]
mod tests {
    use super::Grams;

    fn check(texts: &[&[u8]], value: &[u8]) {
        let grams = Grams::new(texts.iter().copied());
        let folded = value.to_ascii_lowercase();
        let there = (0..texts.len()).filter(|text| {
            let text = texts.get(*text).copied().unwrap_or_default();
            folded.windows(text.len()).any(|part| part == text)
        });
        let mut found = Vec::new();
        grams.find(value, |text| found.push(text as usize));
        found.sort_unstable();
        found.dedup();
        assert_eq!(found, there.collect::<Vec<_>>(), "{:?}", value.escape_ascii().to_string());
    }

    #[test]
    fn every_text_is_found_wherever_it_stands() {
        let texts = [
            "ab",
            "abc",
            "select",
            "\0\0",
            "b.",
            "elect",
            "zzzz",
            "zzzzz",
            "from dual",
            "m du",
            "al",
        ];
        let texts = texts.map(str::as_bytes);
        for value in ["", "a", "ab", "xabc", "selects elect", "zzz", "zzzz", "b.ab", "\0", "\0\0"] {
            for before in 0..9 {
                for after in 0..9 {
                    let value =
                        [&b"-".repeat(before), value.as_bytes(), &b"-".repeat(after)].concat();
                    check(&texts, &value);
                    check(&texts, &value.to_ascii_uppercase());
                }
            }
        }
        for before in 0..9 {
            check(&texts, format!("{}FROM DUAL", "x".repeat(before)).as_bytes());
        }
    }

    #[test]
    fn bytes_that_only_look_alike_are_not_found() {
        let texts: [&[u8]; 4] = [b"\xff\xfe", b"@@@@", b"[[[", b"{\x7f{\x7f{\x7f{\x7f"];
        for value in [&b"\xdf\xde"[..], b"````", b"{{{", b"[_[_[_[_", b"@@@@", b"\xff\xfe", b"[[["]
        {
            check(&texts, value);
        }
    }

    #[test]
    fn many_texts_are_told_apart() {
        let texts: Vec<String> =
            (0..5000).map(|at| format!("w{at}-{}", at * 7919 % 5000)).collect();
        let texts: Vec<&[u8]> = texts.iter().map(String::as_bytes).collect();
        for value in ["w17-4623", "ww4999-2081w0-0", "w1-7919 w2499-4581", "w4999"] {
            check(&texts, value.as_bytes());
        }
    }
}
