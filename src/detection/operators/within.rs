//! `@within`: a value in a text, such as a list of what is allowed.

use memchr::memmem;

use super::{Kind, Operator, Sense};

pub(super) const OPERATOR: Operator = Operator {
    name: "within",
    aliases: &[],
    doc: "The value is somewhere in the argument; an empty value always is.",
    kind: Kind::Compares { check: |_| Ok(()), matches, sense: Sense::Anything },
};

fn matches(argument: &[u8], value: &[u8]) -> bool {
    memmem::find(argument, value).is_some()
}
