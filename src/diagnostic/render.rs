//! Diagnostics as text for a terminal: the line at fault, a caret, the next step.

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use super::{Diagnostic, Place, Severity};

/// All of them, one block each, in plain text, ended by a newline.
pub fn render(diagnostics: &[Diagnostic]) -> String {
    diagnostics.iter().map(|diagnostic| block(diagnostic) + "\n").collect()
}

fn block(diagnostic: &Diagnostic) -> String {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = level.primary_title(diagnostic.message.as_str()).id(diagnostic.code);
    let mut group = match &diagnostic.place {
        Some(place) => title.element(snippet(place)),
        None => Group::with_title(title),
    };
    if let Some(help) = &diagnostic.help {
        group = group.element(Level::HELP.message(help.as_str()));
    }
    Renderer::plain().render(&[group])
}

/// Only the lines at fault are handed on: a long text with many faults would else be read anew for
/// each of them.
fn snippet(place: &Place) -> Snippet<'_, annotate_snippets::Annotation<'_>> {
    let text = place.source.text.as_str();
    let start = text.floor_char_boundary(place.span.start);
    let end = text.floor_char_boundary(place.span.end.max(start));
    let first = text.get(..start).and_then(|before| before.rfind('\n')).map_or(0, |at| at + 1);
    let last = text.get(end..).and_then(|after| after.find('\n')).map_or(text.len(), |at| end + at);
    let lines = text.get(first..last).unwrap_or_default();
    Snippet::source(lines)
        .line_start(place.source.line_column(start).0)
        .path(place.source.name.as_str())
        .annotation(
            AnnotationKind::Primary.span(start - first..end - first).label(place.label.as_str()),
        )
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
}
