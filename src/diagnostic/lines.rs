//! Lines and columns of a long text, each found in the same short time wherever it stands.

/// Bytes between two places of which it is known where they stand.
const STRIDE: usize = 4096;

/// Where each stride of a text begins, so that at most one of them is read to find any place.
#[derive(Debug)]
pub(super) struct Lines(Vec<Mark>);

/// What is known of the first byte of a stride.
#[derive(Debug, Clone, Copy, Default)]
struct Mark {
    /// Line ends before it.
    newlines: usize,
    /// Characters before it.
    characters: usize,
    /// Where its line begins.
    line_start: usize,
}

impl Lines {
    pub(super) fn new(text: &str) -> Self {
        let mut mark = Mark::default();
        let strides = text.as_bytes().chunks(STRIDE).enumerate().map(|(index, stride)| {
            let before = mark;
            mark = mark.after(stride, index * STRIDE);
            before
        });
        Self(strides.collect())
    }

    /// Line and column, both from 1.
    pub(super) fn place(&self, text: &str, offset: usize) -> (usize, usize) {
        let offset = offset.min(text.len());
        let here = self.mark(text, offset);
        let line_start = self.mark(text, here.line_start);
        (here.newlines + 1, here.characters - line_start.characters + 1)
    }

    /// Where the line of a place begins.
    pub(super) fn line_start(&self, text: &str, offset: usize) -> usize {
        self.mark(text, offset.min(text.len())).line_start
    }

    fn mark(&self, text: &str, offset: usize) -> Mark {
        let index = (offset / STRIDE).min(self.0.len().saturating_sub(1));
        let begin = index * STRIDE;
        let between = text.as_bytes().get(begin..offset).unwrap_or_default();
        self.0.get(index).copied().unwrap_or_default().after(between, begin)
    }
}

impl Mark {
    /// Past these bytes, which stand at `begin`.
    fn after(self, bytes: &[u8], begin: usize) -> Self {
        let last = memchr::memrchr(b'\n', bytes);
        Self {
            newlines: self.newlines + memchr::memchr_iter(b'\n', bytes).count(),
            characters: self.characters + bytes.iter().filter(|byte| begins(**byte)).count(),
            line_start: last.map_or(self.line_start, |newline| begin + newline + 1),
        }
    }
}

/// Whether a byte of UTF-8 begins a character.
fn begins(byte: u8) -> bool {
    byte & 0xc0 != 0x80
}

#[cfg(test)]
mod tests {
    use super::{Lines, STRIDE};

    #[test]
    fn every_place_is_found_as_by_counting() {
        let text = "é\nab\n\n漢字".repeat(STRIDE / 10);
        assert!(text.len() > STRIDE);
        let lines = Lines::new(&text);
        let (mut line, mut column) = (1, 1);
        for (offset, character) in text.char_indices() {
            assert_eq!(lines.place(&text, offset), (line, column), "{offset}");
            (line, column) = if character == '\n' { (line + 1, 1) } else { (line, column + 1) };
        }
        assert_eq!(lines.place(&text, text.len() + 9), (line, column));
    }

    #[test]
    fn a_text_of_one_stride_and_an_empty_one_have_places_too() {
        assert_eq!(Lines::new("").place("", 3), (1, 1));
        let text = "a".repeat(STRIDE);
        assert_eq!(Lines::new(&text).place(&text, STRIDE), (1, STRIDE + 1));
    }
}
