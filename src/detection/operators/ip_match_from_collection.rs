//! `@ipMatchFromCollection`: addresses and networks of a typed collection, as they are now.

use super::{Kind, Operator, address, in_collection};

pub(super) const OPERATOR: Operator = Operator {
    name: "ipMatchFromCollection",
    aliases: &[],
    doc: "The value is an address that is in the collection (of kind `addresses`), as it is at that moment; in one that is not declared is none.",
    kind: Kind::Compiled(|argument| {
        in_collection::compile(argument, |table, value| {
            address(value).is_some_and(|address| table.contains(address))
        })
    }),
};
