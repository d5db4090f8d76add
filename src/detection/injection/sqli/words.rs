//! The words of SQL, and what they are: about a thousand, found by one look into a table.
//!
//! The list is libinjection's: see `words.txt`.

use std::sync::LazyLock;

use memchr::memchr_iter;

use super::token::{Kind, LONGEST};

/// A word that is known.
#[derive(Debug, Clone, Copy)]
pub struct Word {
    /// What it is.
    pub kind: Kind,
    /// Its text, upper case.
    pub text: &'static [u8],
}

/// What a word is; letters fold. A phrase has one blank between its words.
pub fn find(word: &[u8]) -> Option<Word> {
    TABLE.find(word)
}

/// Whether a phrase may begin with this word or these words: seldom yes if none does.
pub fn may_begin_phrase(word: &[u8]) -> bool {
    TABLE.phrases.get(word.len()).is_some_and(|initials| initials & initial(word) != 0)
}

const LISTED: &str = include_str!("words.txt");

/// Four times the words there are, so that most absent words meet an empty slot at once.
const SLOTS: usize = 4096;

static TABLE: LazyLock<Table> = LazyLock::new(|| Table::new(listed()));

/// The words, each known by the slot of its hash or by one soon after it.
struct Table {
    words: Vec<Word>,
    /// Places in `words`, from 1; 0 for none.
    slots: Vec<u16>,
    /// By length: the initials of words, a bit each. Most absent words need no more than this.
    initials: [u32; LONGEST + 1],
    /// Of what phrases begin with, by its length: the initials, a bit each.
    phrases: [u32; LONGEST + 1],
}

impl Table {
    fn new(words: impl Iterator<Item = Word>) -> Self {
        let slots = vec![0; SLOTS];
        let mut table = Self {
            words: Vec::new(),
            slots,
            initials: [0; LONGEST + 1],
            phrases: [0; LONGEST + 1],
        };
        for word in words {
            table.insert(word);
            if let Some(initials) = table.initials.get_mut(word.text.len()) {
                *initials |= initial(word.text);
            }
            for length in memchr_iter(b' ', word.text) {
                if let Some(initials) = table.phrases.get_mut(length) {
                    *initials |= initial(word.text);
                }
            }
        }
        table
    }

    fn insert(&mut self, word: Word) {
        let mut at = hash(word.text);
        while self.slots.get(at).is_some_and(|&place| place != 0) {
            at = (at + 1) % SLOTS;
        }
        self.words.push(word);
        if let Some(slot) = self.slots.get_mut(at) {
            *slot = self.words.len() as u16;
        }
    }

    fn find(&self, word: &[u8]) -> Option<Word> {
        if self.initials.get(word.len()).is_none_or(|initials| initials & initial(word) == 0) {
            return None;
        }
        let mut at = hash(word);
        loop {
            let place = usize::from(*self.slots.get(at)?).checked_sub(1)?;
            let known = *self.words.get(place)?;
            if known.text.eq_ignore_ascii_case(word) {
                return Some(known);
            }
            at = (at + 1) % SLOTS;
        }
    }
}

/// The same for words that differ in the case of letters only.
fn hash(word: &[u8]) -> usize {
    const ODD: u64 = 0x9E37_79B9_7F4A_7C15;
    // The bits that are the case of letters.
    const CASE: u64 = 0x2020_2020_2020_2020;
    let (first, last) = ends(word);
    let mixed = (first & !CASE).rotate_left(5) ^ (last & !CASE) ^ word.len() as u64;
    (mixed.wrapping_mul(ODD) >> 52) as usize % SLOTS
}

/// The first and the last bytes, eight if there are so many: all of a word of up to sixteen.
fn ends(word: &[u8]) -> (u64, u64) {
    if let (Some(first), Some(last)) = (word.first_chunk::<8>(), word.last_chunk::<8>()) {
        (u64::from_le_bytes(*first), u64::from_le_bytes(*last))
    } else if let (Some(first), Some(last)) = (word.first_chunk::<4>(), word.last_chunk::<4>()) {
        (u32::from_le_bytes(*first).into(), u32::from_le_bytes(*last).into())
    } else {
        (word.iter().fold(0, |sum, &byte| sum << 8 | u64::from(byte)), 0)
    }
}

fn initial(word: &[u8]) -> u32 {
    word.first().map_or(0, |byte| 1 << (byte & 0x1F))
}

fn listed() -> impl Iterator<Item = Word> {
    let lines = LISTED.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.split_once(": ")).flat_map(|(letter, words)| {
        let kind = letter.bytes().next().and_then(Kind::of_letter);
        let words = words.split(", ").map(str::as_bytes);
        kind.into_iter().flat_map(move |kind| words.clone().map(move |text| Word { kind, text }))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_listed_word_is_found_in_any_case() {
        let mut count = 0;
        for word in listed() {
            let found = find(&word.text.to_ascii_lowercase()).expect("it is listed");
            assert_eq!((found.kind, found.text), (word.kind, word.text));
            count += 1;
        }
        assert_eq!(count, 985);
    }

    #[test]
    fn what_is_not_listed_is_not_found() {
        let absent: [&[u8]; 6] = [b"", b"SELEC", b"SELECTS", b"UNION  ALL", b"S\xC5LECT", b"N: AT"];
        for word in absent {
            assert!(find(word).is_none(), "{word:?}");
        }
    }
}
