//! `@keyInCollection`: keys of a typed collection, as they are now.

use super::{Argument, Fault, Kind, Matcher, Operator, Scope, name};

pub(super) const OPERATOR: Operator = Operator {
    name: "keyInCollection",
    aliases: &[],
    doc: "The value is a key of the collection (of any kind), as it is at that moment; in one that is not declared is none.",
    kind: Kind::Compiled(compile),
};

/// A collection by its name: it may be declared, changed and removed while rules judge.
#[derive(Debug)]
struct Keys(Box<str>);

impl Matcher for Keys {
    fn matches(&self, value: &[u8], scope: &mut Scope<'_>) -> bool {
        let table = scope.tables.and_then(|tables| tables.get(&self.0));
        // A key is text: what is no UTF-8 is none.
        let key = std::str::from_utf8(value).ok();
        let found = table.zip(key).is_some_and(|(table, key)| table.has(key));
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
    Ok(Box::new(Keys(name(argument.text)?.into())))
}
