//! Lines out of pieces that end anywhere.

use std::borrow::Cow;

use memchr::memchr;

/// How much of a line is looked at at once.
pub const CHUNK: usize = 4096;

/// Cuts pieces into lines, and long lines into chunks. Where a body was cut into pieces makes no
/// difference, and CR LF always stays together.
#[derive(Debug, Default)]
pub struct Lines {
    /// The beginning of a chunk that goes on in the next piece.
    held: Vec<u8>,
}

impl Lines {
    /// The next line with its end, or the next 4096 bytes of a longer one, from the front of
    /// `piece`; none if its end is not there yet (then `piece` is used up).
    pub fn next<'a>(&mut self, piece: &mut &'a [u8]) -> Option<Cow<'a, [u8]>> {
        let (length, whole) = self.cut(piece);
        let (front, rest) = piece.split_at(length);
        *piece = rest;
        if whole && self.held.is_empty() {
            return Some(Cow::Borrowed(front));
        }
        self.held.extend_from_slice(front);
        whole.then(|| Cow::Owned(std::mem::take(&mut self.held)))
    }

    /// Takes back a chunk's memory.
    pub fn recycle(&mut self, chunk: Cow<'_, [u8]>) {
        if let Cow::Owned(mut memory) = chunk {
            memory.clear();
            self.held = memory;
        }
    }

    /// What came after the last chunk.
    pub fn rest(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.held)
    }

    /// How much of a piece belongs to the chunk that is being built, and whether that ends it.
    fn cut(&self, piece: &[u8]) -> (usize, bool) {
        let room = CHUNK - self.held.len();
        let window = piece.get(..room).unwrap_or(piece);
        match memchr(b'\n', window) {
            Some(place) => (place + 1, true),
            None if window.len() < room => (window.len(), false),
            None if window.ends_with(b"\r") => (room - 1, true),
            None => (room, true),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{CHUNK, Lines};

    fn chunks(pieces: &[&[u8]]) -> (Vec<usize>, usize) {
        let mut lines = Lines::default();
        let mut lengths = Vec::new();
        for piece in pieces {
            let mut rest = *piece;
            while !rest.is_empty() {
                if let Some(chunk) = lines.next(&mut rest) {
                    lengths.push(chunk.len());
                    lines.recycle(chunk);
                }
            }
        }
        (lengths, lines.rest().len())
    }

    #[test]
    fn long_lines_come_in_chunks_and_line_ends_stay_together() {
        let long = |count: usize, end: &[u8]| [&vec![b'a'; count], end].concat();
        assert_eq!(chunks(&[b"a\r\n\nbc"]), (vec![3, 1], 2));
        assert_eq!(chunks(&[&long(CHUNK - 1, b"\n")]), (vec![CHUNK], 0));
        assert_eq!(chunks(&[&long(CHUNK, b"\n")]), (vec![CHUNK, 1], 0));
        assert_eq!(chunks(&[&long(CHUNK - 1, b"\r\n")]), (vec![CHUNK - 1, 2], 0));
        assert_eq!(chunks(&[&long(CHUNK - 1, b""), b"\r", b"\n"]), (vec![CHUNK - 1, 2], 0));
    }
}
