//! What is wrong with rules, told once, where it stands.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::diagnostic::{Diagnostic, Span};
use crate::seclang::Directive;

/// Faults and warnings that are told, at the most: rules can be wrong a million times over.
const MOST: usize = 10_000;

/// Every fault and warning, each once: what a `SecDefaultAction` says wrong is else told by every
/// rule that inherits it.
#[derive(Default)]
pub(super) struct Faults {
    found: Vec<Diagnostic>,
    seen: HashSet<(usize, (usize, usize), &'static str, String)>,
    /// How many more there were; whether one of them is an error.
    untold: usize,
    untold_error: bool,
}

impl Faults {
    pub(super) fn push(&mut self, fault: Diagnostic) {
        if self.found.len() >= MOST {
            self.untold += 1;
            self.untold_error |= fault.is_error();
            return;
        }
        let place = fault.place.as_ref();
        let source = place.map_or(0, |place| Arc::as_ptr(&place.source) as usize);
        let span = place.map_or((0, 0), |place| (place.span.start, place.span.end));
        if self.seen.insert((source, span, fault.code, fault.message.clone())) {
            self.found.push(fault);
        }
    }

    /// In the order of the directives that they stand in.
    pub(super) fn in_order(mut self, directives: &[Directive]) -> Vec<Diagnostic> {
        let mut order = HashMap::new();
        for directive in directives {
            let next = order.len();
            order.entry(Arc::as_ptr(&directive.source)).or_insert(next);
        }
        self.found.sort_by_key(|fault| {
            let place = fault.place.as_ref();
            place.map(|place| (order.get(&Arc::as_ptr(&place.source)).copied(), place.span.start))
        });
        if self.untold > 0 {
            let code = "seclang::too-many-faults";
            let message = format!("{} more faults are not told", self.untold);
            self.found.push(if self.untold_error {
                Diagnostic::error(code, message)
            } else {
                Diagnostic::warning(code, message)
            });
        }
        self.found
    }
}

/// A part of a directive, of which something is to be said.
#[derive(Clone, Copy)]
pub(super) struct Site<'a> {
    pub(super) directive: &'a Directive,
    pub(super) span: Span,
}

impl<'a> Site<'a> {
    pub(super) fn new(directive: &'a Directive, span: Span) -> Self {
        Self { directive, span }
    }

    /// All of a directive.
    pub(super) fn whole(directive: &'a Directive) -> Self {
        Self::new(directive, directive.span)
    }

    /// Another part of the same directive.
    pub(super) fn at(self, span: Span) -> Self {
        Self::new(self.directive, span)
    }

    pub(super) fn fault(
        self,
        code: &'static str,
        message: impl Into<String>,
        label: impl Into<String>,
    ) -> Diagnostic {
        self.directive.fault(code, message, self.span, label)
    }

    pub(super) fn warning(
        self,
        code: &'static str,
        message: impl Into<String>,
        label: impl Into<String>,
    ) -> Diagnostic {
        Diagnostic::warning(code, message).at(&self.directive.source, self.span, label)
    }

    /// The line that it begins on, from 1.
    pub(super) fn line(self) -> usize {
        self.directive.source.line_column(self.span.start).0
    }
}

#[cfg(test)]
mod tests {
    use super::{Faults, MOST};
    use crate::diagnostic::Diagnostic;

    #[test]
    fn past_the_bound_faults_are_counted_and_an_untold_error_is_one() {
        let mut faults = Faults::default();
        for number in 0..MOST + 2 {
            faults.push(Diagnostic::warning("a::b", number.to_string()));
        }
        faults.push(Diagnostic::error("a::b", "wrong"));
        let told = faults.in_order(&[]);
        assert_eq!(told.len(), MOST + 1);
        assert_eq!(told[MOST].message, "3 more faults are not told");
        assert!(told[MOST].is_error());
    }
}
