//! A link's test, ready to be run as often as one likes.

use std::sync::Arc;

use crate::detection::Inspection;
use crate::detection::operators::{Argument, Kind, Matcher, Operator, Scope};
use crate::detection::pattern::Captures;
use crate::detection::plan::{Link, Rule, Test};
use crate::transaction::Transaction;

/// A test whose argument is known.
pub(super) struct Ready {
    /// With macros expanded, where there are some.
    pub(super) argument: Vec<u8>,
    how: How,
}

enum How {
    Always,
    Compares(fn(argument: &[u8], value: &[u8]) -> bool),
    Compiled { matcher: Arc<dyn Matcher>, captures: bool },
    Never,
}

impl Ready {
    /// The test of a link; macros are expanded as they stand now.
    pub(super) fn of(
        link: &Link,
        rule: &Rule,
        inspection: &mut Inspection,
        transaction: &Transaction,
    ) -> Self {
        let mut argument = Vec::new();
        let how = match &link.test {
            Test::Always => How::Always,
            Test::Compares { matches, argument: text, .. } => {
                argument = inspection.expanded(rule, text, transaction);
                How::Compares(*matches)
            }
            Test::Compiled(matcher) => {
                How::Compiled { matcher: matcher.clone(), captures: link.capture }
            }
            Test::Later { operator, argument: text, .. } => {
                argument = inspection.expanded(rule, text, transaction);
                later(operator, &argument, link.capture)
            }
            Test::Never => How::Never,
        };
        Self { argument, how }
    }

    /// Whether it finds something in a value. Nobody answers what it asks of the world outside.
    pub(super) fn finds(&self, value: &[u8], found: &mut Captures) -> bool {
        match &self.how {
            How::Always => true,
            How::Compares(matches) => matches(&self.argument, value),
            How::Compiled { matcher, captures } => {
                let mut scope = Scope { captures: captures.then_some(found), ..Scope::default() };
                matcher.matches(value, &mut scope)
            }
            How::Never => false,
        }
    }
}

fn later(operator: &Operator, argument: &[u8], captures: bool) -> How {
    let compiled = match operator.kind {
        Kind::Compiled(compile) => compile(&Argument::alone(argument)).ok(),
        Kind::Compares { .. } | Kind::Refused(_) => None,
    };
    compiled.map_or(How::Never, |matcher| How::Compiled { matcher: matcher.into(), captures })
}
