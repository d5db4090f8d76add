//! `@beginsWith`: how a value begins.

use super::{Kind, Operator, Sense};

pub(super) const OPERATOR: Operator = Operator {
    name: "beginsWith",
    aliases: &[],
    doc: "The value begins with the argument.",
    kind: Kind::Compares { check: |_| Ok(()), matches, sense: Sense::Contains },
};

fn matches(argument: &[u8], value: &[u8]) -> bool {
    value.starts_with(argument)
}
