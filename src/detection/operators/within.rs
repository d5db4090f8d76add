//! `@within`: a value in a text, such as a list of what is allowed.

use memchr::{memchr_iter, memmem};

use super::{Kind, Operator, Sense};

pub(super) const OPERATOR: Operator = Operator {
    name: "within",
    aliases: &[],
    doc: "The value is somewhere in the argument; an empty value always is.",
    kind: Kind::Compares { check: |_| Ok(()), matches: within, sense: Sense::Within },
};

/// Bytes of an argument that is searched as it is.
const SHORT: usize = 1024;

/// Whether a value is in a text.
pub fn within(argument: &[u8], value: &[u8]) -> bool {
    let Some(first) = value.first() else { return true };
    if argument.len() > SHORT {
        return memmem::find(argument, value).is_some();
    }
    // Preparing a search would cost more than it saves.
    memchr_iter(*first, argument)
        .any(|start| argument.get(start..).is_some_and(|rest| rest.starts_with(value)))
}
