//! What must be in a value for a test to match it.

use crate::detection::pattern::ByteSet;

/// Clauses of one test that are kept, the rarest: more tell hardly more.
pub const MOST_CLAUSES: usize = 6;

/// All of these must hold; without any, every value may match.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Needs {
    /// The rarest first.
    pub clauses: Vec<Clause>,
}

/// What a value must have one of; with nothing in it, no value will do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Clause {
    /// Lower case, sorted, of two bytes or more: found in any case of ASCII letters.
    pub literals: Vec<Vec<u8>>,
    /// Bytes, as they are.
    pub bytes: ByteSet,
}

impl Needs {
    /// One of these texts, in any case. An empty one is in every value.
    pub fn one_of<'a>(texts: impl IntoIterator<Item = &'a [u8]>) -> Self {
        Self::all(Clause::one_of(texts))
    }

    /// One of these bytes.
    pub fn byte(bytes: ByteSet) -> Self {
        Self::all([Clause { literals: Vec::new(), bytes }])
    }

    /// All of these clauses; of many, the rarest.
    pub fn all(clauses: impl IntoIterator<Item = Clause>) -> Self {
        let mut all: Vec<(f32, Clause)> = Vec::new();
        for clause in clauses {
            if !all.iter().any(|(_, known)| *known == clause) {
                all.push((clause.commonness(), clause));
            }
        }
        all.sort_by(|one, other| one.0.total_cmp(&other.0));
        let mut clauses: Vec<Clause> = all.into_iter().map(|(_, clause)| clause).collect();
        clauses.truncate(MOST_CLAUSES);
        Self { clauses }
    }
}

impl Clause {
    /// One of these texts, in any case; none if one of them is empty.
    pub fn one_of<'a>(texts: impl IntoIterator<Item = &'a [u8]>) -> Option<Self> {
        let mut clause = Self::default();
        for text in texts {
            match text {
                [] => return None,
                [byte] => clause.bytes = clause.bytes.or(ByteSet::one(*byte).folded()),
                _ => clause.literals.push(text.to_ascii_lowercase()),
            }
        }
        clause.literals.sort_unstable();
        clause.literals.dedup();
        Some(clause)
    }

    /// What has one of either.
    pub fn or(mut self, other: &Self) -> Self {
        self.bytes = self.bytes.or(other.bytes);
        self.literals.extend_from_slice(&other.literals);
        self.literals.sort_unstable();
        self.literals.dedup();
        self
    }

    /// Roughly how many of a thousand ordinary values meet it.
    pub fn commonness(&self) -> f32 {
        let literals = self.literals.iter().map(|literal| literal_commonness(literal));
        let bytes = (0..=u8::MAX).filter(|byte| self.bytes.contains(*byte)).map(commonness);
        literals.chain(bytes).sum::<f32>().min(1000.0)
    }
}

/// As if each byte of it stood there by chance, in a value of some forty bytes.
pub fn literal_commonness(literal: &[u8]) -> f32 {
    literal.iter().fold(40_000.0, |so_far, byte| so_far * commonness(*byte) / 10_000.0)
}

/// Of a thousand ordinary values, how many have this byte.
fn commonness(byte: u8) -> f32 {
    match byte {
        b'a'..=b'z' => 500.0,
        b'A'..=b'Z' | b'0'..=b'9' | b' ' | b'.' => 250.0,
        b'-' | b'/' | b'_' => 200.0,
        b',' | b':' | b';' | b'=' => 100.0,
        b'"' | b'%' | b'&' | b'(' | b')' | b'+' | b'?' => 50.0,
        b'!'..=b'~' | b'\t' | b'\n' | b'\r' => 20.0,
        _ => 3.0,
    }
}
