//! Bytes that rules look at, end to end in one piece of memory, each known by a small number.

use bytes::Bytes;

/// How long a text is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// As long as the phase: what the exchange itself says, and what transformations make of it.
    Phase,
    /// As long as the link: members of `TX`, counts.
    Link,
    /// As long as the rule: what `MATCHED_VARS` holds.
    Rule,
}

/// A text by its number: two bits say in which [`Texts`], the rest its place there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TextId(u32);

/// Texts that are kept for the same time.
#[derive(Debug, Default)]
pub struct Texts {
    bytes: Vec<u8>,
    /// Long texts that are shared instead of copied.
    pieces: Vec<Bytes>,
    spans: Vec<Span>,
}

#[derive(Debug, Clone, Copy)]
struct Span {
    /// Where it is: 0 in `bytes`, else the piece before this number.
    piece: u32,
    start: usize,
    end: usize,
}

const KEEP_SHIFT: u32 = 30;
const PLACE: u32 = (1 << KEEP_SHIFT) - 1;

impl TextId {
    /// How long it is kept.
    pub fn keep(self) -> Keep {
        match self.0 >> KEEP_SHIFT {
            0 => Keep::Phase,
            1 => Keep::Link,
            _ => Keep::Rule,
        }
    }

    /// Its place among those that are kept as long.
    pub fn place(self) -> usize {
        (self.0 & PLACE) as usize
    }
}

impl Texts {
    /// One more, copied.
    pub fn push(&mut self, text: &[u8], keep: Keep) -> TextId {
        self.push_with(keep, |bytes| bytes.extend_from_slice(text))
    }

    /// One more, written in place by a function that only appends.
    pub fn push_with(&mut self, keep: Keep, write: impl FnOnce(&mut Vec<u8>)) -> TextId {
        let start = self.bytes.len();
        write(&mut self.bytes);
        self.note(Span { piece: 0, start, end: self.bytes.len() }, keep)
    }

    /// One more, shared.
    pub fn push_shared(&mut self, text: &Bytes, keep: Keep) -> TextId {
        self.pieces.push(text.clone());
        let span = Span { piece: self.pieces.len() as u32, start: 0, end: text.len() };
        self.note(span, keep)
    }

    fn note(&mut self, span: Span, keep: Keep) -> TextId {
        // The limits on bodies, heads and `TX` end long before a thousand million texts.
        let place = self.spans.len() as u32 & PLACE;
        self.spans.push(span);
        TextId(((keep as u32) << KEEP_SHIFT) | place)
    }

    /// The one at a place; empty if there is none.
    pub fn at(&self, place: usize) -> &[u8] {
        let Some(span) = self.spans.get(place) else { return b"" };
        let piece = match span.piece {
            0 => self.bytes.as_slice(),
            number => self.pieces.get(number as usize - 1).map_or(b"" as &[u8], |piece| piece),
        };
        piece.get(span.start..span.end).unwrap_or_default()
    }

    /// Bytes that were copied.
    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    /// None any more; the memory stays.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.pieces.clear();
        self.spans.clear();
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::{Keep, Texts};

    #[test]
    fn texts_come_back_copied_or_shared() {
        let mut texts = Texts::default();
        let one = texts.push(b"one", Keep::Rule);
        let two = texts.push_shared(&Bytes::from_static(b"two"), Keep::Rule);
        assert_eq!((texts.at(one.place()), texts.at(two.place())), (&b"one"[..], &b"two"[..]));
        assert_eq!((one.keep(), texts.size()), (Keep::Rule, 3));
        texts.clear();
        assert_eq!(texts.at(one.place()), b"");
    }
}
