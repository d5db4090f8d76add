//! `@gt`: the value, as a number, is more than the argument.

use super::number::{check, number};
use super::{Kind, Operator, Order, Sense};

pub(super) const OPERATOR: Operator = Operator {
    name: "gt",
    aliases: &[],
    doc: "The whole number at the beginning of the value is more than the argument; no number is 0.",
    kind: Kind::Compares { check, matches, sense: Sense::Number(Order::Gt) },
};

fn matches(argument: &[u8], value: &[u8]) -> bool {
    number(value) > number(argument)
}
