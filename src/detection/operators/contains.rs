//! `@contains`: a text in a value.

use memchr::memmem;

use super::{Kind, Operator, Sense};

pub(super) const OPERATOR: Operator = Operator {
    name: "contains",
    aliases: &[],
    doc: "The argument is somewhere in the value.",
    kind: Kind::Compares { check: |_| Ok(()), matches, sense: Sense::Contains },
};

fn matches(argument: &[u8], value: &[u8]) -> bool {
    memmem::find(value, argument).is_some()
}
