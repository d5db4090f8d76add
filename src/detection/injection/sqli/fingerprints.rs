//! Fingerprints: the kinds of up to five tokens, and which of them are injections.
//!
//! The list is libinjection's: see `fingerprints.txt`.

use std::fmt;
use std::sync::LazyLock;

use super::token::Kind;

/// The kinds of a value's tokens after folding: one to five letters, each a [`Kind`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Fingerprint {
    letters: [u8; LENGTH],
    length: u8,
}

/// Tokens of a fingerprint, at the most.
pub const LENGTH: usize = 5;

const LISTED: &str = include_str!("fingerprints.txt");

/// Twice the fingerprints there are.
const SLOTS: usize = 1 << 14;

static TABLE: LazyLock<Table> = LazyLock::new(|| Table::new(listed()));

impl Fingerprint {
    /// Of these kinds, as far as there is room.
    pub fn of(kinds: impl Iterator<Item = Kind>) -> Self {
        Self::of_letters(kinds.map(Kind::letter))
    }

    /// Its letters.
    pub fn as_bytes(&self) -> &[u8] {
        self.letters.get(..usize::from(self.length)).unwrap_or_default()
    }

    /// Whether it is one of an injection.
    pub fn is_known(self) -> bool {
        self.length > 0 && TABLE.contains(self.key())
    }

    fn of_letters(letters: impl Iterator<Item = u8>) -> Self {
        let mut fingerprint = Self::default();
        for (slot, letter) in fingerprint.letters.iter_mut().zip(letters) {
            *slot = letter;
            fingerprint.length += 1;
        }
        fingerprint
    }

    /// A number that is its own; letters fold.
    fn key(self) -> u64 {
        self.letters.iter().fold(0, |key, letter| key << 8 | u64::from(letter.to_ascii_uppercase()))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_bytes().escape_ascii().fmt(f)
    }
}

/// The keys of fingerprints, each in the slot of its hash or in one soon after it; an empty slot
/// is 0.
struct Table {
    slots: Vec<u64>,
}

impl Table {
    fn new(fingerprints: impl Iterator<Item = Fingerprint>) -> Self {
        let mut table = Self { slots: vec![0; SLOTS] };
        for fingerprint in fingerprints {
            let mut at = hash(fingerprint.key());
            while table.slots.get(at).is_some_and(|&slot| slot != 0) {
                at = (at + 1) % SLOTS;
            }
            if let Some(slot) = table.slots.get_mut(at) {
                *slot = fingerprint.key();
            }
        }
        table
    }

    fn contains(&self, key: u64) -> bool {
        let mut at = hash(key);
        while let Some(&slot) = self.slots.get(at).filter(|&&slot| slot != 0) {
            if slot == key {
                return true;
            }
            at = (at + 1) % SLOTS;
        }
        false
    }
}

fn hash(key: u64) -> usize {
    (key.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 50) as usize % SLOTS
}

fn listed() -> impl Iterator<Item = Fingerprint> {
    let lines = LISTED.lines().filter(|line| !line.starts_with("# "));
    lines.flat_map(str::split_whitespace).map(|word| Fingerprint::of_letters(word.bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_listed_fingerprint_is_known() {
        assert_eq!(listed().filter(|fingerprint| fingerprint.is_known()).count(), 8367);
    }

    #[test]
    fn a_fingerprint_that_is_not_listed_is_not_known() {
        for letters in ["", "n", "nnnnn", "s", "1o1", "..", "0X"] {
            assert!(!Fingerprint::of_letters(letters.bytes()).is_known(), "{letters}");
        }
    }
}
