//! The faults of one rule file, as they are found.

use std::sync::Arc;

use crate::diagnostic::{Diagnostic, Source, Span};

/// Faults that are told of one file, at the most: a file that is no rule file has one in each line.
const MOST: usize = 1000;
/// Characters of a name that a message repeats, at the most.
const LONGEST_NAME: usize = 60;

/// The faults of one rule file.
pub(super) struct Faults {
    source: Arc<Source>,
    list: Vec<Diagnostic>,
    has_error: bool,
    untold: usize,
}

impl Faults {
    pub(super) fn new(source: &Arc<Source>) -> Self {
        Self { source: source.clone(), list: Vec::new(), has_error: false, untold: 0 }
    }

    /// The file that they are in.
    pub(super) fn source(&self) -> &Arc<Source> {
        &self.source
    }

    /// A fault in this file that keeps it from being used.
    pub(super) fn error(
        &self,
        code: &'static str,
        message: impl Into<String>,
        span: Span,
        label: impl Into<String>,
    ) -> Diagnostic {
        Diagnostic::error(code, message).at(&self.source, span, label)
    }

    /// A fault in this file that does not.
    pub(super) fn warning(
        &self,
        code: &'static str,
        message: impl Into<String>,
        span: Span,
        label: impl Into<String>,
    ) -> Diagnostic {
        Diagnostic::warning(code, message).at(&self.source, span, label)
    }

    /// Keeps it; past [`MOST`] only their number.
    pub(super) fn push(&mut self, fault: Diagnostic) {
        self.has_error |= fault.is_error();
        if self.list.len() < MOST {
            self.list.push(fault);
        } else {
            self.untold += 1;
        }
    }

    /// Whether there is no use in reading on: the file cannot be used, and nothing more is told.
    pub(super) fn are_enough(&self) -> bool {
        self.has_error && self.list.len() >= MOST
    }

    /// All of them, in the order in which they were found.
    pub(super) fn into_list(mut self) -> Vec<Diagnostic> {
        let name = &self.source.name;
        if self.are_enough() {
            let message = format!("`{name}` has so many faults that the rest of it was not read");
            self.list.push(Diagnostic::error("seclang::too-many-faults", message));
        } else if self.untold > 0 {
            let message = format!("{} more warnings about `{name}` are not told", self.untold);
            self.list.push(Diagnostic::warning("seclang::too-many-faults", message));
        }
        self.list
    }
}

/// A name as a message repeats it.
pub(super) fn shown(name: &[u8]) -> String {
    let beginning = name.get(..LONGEST_NAME).unwrap_or(name);
    let text = String::from_utf8_lossy(beginning);
    if beginning.len() < name.len() { format!("{text}…") } else { text.into_owned() }
}

#[cfg(test)]
mod tests {
    use super::{Faults, MOST, shown};
    use crate::diagnostic::{Source, Span};

    #[test]
    fn past_the_bound_warnings_are_counted_and_an_error_ends_the_reading() {
        let warned = || {
            let mut faults = Faults::new(&Source::new("a.conf", ""));
            for _ in 0..MOST + 2 {
                faults.push(faults.warning("a::b", "wrong", Span::default(), ""));
            }
            faults
        };
        assert!(!warned().are_enough(), "rules after many warnings are read");
        let list = warned().into_list();
        assert_eq!(list.len(), MOST + 1);
        assert_eq!(list[MOST].message, "2 more warnings about `a.conf` are not told");
        assert!(!list[MOST].is_error());

        let mut faults = warned();
        faults.push(faults.error("a::b", "wrong", Span::default(), ""));
        assert!(faults.are_enough());
        assert!(faults.into_list()[MOST].is_error(), "an untold error is one");
    }

    #[test]
    fn a_message_repeats_the_beginning_of_a_long_name() {
        assert_eq!(shown(b"abc"), "abc");
        assert_eq!(shown(&[b'a'; 100]).chars().count(), 61);
    }
}
