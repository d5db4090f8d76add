//! Text taken out of a rule file, with pieces left out (line ends, escapes), that still knows where
//! each of its bytes stood.

use std::ops::Range;

use super::super::tree::Word;
use crate::diagnostic::Span;

/// Text taken out of a source.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in crate::seclang) struct Excerpt {
    text: Vec<u8>,
    /// Sorted by `at`; one for each stretch that stood in one piece.
    seams: Vec<Seam>,
}

/// From here on the text stood in one piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Seam {
    /// In the excerpt.
    at: usize,
    /// In the source.
    origin: usize,
}

impl Excerpt {
    /// A text that stands in its source from `origin` on.
    pub(in crate::seclang) fn whole(text: &[u8], origin: usize) -> Self {
        let mut excerpt = Self::default();
        excerpt.push(text, origin);
        excerpt
    }

    /// Adds what stands in the source from `origin` on.
    pub(in crate::seclang) fn push(&mut self, text: &[u8], origin: usize) {
        let at = self.text.len();
        let goes_on = self.seams.last().is_some_and(|last| last.origin + (at - last.at) == origin);
        if !goes_on {
            self.seams.push(Seam { at, origin });
        }
        self.text.extend_from_slice(text);
    }

    /// Adds a part of another excerpt of the same source.
    pub(in crate::seclang) fn append(&mut self, from: &Self, range: Range<usize>) {
        if range.is_empty() && self.text.is_empty() {
            // So that a fault in nothing has a place.
            self.push(b"", from.origin(range.start));
        }
        let mut at = range.start;
        let mut next = from.seams.partition_point(|seam| seam.at <= at);
        while at < range.end {
            let end = from.seams.get(next).map_or(range.end, |seam| seam.at.min(range.end));
            self.push(from.text.get(at..end).unwrap_or_default(), from.origin(at));
            at = end;
            next += 1;
        }
    }

    /// A part of it.
    pub(in crate::seclang) fn part(&self, range: Range<usize>) -> Self {
        let mut part = Self::default();
        part.append(self, range);
        part
    }

    /// The bytes.
    pub(in crate::seclang) fn text(&self) -> &[u8] {
        &self.text
    }

    /// The bytes from here on.
    pub(in crate::seclang) fn from(&self, at: usize) -> &[u8] {
        self.text.get(at..).unwrap_or_default()
    }

    /// One byte.
    pub(in crate::seclang) fn byte(&self, at: usize) -> Option<u8> {
        self.text.get(at).copied()
    }

    /// Where a part of it stands in the source, from its first byte to its last.
    pub(in crate::seclang) fn span(&self, range: Range<usize>) -> Span {
        let start = self.origin(range.start);
        let end = if range.is_empty() { start } else { self.origin(range.end - 1) + 1 };
        Span { start, end }
    }

    /// A part of it as a word whose place is that of its text.
    pub(in crate::seclang) fn word(&self, range: Range<usize>) -> Word {
        let text = self.text.get(range.clone()).unwrap_or_default().to_vec();
        Word { text, span: self.span(range) }
    }

    /// The first place from `at` on whose byte is not blank.
    pub(in crate::seclang) fn skip_blanks(&self, at: usize) -> usize {
        let rest = self.from(at);
        at + rest.iter().position(|byte| !is_blank(*byte)).unwrap_or(rest.len())
    }

    /// The range without the blanks around it.
    pub(in crate::seclang) fn trim(&self, range: Range<usize>) -> Range<usize> {
        let start = self.skip_blanks(range.start).min(range.end);
        let inside = self.text.get(start..range.end).unwrap_or_default();
        let length = inside.iter().rposition(|byte| !is_blank(*byte)).map_or(0, |last| last + 1);
        start..start + length
    }

    /// Where the byte at this place stood; the end is where the last piece ended.
    fn origin(&self, at: usize) -> usize {
        let after = self.seams.partition_point(|seam| seam.at <= at);
        let seam = after.checked_sub(1).and_then(|index| self.seams.get(index));
        seam.map_or(at, |seam| seam.origin + (at - seam.at))
    }
}

/// What separates words.
pub(in crate::seclang) fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | 0x0b | 0x0c)
}

#[cfg(test)]
mod tests {
    use super::Excerpt;
    use crate::diagnostic::Span;

    #[test]
    fn a_part_of_parts_knows_its_place() {
        let mut line = Excerpt::whole(b"abc", 10);
        line.push(b"def", 20);
        let mut word = line.part(1..6);
        word.push(b"g", 23);
        assert_eq!(word.text(), b"bcdefg");
        let span = |start, end| Span { start, end };
        assert_eq!(word.span(0..2), span(11, 13));
        assert_eq!(word.span(1..3), span(12, 21));
        assert_eq!(word.span(5..6), span(23, 24));
        assert_eq!(word.span(6..6), span(24, 24));
        assert_eq!(word.seams.len(), 2, "what stood together stays together");
    }

    #[test]
    fn blanks_around_are_no_part_of_it() {
        let line = Excerpt::whole(b"  a b\t", 0);
        assert_eq!(line.trim(0..6), 2..5);
        assert_eq!(line.trim(0..2), 2..2);
        assert_eq!(line.trim(5..6), 6..6);
    }
}
