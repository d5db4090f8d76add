//! `@strmatch`: another name of `contains`, once a faster one.

use memchr::memmem;

use super::{Kind, Operator, Sense};

pub(super) const OPERATOR: Operator = Operator {
    name: "strmatch",
    aliases: &[],
    doc: "The argument is somewhere in the value; the same as `contains`.",
    kind: Kind::Compares { check: |_| Ok(()), matches, sense: Sense::Contains },
};

fn matches(argument: &[u8], value: &[u8]) -> bool {
    memmem::find(value, argument).is_some()
}
