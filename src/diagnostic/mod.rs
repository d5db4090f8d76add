//! What is wrong with a text that a person wrote, and where.
//!
//! Parsers and checks return every fault as a [`Diagnostic`]; [`render`] is the only place that
//! knows how one looks.

mod lines;
mod nearest;
mod render;

use std::sync::{Arc, OnceLock};

use lines::Lines;

pub use nearest::nearest;
pub use render::render;

/// A text that a person wrote, and the name by which that person knows it (a path, mostly).
#[derive(Debug)]
pub struct Source {
    /// As shown in front of line and column.
    pub name: String,
    /// The whole text.
    pub text: String,
    /// Made when the first place is asked for.
    lines: OnceLock<Lines>,
}

/// A place in a [`Source`]: half-open, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Span {
    /// The first byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

/// Whether a fault keeps the text from being used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The text cannot be used.
    Error,
    /// The text can be used, but probably does not say what its author meant.
    Warning,
}

/// Where a fault is, and what stands there.
#[derive(Debug, Clone)]
pub struct Place {
    /// The text.
    pub source: Arc<Source>,
    /// The part of it that is at fault.
    pub span: Span,
    /// What is wrong with that part, in a few words; shown beside the caret.
    pub label: String,
}

/// One fault in a text: what, where, and the next step.
#[derive(Debug, Clone)]
pub struct Diagnostic {
    /// Whether it stops the text from being used.
    pub severity: Severity,
    /// Stable and searchable, such as `config::unknown-key`.
    pub code: &'static str,
    /// Lower case, no full stop, the thing at fault in backticks.
    pub message: String,
    /// Where; none for a fault that has no place in a text (a missing file named on the command line).
    pub place: Option<Place>,
    /// The next step.
    pub help: Option<String>,
}

impl Source {
    /// A shared source.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Arc<Self> {
        Arc::new(Self { name: name.into(), text: text.into(), lines: OnceLock::new() })
    }

    /// Line and column (both from 1, columns in characters) of a byte offset; an offset past the
    /// end is the end. The first call reads the whole text, the others a few thousand bytes.
    pub fn line_column(&self, offset: usize) -> (usize, usize) {
        self.lines().place(&self.text, offset)
    }

    /// Where the line of a byte offset begins.
    fn line_start(&self, offset: usize) -> usize {
        self.lines().line_start(&self.text, offset)
    }

    fn lines(&self) -> &Lines {
        self.lines.get_or_init(|| Lines::new(&self.text))
    }
}

impl PartialEq for Source {
    fn eq(&self, other: &Self) -> bool {
        (&self.name, &self.text) == (&other.name, &other.text)
    }
}

impl Eq for Source {}

impl Diagnostic {
    /// A fault that stops the text from being used.
    pub fn error(code: &'static str, message: impl Into<String>) -> Self {
        Self { severity: Severity::Error, code, message: message.into(), place: None, help: None }
    }

    /// A fault that does not.
    pub fn warning(code: &'static str, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, message) }
    }

    /// Says where.
    #[must_use]
    pub fn at(mut self, source: &Arc<Source>, span: Span, label: impl Into<String>) -> Self {
        self.place = Some(Place { source: source.clone(), span, label: label.into() });
        self
    }

    /// Says the next step.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Whether it stops the text from being used.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}
