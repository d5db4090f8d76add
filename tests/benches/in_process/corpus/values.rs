//! Values that follow from a number, and look as those of people do.

use std::fmt::Write as _;

/// Values that follow from a number, and look as those of people do.
pub struct Values {
    state: u64,
}

const WORDS: &[&str] = &[
    "lantern", "paper", "garden", "window", "silver", "river", "morning", "basket", "Anna",
    "Berlin", "harbour", "winter", "letter", "bamboo", "copper", "yellow", "meadow", "station",
    "candle", "Thomas", "violin", "orange", "village", "summer", "pocket", "market", "Lisbon",
    "pepper", "ribbon", "cotton", "feather", "mountain",
];
const NAMES: &[&str] = &[
    "street", "city", "first", "last", "phone", "comment", "size", "colour", "quantity", "country",
    "company", "birthday", "subject", "category", "sort", "filter",
];

impl Values {
    pub fn new(number: u64) -> Self {
        Self { state: (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) }
    }

    /// Below `end`. (xorshift64*)
    pub fn number(&mut self, end: u64) -> u64 {
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        (self.state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % end
    }

    pub fn one(&mut self, of: &[&'static str]) -> &'static str {
        of[self.number(of.len() as u64) as usize]
    }

    /// A word and a number: one of some ten thousand.
    pub fn word(&mut self) -> String {
        format!("{}{}", self.one(WORDS), self.number(400))
    }

    /// Words, of which one is rare.
    pub fn words(&mut self, count: usize) -> String {
        let mut text = self.word();
        for _ in 1..count {
            write!(text, " {}", self.one(WORDS)).unwrap();
        }
        text
    }

    /// The name of an argument.
    pub fn name(&mut self) -> String {
        format!("{}_{}", self.one(NAMES), self.number(10_000))
    }

    pub fn token(&mut self, length: usize) -> String {
        (0..length).map(|_| char::from(b"0123456789abcdef"[self.number(16) as usize])).collect()
    }
}
