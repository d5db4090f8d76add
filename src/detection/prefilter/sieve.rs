//! Which clauses a text meets, in one pass over its bytes and one over its groups of bytes.

use std::collections::HashMap;

use super::ClauseId;
use super::grams::Grams;
use super::needs::Clause;
use crate::detection::transformations::{always, changes_of};

/// Kinds of bytes that are told apart, at the most; the last is any of the rest.
const MOST_KINDS: usize = 128;

/// All clauses of a phase.
#[derive(Debug)]
pub struct Sieve {
    grams: Grams,
    /// By text of `grams`: the clauses that it meets.
    meets: Vec<Vec<ClauseId>>,
    /// By byte: its kind, as a bit. Bytes of a kind meet the same clauses, and the same
    /// transformations may change them.
    kinds: Box<[u128; 256]>,
    /// By kind: the transformations that may change it.
    changes: Vec<u64>,
    /// By kind: the clauses that it meets, as bits, [`words`](Self::words) for each.
    rows: Vec<u64>,
    clauses: usize,
}

/// What is known of a text at a glance: the kinds of its bytes.
#[derive(Debug, Clone, Copy, Default)]
pub struct Glance(u128);

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
        let clause = Clause { bytes: clause.bytes.folded(), ..clause };
        if let Some(known) = self.numbers.get(&clause) {
            return *known;
        }
        let Ok(number) = ClauseId::try_from(self.clauses.len() + 1) else { return 0 };
        self.clauses.push(clause.clone());
        self.numbers.insert(clause, number);
        number
    }

    /// The clauses that a byte meets, as bits.
    fn row(&self, byte: u8) -> Vec<u64> {
        let mut row = vec![0; self.clauses.len() / 64 + 1];
        for (number, clause) in (1..).zip(&self.clauses) {
            if clause.bytes.contains(byte) {
                set(&mut row, number);
            }
        }
        row
    }
}

fn set(row: &mut [u64], number: usize) {
    if let Some(word) = row.get_mut(number / 64) {
        *word |= 1 << (number % 64);
    }
}

impl Default for Sieve {
    fn default() -> Self {
        Self::new(&Gathering::default())
    }
}

impl Sieve {
    /// Of these clauses.
    pub fn new(gathered: &Gathering) -> Self {
        let mut texts: HashMap<&[u8], Vec<ClauseId>> = HashMap::new();
        for (number, clause) in (1..).zip(&gathered.clauses) {
            for literal in &clause.literals {
                texts.entry(literal).or_default().push(number);
            }
        }
        let mut texts: Vec<_> = texts.into_iter().collect();
        texts.sort_unstable();
        let mut sieve = Self {
            grams: Grams::new(texts.iter().map(|(text, _)| (*text).into()).collect()),
            meets: texts.into_iter().map(|(_, clauses)| clauses).collect(),
            kinds: Box::new([0; 256]),
            changes: Vec::new(),
            rows: Vec::new(),
            clauses: gathered.clauses.len() + 1,
        };
        sieve.set_kinds(gathered);
        sieve
    }

    fn set_kinds(&mut self, gathered: &Gathering) {
        let mut known: HashMap<(u64, Vec<u64>), usize> = HashMap::new();
        let words = self.words();
        for byte in 0..=u8::MAX {
            let (changes, row) = (changes_of(byte), gathered.row(byte));
            let next = known.len().min(MOST_KINDS - 1);
            let kind = *known.entry((changes, row.clone())).or_insert(next);
            if let Some(bits) = self.kinds.get_mut(usize::from(byte)) {
                *bits = 1 << kind;
            }
            if kind >= self.changes.len() {
                self.changes.push(0);
                self.rows.resize(self.rows.len() + words, 0);
            }
            if let Some(of_kind) = self.changes.get_mut(kind) {
                *of_kind |= changes;
            }
            let of_kind = self.rows.get_mut(kind * words..).unwrap_or_default();
            of_kind.iter_mut().zip(row).for_each(|(word, more)| *word |= more);
        }
    }

    /// How many clauses there are, that which every text meets included.
    pub fn clauses(&self) -> usize {
        self.clauses
    }

    /// How many words the clauses take as bits.
    pub fn words(&self) -> usize {
        (self.clauses - 1) / 64 + 1
    }

    /// What kinds of bytes a text has.
    pub fn glance(&self, text: &[u8]) -> Glance {
        let kinds = text.iter().filter_map(|byte| self.kinds.get(usize::from(*byte)));
        Glance(kinds.fold(0, |all, kind| all | kind))
    }

    /// The transformations that may change a text, as bits by their places in the list of all.
    pub fn changes(&self, glance: Glance) -> u64 {
        let changes = kinds(glance).filter_map(|kind| self.changes.get(kind));
        changes.fold(always(), |all, more| all | more)
    }

    /// Adds to `row` the clauses that a text meets.
    pub fn sift(&self, text: &[u8], glance: Glance, row: &mut [u64]) {
        set(row, 0);
        let words = self.words();
        for kind in kinds(glance) {
            let meets = self.rows.get(kind * words..).unwrap_or_default();
            row.iter_mut().zip(meets).for_each(|(word, more)| *word |= more);
        }
        self.grams.find(text, |literal| {
            for number in self.meets.get(literal as usize).into_iter().flatten() {
                set(row, usize::from(*number));
            }
        });
    }
}

fn kinds(Glance(mut rest): Glance) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let kind = rest.trailing_zeros() as usize;
        rest = (rest != 0).then(|| rest & (rest - 1))?;
        Some(kind)
    })
}
