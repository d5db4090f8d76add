//! Bytes that rules look at, end to end in one piece of memory, each known by a small number.

use std::hash::BuildHasher;

use bytes::Bytes;
use foldhash::quality::RandomState;

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
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TextId(u32);

/// Texts that are kept for the same time.
#[derive(Debug, Default)]
pub struct Texts {
    bytes: Vec<u8>,
    /// Long texts that are shared instead of copied.
    pieces: Vec<Bytes>,
    spans: Vec<Span>,
    /// Places of texts plus 1, by their hashes; 0 where there is none. At most half is in use.
    seen: Vec<u32>,
    /// How many are in use.
    known: usize,
    /// Clients choose texts: they must not choose where they go.
    hasher: RandomState,
}

#[derive(Debug, Clone, Copy)]
struct Span {
    /// Where it is: 0 in `bytes`, else the piece before this number.
    piece: u32,
    start: usize,
    end: usize,
}

/// Bytes of a text that is worth being compared with others.
const LONGEST_COMPARED: usize = 4 << 10;
/// A power of two, as all that follow.
const FIRST_SLOTS: usize = 512;
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

    /// One more, shared; the same piece of memory has the same number.
    pub fn push_shared(&mut self, text: &Bytes, keep: Keep) -> TextId {
        let same = |known: &Bytes| known.as_ptr() == text.as_ptr() && known.len() == text.len();
        if let Some(piece) = self.pieces.iter().position(same) {
            let of_it = |span: &Span| span.piece as usize == piece + 1;
            if let Some(place) = self.spans.iter().position(of_it) {
                return TextId(((keep as u32) << KEEP_SHIFT) | place as u32);
            }
        }
        self.pieces.push(text.clone());
        let span = Span { piece: self.pieces.len() as u32, start: 0, end: text.len() };
        self.note(span, keep)
    }

    /// One more; where it stays for the phase, the same text has the same number.
    pub fn add(&mut self, text: &[u8], keep: Keep) -> TextId {
        if keep == Keep::Phase { self.push_once(text, keep) } else { self.push(text, keep) }
    }

    /// The same text has the same number; a long one is not compared.
    fn push_once(&mut self, text: &[u8], keep: Keep) -> TextId {
        if text.len() > LONGEST_COMPARED {
            return self.push(text, keep);
        }
        if self.known * 2 >= self.seen.len() {
            self.grow();
        }
        let mask = self.seen.len() - 1;
        let mut slot = self.hasher.hash_one(text) as usize & mask;
        while let Some(place) = self.seen.get(slot).and_then(|place| place.checked_sub(1)) {
            if self.at(place as usize) == text {
                return TextId(((keep as u32) << KEEP_SHIFT) | place);
            }
            slot = (slot + 1) & mask;
        }
        let new = self.push(text, keep);
        if let Some(slot) = self.seen.get_mut(slot) {
            *slot = new.place() as u32 + 1;
            self.known += 1;
        }
        new
    }

    fn grow(&mut self) {
        let size = (self.seen.len() * 2).max(FIRST_SLOTS);
        let before = std::mem::replace(&mut self.seen, vec![0; size]);
        for place in before.into_iter().filter(|place| *place != 0) {
            let mut slot = self.hasher.hash_one(self.at(place as usize - 1)) as usize & (size - 1);
            while self.seen.get(slot).is_some_and(|taken| *taken != 0) {
                slot = (slot + 1) & (size - 1);
            }
            if let Some(slot) = self.seen.get_mut(slot) {
                *slot = place;
            }
        }
    }

    /// Bytes of memory that are held, roughly.
    pub fn held(&self) -> usize {
        self.bytes.capacity() + self.spans.capacity() * size_of::<Span>() + self.seen.len() * 4
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
        if self.known > 0 {
            self.seen.fill(0);
            self.known = 0;
        }
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

    #[test]
    fn the_same_text_has_one_number() {
        let mut texts = Texts::default();
        let words: Vec<String> = (0..2000).map(|number| format!("word {number}")).collect();
        let push = |texts: &mut Texts| -> Vec<_> {
            words.iter().map(|word| texts.push_once(word.as_bytes(), Keep::Phase)).collect()
        };
        let first = push(&mut texts);
        assert_eq!(push(&mut texts), first);
        assert!(first.iter().zip(&words).all(|(id, word)| texts.at(id.place()) == word.as_bytes()));
        texts.clear();
        assert_eq!(push(&mut texts), first, "in the same order");
    }
}
