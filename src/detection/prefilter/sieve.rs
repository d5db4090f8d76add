//! Which clauses a text meets, in one pass.

use std::collections::HashMap;

use super::ClauseId;
use super::grams::Grams;
use super::needs::Clause;
use crate::detection::pattern::ByteSet;

/// All clauses of some phases.
#[derive(Debug, Default)]
pub struct Sieve {
    grams: Grams,
    /// By text of `grams`: the clauses that it meets.
    meets: Vec<Vec<ClauseId>>,
    /// The bytes that any clause has.
    bytes: ByteSet,
    /// By byte: the clauses that it meets, as bits, [`words`](Self::words) for each.
    by_byte: Vec<u64>,
    words: usize,
}

/// Clauses being gathered.
#[derive(Debug, Default)]
pub struct Gathering {
    numbers: HashMap<Clause, ClauseId>,
    /// The one before number 1 is met by every text.
    clauses: Vec<Clause>,
}

impl Gathering {
    /// The number of a clause; 0 if there are too many.
    pub fn number(&mut self, clause: Clause) -> ClauseId {
        if let Some(known) = self.numbers.get(&clause) {
            return *known;
        }
        let Ok(number) = ClauseId::try_from(self.clauses.len() + 1) else { return 0 };
        self.clauses.push(clause.clone());
        self.numbers.insert(clause, number);
        number
    }
}

impl Sieve {
    /// Of these clauses.
    pub fn new(gathered: &Gathering) -> Self {
        let words = gathered.clauses.len() / 64 + 1;
        let mut sieve = Self { words, by_byte: vec![0; 256 * words], ..Self::default() };
        let mut texts: HashMap<&[u8], Vec<ClauseId>> = HashMap::new();
        for (number, clause) in (1..).zip(&gathered.clauses) {
            for literal in &clause.literals {
                texts.entry(literal).or_default().push(number);
            }
            sieve.add_bytes(clause.bytes, number);
        }
        let mut texts: Vec<_> = texts.into_iter().collect();
        texts.sort_unstable();
        sieve.grams = Grams::new(texts.iter().map(|(text, _)| (*text).into()).collect());
        sieve.meets = texts.into_iter().map(|(_, clauses)| clauses).collect();
        sieve
    }

    fn add_bytes(&mut self, bytes: ByteSet, number: ClauseId) {
        self.bytes = self.bytes.or(bytes);
        for byte in (0..=u8::MAX).filter(|byte| bytes.contains(*byte)) {
            let place = usize::from(byte) * self.words + usize::from(number / 64);
            if let Some(word) = self.by_byte.get_mut(place) {
                *word |= 1 << (number % 64);
            }
        }
    }

    /// How many words the clauses take as bits.
    pub fn words(&self) -> usize {
        self.words
    }

    /// Adds to `row` the clauses that a text meets. `present` are its bytes; `lower` is room for it
    /// in lower case.
    pub fn sift(&self, text: &[u8], present: ByteSet, lower: &mut Vec<u8>, row: &mut [u64]) {
        if let Some(first) = row.first_mut() {
            *first |= 1;
        }
        for byte in present.and(self.bytes).iter() {
            let start = usize::from(byte) * self.words;
            let meets = self.by_byte.get(start..start + self.words).unwrap_or_default();
            row.iter_mut().zip(meets).for_each(|(word, more)| *word |= more);
        }
        lower.clear();
        lower.extend_from_slice(text);
        lower.make_ascii_lowercase();
        // Four bytes are read at each place.
        lower.extend_from_slice(&[0; 3]);
        self.grams.find(lower, |text| {
            for number in self.meets.get(text as usize).into_iter().flatten() {
                if let Some(word) = row.get_mut(usize::from(number / 64)) {
                    *word |= 1 << (number % 64);
                }
            }
        });
    }
}
