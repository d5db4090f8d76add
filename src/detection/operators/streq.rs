//! `@streq`: equal texts.

use super::{Kind, Operator, Sense};

pub(super) const OPERATOR: Operator = Operator {
    name: "streq",
    aliases: &[],
    doc: "The value is the argument.",
    kind: Kind::Compares { check: |_| Ok(()), matches, sense: Sense::Contains },
};

fn matches(argument: &[u8], value: &[u8]) -> bool {
    value == argument
}
