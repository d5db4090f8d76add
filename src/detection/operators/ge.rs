//! `@ge`: the value, as a number, is at least the argument.

use super::number::{check, number};
use super::{Kind, Operator, Order, Sense};

pub(super) const OPERATOR: Operator = Operator {
    name: "ge",
    aliases: &[],
    doc: "The whole number at the beginning of the value is at least the argument; no number is 0.",
    kind: Kind::Compares { check, matches, sense: Sense::Number(Order::Ge) },
};

fn matches(argument: &[u8], value: &[u8]) -> bool {
    number(value) >= number(argument)
}
