//! `@beginsWith`: how a value begins.

use super::{Kind, Operator};

pub(super) const OPERATOR: Operator = Operator {
    name: "beginsWith",
    aliases: &[],
    doc: "The value begins with the argument.",
    kind: Kind::Compares { check: |_| Ok(()), matches },
};

fn matches(argument: &[u8], value: &[u8]) -> bool {
    value.starts_with(argument)
}
