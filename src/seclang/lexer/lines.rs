//! Logical lines: a `\` at the end goes on in the next line; comments and empty lines are left out.

use std::ops::Range;

use super::super::faults::Faults;
use super::{Excerpt, is_blank};
use crate::diagnostic::{Diagnostic, Span};

/// What stands before a text in some editors' files.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The logical lines of a rule file.
pub(in crate::seclang) struct Lines<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// One line of the file.
struct Physical {
    /// Without its end and without the `\`.
    range: Range<usize>,
    end: LineEnd,
}

#[derive(PartialEq, Eq)]
enum LineEnd {
    /// `\`: the next line belongs to it.
    Continues,
    /// `\` and blanks: whoever wrote this meant that the next line belongs to it.
    ContinuesBlank,
    Ends,
}

impl<'a> Lines<'a> {
    pub(in crate::seclang) fn new(bytes: &'a [u8]) -> Self {
        let at = if bytes.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
        Self { bytes, at }
    }

    /// The next line that says something.
    pub(in crate::seclang) fn next(&mut self, faults: &mut Faults) -> Option<Excerpt> {
        loop {
            let first = self.physical()?;
            if self.byte_at(&first) == Some(b'#') {
                self.skip_comment(first, faults);
                continue;
            }
            let line = self.join(first, faults);
            if !line.text().is_empty() {
                return Some(line);
            }
        }
    }

    /// Passes over a block in backticks, up to the line that begins with one.
    pub(in crate::seclang) fn skip_block(&mut self) {
        while let Some(line) = self.physical() {
            if self.byte_at(&line) == Some(b'`') {
                return;
            }
        }
    }

    fn join(&mut self, first: Physical, faults: &mut Faults) -> Excerpt {
        let mut line = Excerpt::default();
        let mut next = Some(first);
        while let Some(Physical { range, end }) = next {
            if end == LineEnd::ContinuesBlank {
                faults.push(blank_after_backslash(range.end, faults));
            }
            line.push(self.bytes.get(range.clone()).unwrap_or_default(), range.start);
            next = if end == LineEnd::Ends { None } else { self.physical() };
        }
        let said = line.trim(0..line.text().len());
        if said.len() == line.text().len() { line } else { line.part(said) }
    }

    /// A comment goes on over a `\` too, as in ModSecurity: what it swallows is told.
    fn skip_comment(&mut self, first: Physical, faults: &mut Faults) {
        let mut end = first.end;
        while end == LineEnd::Continues {
            let Some(next) = self.physical() else { return };
            let text = self.bytes.get(next.range.clone()).unwrap_or_default();
            if text.get(..3).is_some_and(|start| start.eq_ignore_ascii_case(b"sec")) {
                faults.push(swallowed(next.range, faults));
            }
            end = next.end;
        }
    }

    /// The next line of the file, without the blanks before it.
    fn physical(&mut self) -> Option<Physical> {
        let rest = self.bytes.get(self.at..).filter(|rest| !rest.is_empty())?;
        let length = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        let line = rest.get(..length).unwrap_or_default();
        let start = line.iter().position(|byte| !is_blank(*byte)).unwrap_or(line.len());
        let (length_said, end) = ending(line);
        let range = self.at + start..self.at + length_said.max(start);
        self.at += length + 1;
        Some(Physical { range, end })
    }

    fn byte_at(&self, line: &Physical) -> Option<u8> {
        self.bytes.get(line.range.clone())?.first().copied()
    }
}

/// How much of a line is text, and how it ends.
fn ending(line: &[u8]) -> (usize, LineEnd) {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if let Some(text) = line.strip_suffix(b"\\") {
        return (text.len(), LineEnd::Continues);
    }
    let length = line.iter().rposition(|byte| !is_blank(*byte)).map_or(0, |last| last + 1);
    match line.get(..length).and_then(|text| text.strip_suffix(b"\\")) {
        Some(text) => (text.len(), LineEnd::ContinuesBlank),
        None => (line.len(), LineEnd::Ends),
    }
}

fn blank_after_backslash(backslash: usize, faults: &Faults) -> Diagnostic {
    let span = Span { start: backslash, end: backslash + 1 };
    let (message, label) = ("a blank stands after a `\\`", "taken as if the line ended here");
    faults
        .warning("seclang::blank-after-backslash", message, span, label)
        .help("take the blanks away: other engines read a line that ends here")
}

fn swallowed(range: Range<usize>, faults: &Faults) -> Diagnostic {
    let span = Span { start: range.start, end: range.end };
    let label = "the comment above ends with `\\` and goes on here";
    let message = "a directive is part of a comment";
    faults
        .warning("seclang::swallowed-by-comment", message, span, label)
        .help("take the `\\` away from the end of the comment")
}

#[cfg(test)]
mod tests {
    use super::super::super::faults::Faults;
    use super::Lines;
    use crate::diagnostic::{Diagnostic, Source};

    fn lines(text: &[u8]) -> (Vec<String>, Vec<Diagnostic>) {
        let mut faults = Faults::new(&Source::new("a.conf", String::from_utf8_lossy(text)));
        let mut lines = Lines::new(text);
        let found = std::iter::from_fn(|| lines.next(&mut faults))
            .map(|line| String::from_utf8_lossy(line.text()).into_owned())
            .collect();
        (found, faults.into_list())
    }

    #[test]
    fn a_line_goes_on_after_a_backslash() {
        let cases: &[(&[u8], &[&str])] = &[
            (b"", &[]),
            (b"\n\n  \n", &[]),
            (b"A b", &["A b"]),
            (b"A b\nC d\n", &["A b", "C d"]),
            (b"  A b \\\n    \"c\"\n", &["A b \"c\""]),
            (b"A b\\\r\n  c\r\nD\r\n", &["A bc", "D"]),
            (b"A \\\n\\\n\\\nb\nC", &["A b", "C"]),
            (b"A \\", &["A"]),
            (b"# no\nA\n  # no\n#\nB", &["A", "B"]),
            (b"# no \\\n still no\nA", &["A"]),
            (b"\xef\xbb\xbfA", &["A"]),
        ];
        for (text, expected) in cases {
            let (found, faults) = lines(text);
            assert_eq!((found.as_slice(), faults.len()), (strings(expected).as_slice(), 0));
        }
    }

    fn strings(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn what_a_backslash_does_in_secret_is_told() {
        let (found, faults) = lines(b"A b \\ \n c\n# a comment\\\nSecRule ARGS x\nD");
        assert_eq!(found, ["A b c", "D"]);
        let codes: Vec<_> = faults.iter().map(|fault| fault.code).collect();
        assert_eq!(codes, ["seclang::blank-after-backslash", "seclang::swallowed-by-comment"]);
    }
}
