//! `@verifyCPF`: Brazilian tax numbers (Cadastro de Pessoas Físicas).

use super::verify::{Verify, first_digits, is_made_up, weighted};
use super::{Kind, Operator};

pub(super) const OPERATOR: Operator = Operator {
    name: "verifyCPF",
    aliases: &[],
    doc: "The pattern of the argument finds a number in the value that checks as a Brazilian CPF.",
    kind: Kind::Compiled(|argument| Verify::compile(argument.text, is_valid)),
};

/// Eleven digits, the last two of which check those before.
fn is_valid(number: &[u8]) -> bool {
    let Some(digits) = first_digits::<11>(number) else { return false };
    let [.., first, second] = digits;
    let before = |length| digits.get(..length).unwrap_or_default();
    !is_made_up(&digits) && check_digit(before(9)) == first && check_digit(before(10)) == second
}

/// The weights fall to 2 at the last digit.
fn check_digit(digits: &[u32]) -> u32 {
    let weights = (2..=digits.len() as u32 + 1).rev();
    match weighted(digits, weights) % 11 {
        0 | 1 => 0,
        rest => 11 - rest,
    }
}
