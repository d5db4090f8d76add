//! What the `verify…` operators share: numbers that a pattern finds, with a check on their digits.

use super::{Fault, Matcher, Scope};
use crate::detection::pattern::{Captures, Case, Found, Pattern};

/// How much of a value is looked at again and again, as a multiple of its length: a match that
/// does not check is tried anew one byte further, which a value of digits alone would make
/// quadratic. Past that, the search goes on after the match.
const AGAIN: usize = 16;

/// Digits of short values are tried at every place.
const AGAIN_AT_LEAST: usize = 4096;

/// Numbers that a pattern finds and that check.
#[derive(Debug)]
pub(super) struct Verify {
    pattern: Pattern,
    check: fn(&[u8]) -> bool,
}

impl Verify {
    /// The numbers that the argument finds.
    pub(super) fn compile(
        argument: &[u8],
        check: fn(&[u8]) -> bool,
    ) -> Result<Box<dyn Matcher>, Fault> {
        if argument.is_empty() {
            return Err(Fault::new("there is no pattern that finds the numbers"));
        }
        Ok(Box::new(Self { pattern: Pattern::new(argument, Case::Differs)?, check }))
    }
}

impl Matcher for Verify {
    fn matches(&self, value: &[u8], scope: &mut Scope<'_>) -> bool {
        let mut spare = AGAIN.saturating_mul(value.len()).max(AGAIN_AT_LEAST);
        let mut found = Captures::default();
        let mut from = 0;
        while from < value.len() {
            match self.pattern.captures_from(value, from, &mut found) {
                Found::No => return false,
                Found::Cut => {
                    scope.cuts += 1;
                    return true;
                }
                Found::Yes => {}
            }
            let Some(range) = found.groups.first().cloned().flatten() else { return false };
            if value.get(range.clone()).is_some_and(self.check) {
                scope.capture(range);
                return true;
            }
            spare = spare.saturating_sub(range.len());
            from = if spare > 0 { range.start + 1 } else { range.end.max(range.start + 1) };
        }
        false
    }
}

/// The digits of a text, as numbers.
pub(super) fn digits(text: &[u8]) -> impl DoubleEndedIterator<Item = u32> + Clone {
    text.iter().filter(|byte| byte.is_ascii_digit()).map(|digit| u32::from(digit - b'0'))
}

/// The first `N` digits of a text; none if there are fewer.
pub(super) fn first_digits<const N: usize>(text: &[u8]) -> Option<[u32; N]> {
    let mut first = [0; N];
    let mut found = digits(text);
    for place in &mut first {
        *place = found.next()?;
    }
    Some(first)
}

/// Whether all digits are the same, or each is one more than the one before (a 0 after a 9): what
/// people write who have no number.
pub(super) fn is_made_up(digits: &[u32]) -> bool {
    let pairs = || digits.iter().zip(digits.iter().skip(1));
    pairs().all(|(one, next)| one == next) || pairs().all(|(one, next)| (one + 1) % 10 == *next)
}

/// The sum of digits, each with its weight.
pub(super) fn weighted(digits: &[u32], weights: impl IntoIterator<Item = u32>) -> u32 {
    digits.iter().zip(weights).map(|(digit, weight)| digit * weight).sum()
}
