//! `@endsWith`: how a value ends.

use super::{Kind, Operator, Sense};

pub(super) const OPERATOR: Operator = Operator {
    name: "endsWith",
    aliases: &[],
    doc: "The value ends with the argument.",
    kind: Kind::Compares { check: |_| Ok(()), matches, sense: Sense::Contains },
};

fn matches(argument: &[u8], value: &[u8]) -> bool {
    value.ends_with(argument)
}
