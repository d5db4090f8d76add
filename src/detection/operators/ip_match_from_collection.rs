//! `@ipMatchFromCollection`: addresses and networks of a typed collection, as they are now.

use super::{Argument, Fault, Kind, Matcher, Operator, Scope, address, name};

pub(super) const OPERATOR: Operator = Operator {
    name: "ipMatchFromCollection",
    aliases: &[],
    doc: "The value is an address that is in the collection (of kind `addresses`), as it is at that moment; in one that is not declared is none.",
    kind: Kind::Compiled(compile),
};

/// A collection by its name: it may be declared, changed and removed while rules judge.
#[derive(Debug)]
struct Addresses(Box<str>);

impl Matcher for Addresses {
    fn matches(&self, value: &[u8], scope: &mut Scope<'_>) -> bool {
        let table = scope.tables.and_then(|tables| tables.get(&self.0));
        let address = address(value);
        let found = table.zip(address).is_some_and(|(table, address)| table.contains(address));
        if found {
            scope.capture(0..value.len());
        }
        found
    }

    fn is_pure(&self) -> bool {
        false
    }

    fn collection(&self) -> Option<&str> {
        Some(&self.0)
    }
}

fn compile(argument: &Argument<'_>) -> Result<Box<dyn Matcher>, Fault> {
    Ok(Box::new(Addresses(name(argument.text)?.into())))
}
