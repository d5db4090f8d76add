//! `@verifyCC`: credit card numbers.

use super::verify::{Verify, digits};
use super::{Kind, Operator};

pub(super) const OPERATOR: Operator = Operator {
    name: "verifyCC",
    aliases: &[],
    doc: "The pattern of the argument finds a number in the value that checks as a credit card number (Luhn).",
    kind: Kind::Compiled(|argument| Verify::compile(argument.text, is_valid)),
};

/// By Luhn: from the right, every second digit counts twice, less nine if that is more than nine.
fn is_valid(number: &[u8]) -> bool {
    let sum: u32 = digits(number).rev().enumerate().map(|(place, digit)| luhn(place, digit)).sum();
    sum.is_multiple_of(10) && digits(number).next().is_some()
}

fn luhn(place: usize, digit: u32) -> u32 {
    match digit * 2 {
        _ if place.is_multiple_of(2) => digit,
        twice if twice > 9 => twice - 9,
        twice => twice,
    }
}
