//! `@le`: the value, as a number, is at most the argument.

use super::number::{check, number};
use super::{Kind, Operator, Order, Sense};

pub(super) const OPERATOR: Operator = Operator {
    name: "le",
    aliases: &[],
    doc: "The whole number at the beginning of the value is at most the argument; no number is 0.",
    kind: Kind::Compares { check, matches, sense: Sense::Number(Order::Le) },
};

fn matches(argument: &[u8], value: &[u8]) -> bool {
    number(value) <= number(argument)
}
