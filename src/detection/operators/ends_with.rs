//! `@endsWith`: how a value ends.

use super::{Kind, Operator};

pub(super) const OPERATOR: Operator = Operator {
    name: "endsWith",
    aliases: &[],
    doc: "The value ends with the argument.",
    kind: Kind::Compares { check: |_| Ok(()), matches },
};

fn matches(argument: &[u8], value: &[u8]) -> bool {
    value.ends_with(argument)
}
