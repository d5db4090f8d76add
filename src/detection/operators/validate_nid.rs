//! `@validateNid`: national numbers of Chile and the United States (Coraza's).

use super::verify::Verify;
use super::{Argument, Fault, Kind, Matcher, Operator, verify_ssn};

pub(super) const OPERATOR: Operator = Operator {
    name: "validateNid",
    aliases: &[],
    doc: "The pattern after the country (`cl` or `us`) finds a number in the value that checks as one of that country's.",
    kind: Kind::Compiled(compile),
};

fn compile(argument: &Argument<'_>) -> Result<Box<dyn Matcher>, Fault> {
    match argument.text {
        [b'c', b'l', b' ', pattern @ ..] => Verify::compile(pattern, is_rut),
        [b'u', b's', b' ', pattern @ ..] => Verify::compile(pattern, verify_ssn::is_valid),
        _ => {
            let help = "write `cl` or `us`, a space, and a pattern that finds the numbers";
            let help = Some(help.to_owned());
            Err(Fault { help, ..Fault::new("there is no country that is known") })
        }
    }
}

/// A Chilean RUT: digits, and a check digit that may be `K`.
fn is_rut(number: &[u8]) -> bool {
    let mut signs = number.iter().rev().filter_map(|byte| match byte {
        b'0'..=b'9' => Some(u32::from(byte - b'0')),
        b'k' | b'K' => Some(10),
        _ => None,
    });
    let Some(check) = signs.next() else { return false };
    let digits: Vec<u32> = signs.take(10).collect();
    let sum: u32 = digits.iter().zip((2..=7).cycle()).map(|(digit, weight)| digit * weight).sum();
    let possible = (6..10).contains(&digits.len()) && digits.iter().all(|digit| *digit < 10);
    possible && (11 - sum % 11) % 11 == check
}
