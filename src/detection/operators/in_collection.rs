//! What the operators that look into a typed collection have in common.

use super::{Argument, Fault, Matcher, Scope, name};
use crate::shared::Table;

/// Whether the collection holds a value.
type Holds = fn(&Table, &[u8]) -> bool;

/// A collection by its name: it may be declared, changed and removed while rules judge.
#[derive(Debug)]
struct InCollection {
    name: Box<str>,
    holds: Holds,
}

/// A matcher for the collection that a rule names.
///
/// # Errors
/// If the argument cannot be a name.
pub(super) fn compile(argument: &Argument<'_>, holds: Holds) -> Result<Box<dyn Matcher>, Fault> {
    Ok(Box::new(InCollection { name: name(argument.text)?.into(), holds }))
}

impl Matcher for InCollection {
    fn matches(&self, value: &[u8], scope: &mut Scope<'_>) -> bool {
        let table = scope.tables.and_then(|tables| tables.get(&self.name));
        let found = table.is_some_and(|table| (self.holds)(&table, value));
        if found {
            scope.capture(0..value.len());
        }
        found
    }

    fn is_pure(&self) -> bool {
        false
    }

    fn collection(&self) -> Option<&str> {
        Some(&self.name)
    }
}
