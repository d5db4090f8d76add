//! Tells at many bytes a step that a long value lacks what one test needs: for tests that no sieve
//! stands before.

use aho_corasick::packed::Searcher;

use super::needs::{Clause, Needs, literal_commonness};

/// Literals that are looked for at once, at the most, and bytes of each that are.
const MOST: usize = 8;
const PART: usize = 3;

/// What looks for the literals of one clause.
#[derive(Debug)]
pub struct Scout {
    /// Finds a part of each literal, in each case of its letters.
    searcher: Searcher,
    /// By pattern of the searcher: the literal, and bytes of it before the part.
    literals: Vec<(Box<[u8]>, usize)>,
}

impl Scout {
    /// For a test with these needs; none: nothing of them is found quickly.
    pub fn new(needs: &Needs) -> Option<Self> {
        let clause = needs.clauses.iter().find(|clause| is_quick(clause))?;
        let (mut parts, mut literals) = (Vec::new(), Vec::new());
        for literal in &clause.literals {
            let windows = literal.windows(PART).enumerate();
            let rarest = windows.min_by(|(_, one), (_, other)| {
                literal_commonness(one).total_cmp(&literal_commonness(other))
            });
            let (before, part) = rarest?;
            for cased in cases(part) {
                parts.push(cased);
                literals.push((literal.as_slice().into(), before));
            }
        }
        Some(Self { searcher: Searcher::new(&parts)?, literals })
    }

    /// Whether a value lacks all of them.
    pub fn lacks(&self, value: &[u8]) -> bool {
        let mut from = 0;
        while let Some(found) =
            self.searcher.find_in(value, aho_corasick::Span::from(from..value.len()))
        {
            if self.is_whole(value, found.pattern().as_usize(), found.start()) {
                return false;
            }
            from = found.start() + 1;
        }
        true
    }

    /// Whether the literal is there of which a part is at a place. Several literals may have it: one
    /// of them is told, and the others are taken to be there.
    fn is_whole(&self, value: &[u8], pattern: usize, at: usize) -> bool {
        let part = value.get(at..at + PART).unwrap_or_default();
        let has_part = |(literal, before): &&(Box<[u8]>, usize)| {
            let own = literal.get(*before..before + PART);
            own.is_some_and(|own| own.eq_ignore_ascii_case(part))
        };
        let Some((literal, before)) = self.literals.get(pattern) else { return true };
        let distinct = self.literals.iter().filter(has_part).all(|(other, _)| other == literal);
        let start = at.checked_sub(*before);
        let there = start.and_then(|start| value.get(start..start + literal.len()));
        !distinct || there.is_some_and(|there| there.eq_ignore_ascii_case(literal))
    }
}

fn is_quick(clause: &Clause) -> bool {
    (1..=MOST).contains(&clause.literals.len())
        && clause.bytes.is_empty()
        && clause.literals.iter().all(|literal| literal.len() >= PART)
}

/// A text in each case that its letters can have.
fn cases(text: &[u8]) -> Vec<Vec<u8>> {
    text.iter().fold(vec![Vec::new()], |so_far, byte| {
        let mut both = vec![byte.to_ascii_lowercase(), byte.to_ascii_uppercase()];
        both.dedup();
        let with = |before: &Vec<u8>, byte: &u8| [&before[..], &[*byte]].concat();
        so_far.iter().flat_map(|before| both.iter().map(|byte| with(before, byte))).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::Scout;
    use crate::detection::prefilter::Needs;

    #[test]
    fn what_is_there_in_any_case_is_not_lacking() {
        let needs = Needs::one_of([&b"server error in"[..], b"error 1", b"xyz"]);
        let scout = Scout::new(&needs).expect("three literals");
        for there in ["Server Error in", "ERROR 1", "-error 1", "xYz", "xyxyz"] {
            for before in 0..40 {
                let value = format!("{}{there}{}", "e".repeat(before), "r".repeat(before));
                assert!(!scout.lacks(value.as_bytes()), "{value}");
            }
        }
        for lacking in ["", "xy", "servererrorin", "Server Error i", "error 2 ERROR 3 xy z"] {
            let value = format!("{}{lacking}", "error in".repeat(30));
            assert!(scout.lacks(lacking.as_bytes()) && scout.lacks(value.as_bytes()), "{value}");
        }
    }

    #[test]
    fn what_may_be_a_byte_is_not_looked_for() {
        assert!(Scout::new(&Needs::one_of([&b"abc"[..], b"d"])).is_none());
        assert!(Scout::new(&Needs::default()).is_none());
    }
}
