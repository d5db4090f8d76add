//! `@verifySVNR`: Austrian social security numbers (Sozialversicherungsnummer).

use super::verify::{Verify, first_digits, is_made_up, weighted};
use super::{Kind, Operator};

pub(super) const OPERATOR: Operator = Operator {
    name: "verifySVNR",
    aliases: &[],
    doc: "The pattern of the argument finds a number in the value that checks as an Austrian social security number.",
    kind: Kind::Compiled(|argument| Verify::compile(argument.text, is_valid)),
};

/// Weights of the ten digits. The fourth is the check digit: it does not check itself.
const WEIGHTS: [u32; 10] = [3, 7, 9, 0, 5, 8, 4, 2, 1, 6];

fn is_valid(number: &[u8]) -> bool {
    let Some(digits) = first_digits::<10>(number) else { return false };
    let [_, _, _, check, ..] = digits;
    // A rest of ten counts as zero, as in ModSecurity; such numbers are not given out.
    let rest = weighted(&digits, WEIGHTS) % 11 % 10;
    rest == check && !is_made_up(&digits)
}
