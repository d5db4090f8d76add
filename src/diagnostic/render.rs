//! Diagnostics as text for a terminal: the line at fault, a caret, the next step.

use std::borrow::Cow;
use std::ops::Range;

use annotate_snippets::{Annotation, AnnotationKind, Group, Level, Renderer, Snippet};

use super::{Diagnostic, Place, Severity};

/// Bytes that are shown before and after the beginning of a fault, at the most: more than a
/// terminal's line has, and little enough that a line of any length costs nothing.
const AROUND: usize = 300;
/// Bytes of a message, label or help, at the most.
const LONGEST_TEXT: usize = 2000;

/// All of them, one block each, in plain text, ended by a newline.
pub fn render(diagnostics: &[Diagnostic]) -> String {
    diagnostics.iter().map(|diagnostic| block(diagnostic) + "\n").collect()
}

fn block(diagnostic: &Diagnostic) -> String {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = level.primary_title(beginning(&diagnostic.message)).id(diagnostic.code);
    let window = diagnostic.place.as_ref().map(Window::of);
    let mut group = match &window {
        Some(window) => title.element(window.snippet()),
        None => Group::with_title(title),
    };
    if let Some(help) = &diagnostic.help {
        group = group.element(Level::HELP.message(beginning(help)));
    }
    let shown = Renderer::plain().render(&[group]);
    match &window {
        Some(window) => window.with_its_column(shown),
        None => shown,
    }
}

/// What is shown of a text: only the lines at fault, and of long ones only what stands around the
/// fault. A long text with many faults would else be read anew for each of them.
struct Window<'a> {
    place: &'a Place,
    text: &'a str,
    /// What is at fault, in `text`.
    fault: Range<usize>,
    line: usize,
    /// Of the fault's beginning, in its whole line.
    column: usize,
}

impl<'a> Window<'a> {
    fn of(place: &'a Place) -> Self {
        let text = place.source.text.as_str();
        let start = text.floor_char_boundary(place.span.start);
        let latest = text.floor_char_boundary(start.saturating_add(AROUND));
        let end = text.floor_char_boundary(place.span.end.clamp(start, latest));
        let earliest = text.ceil_char_boundary(start.saturating_sub(AROUND));
        let first = place.source.line_start(start).max(earliest);
        let after = text.get(end..latest).unwrap_or_default();
        let last = after.find('\n').map_or(latest, |at| end + at);
        let (line, column) = place.source.line_column(start);
        let text = text.get(first..last).unwrap_or_default();
        Self { place, text, fault: start - first..end - first, line, column }
    }

    fn snippet(&self) -> Snippet<'a, Annotation<'a>> {
        let label = beginning(&self.place.label);
        Snippet::source(self.text)
            .line_start(self.line)
            .path(self.place.source.name.as_str())
            .annotation(AnnotationKind::Primary.span(self.fault.clone()).label(label))
    }

    /// The renderer counts columns from where the window begins; a person counts from the line's.
    fn with_its_column(&self, shown: String) -> String {
        let before = self.text.get(..self.fault.start).unwrap_or_default();
        let counted = before.chars().count() + 1;
        if counted == self.column {
            return shown;
        }
        let place = format!("--> {}:{}:", self.place.source.name, self.line);
        shown.replacen(&format!("{place}{counted}\n"), &format!("{place}{}\n", self.column), 1)
    }
}

/// A text, or as much of it as is shown.
fn beginning(text: &str) -> Cow<'_, str> {
    match text.get(..text.floor_char_boundary(LONGEST_TEXT)) {
        Some(part) if part.len() < text.len() => Cow::Owned(format!("{part}…")),
        _ => Cow::Borrowed(text),
    }
}

#[cfg(test)]
mod tests {
    use super::render;
    use crate::diagnostic::{Diagnostic, Source, Span};

    fn at(text: &str, start: usize, end: usize) -> String {
        let source = Source::new("a.yaml", text);
        let fault = Diagnostic::error("a::b", "it is wrong").help("write it right");
        render(&[fault.at(&source, Span { start, end }, "here")])
    }

    #[test]
    fn the_line_at_fault_stands_above_its_caret() {
        let expected = "\
error[a::b]: it is wrong
 --> a.yaml:2:4
  |
2 | é: ü
  |    ^ here
  |
  = help: write it right
";
        assert_eq!(at("a: 1\né: ü\nb: 2\n", 9, 11), expected);
    }

    #[test]
    fn no_span_is_too_strange_to_be_shown() {
        let text = "é\r\nü\n\n漢";
        let mut shown = 0;
        for start in 0..text.len() + 3 {
            for end in 0..text.len() + 3 {
                shown += usize::from(at(text, start, end).contains("a.yaml:"));
            }
        }
        assert_eq!(shown, (text.len() + 3).pow(2));
    }

    #[test]
    fn a_fault_in_a_line_of_ten_megabytes_is_shown_at_its_column_and_costs_nothing() {
        let text = format!("a\n{}FAULT{}\nb", "é".repeat(5 << 20), "ü".repeat(5 << 20));
        let at = text.find("FAULT").expect("it is there");
        let source = Source::new("a.conf", text);
        let fault = Diagnostic::error("a::b", "wrong ".repeat(1 << 20));
        let fault = fault.at(&source, Span { start: at, end: at + 5 }, "here");
        let first = render(std::slice::from_ref(&fault));
        assert!(first.contains("a.conf:2:5242881"), "{first}");
        assert!(first.contains("FAULT") && first.contains("^^^^^ here"), "{first}");
        assert!(first.len() < 5000, "{}", first.len());

        // A hundred times the whole line would take minutes, which a test does not have.
        assert_eq!(render(&vec![fault; 100]).len(), first.len() * 100);
    }

    #[test]
    fn a_fault_of_a_million_lines_shows_where_it_begins() {
        let text = "x\n".repeat(1 << 20);
        let shown = at(&text, 2, text.len());
        assert!(shown.contains("a.yaml:2:1") && shown.len() < 10_000, "{}", shown.len());
    }
}
