//! `@verifySSN`: social security numbers of the United States.

use super::verify::{Verify, digits, is_made_up};
use super::{Kind, Operator};

pub(super) const OPERATOR: Operator = Operator {
    name: "verifySSN",
    aliases: &[],
    doc: "The pattern of the argument finds a number in the value that can be a US social security number.",
    kind: Kind::Compiled(|argument| Verify::compile(argument.text, is_valid)),
};

/// Nine digits: area, group and serial number, none of which is zero.
pub(super) fn is_valid(number: &[u8]) -> bool {
    // One digit more than there may be.
    let found: Vec<u32> = digits(number).take(10).collect();
    let [a, b, c, group @ .., _, _, _, _] = found.as_slice() else { return false };
    let area = a * 100 + b * 10 + c;
    let serial = found.iter().skip(5).sum::<u32>();
    let possible = area > 0 && area < 740 && area != 666;
    possible
        && group.iter().sum::<u32>() > 0
        && serial > 0
        && found.len() == 9
        && !is_made_up(&found)
}
