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
    untold: usize,
    untold_error: bool,
}

impl Faults {
    pub(super) fn new(source: &Arc<Source>) -> Self {
        Self { source: source.clone(), list: Vec::new(), untold: 0, untold_error: false }
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

    /// Keeps it; past [`MOST`] only that there was one.
    pub(super) fn push(&mut self, fault: Diagnostic) {
        if self.list.len() < MOST {
            self.list.push(fault);
        } else {
            self.untold += 1;
            self.untold_error |= fault.is_error();
        }
    }

    /// All of them, in the order in which they were found.
    pub(super) fn into_list(mut self) -> Vec<Diagnostic> {
        if self.untold > 0 {
            let message =
                format!("{} more faults in `{}` are not told", self.untold, self.source.name);
            let kind = if self.untold_error { Diagnostic::error } else { Diagnostic::warning };
            self.list.push(kind("seclang::too-many-faults", message));
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
    fn past_the_bound_faults_are_counted_only() {
        let mut faults = Faults::new(&Source::new("a.conf", ""));
        for _ in 0..MOST + 2 {
            faults.push(faults.warning("a::b", "wrong", Span::default(), ""));
        }
        faults.push(faults.error("a::b", "wrong", Span::default(), ""));
        let list = faults.into_list();
        assert_eq!(list.len(), MOST + 1);
        assert_eq!(list[MOST].message, "3 more faults in `a.conf` are not told");
        assert!(list[MOST].is_error(), "an untold error still stops the file from being used");
    }

    #[test]
    fn a_message_repeats_the_beginning_of_a_long_name() {
        assert_eq!(shown(b"abc"), "abc");
        assert_eq!(shown(&[b'a'; 100]).chars().count(), 61);
    }
}
