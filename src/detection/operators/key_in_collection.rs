//! `@keyInCollection`: keys of a typed collection, as they are now.

use super::{Kind, Operator, in_collection};

pub(super) const OPERATOR: Operator = Operator {
    name: "keyInCollection",
    aliases: &[],
    doc: "The value is a key of the collection (of any kind), as it is at that moment; in one that is not declared is none.",
    kind: Kind::Compiled(|argument| {
        // A key is text: what is no UTF-8 is none.
        in_collection::compile(argument, |table, value| {
            std::str::from_utf8(value).is_ok_and(|key| table.has(key))
        })
    }),
};
