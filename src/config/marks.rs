//! From the line and column that the YAML parser tells to bytes of the text, and on to the ends
//! that it does not tell.

use crate::diagnostic::Span;

/// Characters from one checkpoint to the next.
const STRIDE: usize = 64;

/// Bytes within which the end of a scalar is looked for; only its display suffers beyond.
const WINDOW: usize = 4096;

/// An index of lines and characters of one text.
pub struct Marks<'t> {
    text: &'t str,
    /// For each line, the number of its first character.
    lines: Vec<usize>,
    /// For each [`STRIDE`]th character, its first byte.
    checkpoints: Vec<usize>,
}

impl<'t> Marks<'t> {
    /// Counts lines as YAML 1.1 does: also at `\r`, NEL, LS and PS.
    pub fn new(text: &'t str) -> Self {
        let mut marks = Self { text, lines: vec![0], checkpoints: Vec::new() };
        let mut characters = text.char_indices().enumerate().peekable();
        while let Some((number, (offset, character))) = characters.next() {
            if number % STRIDE == 0 {
                marks.checkpoints.push(offset);
            }
            let pair = character == '\r' && characters.peek().is_some_and(|next| next.1.1 == '\n');
            if matches!(character, '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}') && !pair {
                marks.lines.push(number + 1);
            }
        }
        marks
    }

    /// The byte that an error message means: `… at line 3 column 7`; the first one if it says nothing.
    pub fn place(&self, message: &str) -> usize {
        let numbers = message.rsplit_once(" at line ").and_then(|(_, place)| {
            let (line, column) = place.split_once(" column ")?;
            let column = column.split(|c: char| !c.is_ascii_digit()).next()?;
            Some((line.parse::<usize>().ok()?, column.parse::<usize>().ok()?))
        });
        numbers.map_or(0, |(line, column)| self.offset(line, column))
    }

    /// The byte at a line and column, both from 1; the end if there is no such place.
    fn offset(&self, line: usize, column: usize) -> usize {
        let first = self.lines.get(line.saturating_sub(1)).copied();
        let Some(first) = first else { return self.text.len() };
        let number = first + column.saturating_sub(1);
        let checkpoint = self.checkpoints.get(number / STRIDE).copied().unwrap_or(self.text.len());
        let rest = self.text.get(checkpoint..).unwrap_or_default();
        let within = rest.char_indices().nth(number % STRIDE).map_or(rest.len(), |(at, _)| at);
        checkpoint + within
    }

    fn window(&self, start: usize) -> &'t str {
        let end = self.text.floor_char_boundary(start.saturating_add(WINDOW));
        self.text.get(start..end).unwrap_or_default()
    }

    /// A scalar that begins at `start`, with its quotes; of several lines only the first.
    pub fn scalar(&self, start: usize, decoded: Option<&str>) -> Span {
        let start = start + properties(self.window(start));
        let line = self.window(start).lines().next().unwrap_or_default();
        let length = match (line.as_bytes().first(), decoded) {
            (None, _) => 0,
            (Some(b'"'), _) => quoted(line, '"', true),
            (Some(b'\''), _) => quoted(line, '\'', false),
            (_, Some(text)) if !text.is_empty() && line.starts_with(text) => text.len(),
            (_, Some("")) => 0,
            (Some(b'|' | b'>'), Some(_)) => line.trim_end().len(),
            _ => line.find([' ', ',', ']', '}', '#', '\t']).unwrap_or(line.len()),
        };
        Span { start, end: start + length }
    }

    /// From the opening bracket, if the parts of a list or mapping stand behind one.
    pub fn opened(&self, parts: Span) -> Span {
        let before = self.text.get(..parts.start).unwrap_or_default();
        match before.trim_end().strip_suffix(['[', '{']) {
            Some(outside) if !before.trim_end_matches(' ').ends_with('\n') => {
                let rest = self.window(parts.end);
                let closed = rest.trim_start_matches([' ', ',']).starts_with([']', '}']);
                let close = rest.find([']', '}']).filter(|_| closed).map_or(0, |at| at + 1);
                Span { start: outside.len(), end: parts.end + close }
            }
            _ => parts,
        }
    }

    /// The `[]` or `{}` that comes first after `before`.
    pub fn empty(&self, before: usize) -> Span {
        let rest = self.window(before);
        let Some(open) = rest.find(['[', '{']) else { return Span { start: before, end: before } };
        let close = rest.get(open..).and_then(|rest| rest.find([']', '}'])).unwrap_or_default();
        Span { start: before + open, end: before + open + close + 1 }
    }
}

/// The length of an anchor or tag before a scalar.
fn properties(text: &str) -> usize {
    let mut rest = text;
    while rest.starts_with(['&', '!']) {
        let after = rest.find([' ', '\n']).and_then(|end| rest.get(end..)).unwrap_or_default();
        rest = after.trim_start_matches(' ');
    }
    text.len() - rest.len()
}

/// The length of a quoted text on one line, quotes counted.
fn quoted(line: &str, quote: char, escapes: bool) -> usize {
    let mut skip = false;
    for (at, character) in line.char_indices().skip(1) {
        if character == quote && !skip {
            return at + 1;
        }
        skip = escapes && character == '\\' && !skip;
    }
    line.len()
}

#[cfg(test)]
mod tests {
    use super::Marks;

    #[test]
    fn columns_are_characters_and_offsets_are_bytes() {
        let text = "é: ü\r\nb: \"x\\\"y\" # z\n";
        let marks = Marks::new(text);
        assert_eq!(marks.place("read at line 1 column 4"), 4);
        let start = marks.place("b: read at line 2 column 4");
        let span = marks.scalar(start, Some("x\"y"));
        assert_eq!(&text[span.start..span.end], "\"x\\\"y\"");
    }

    #[test]
    fn a_place_past_the_end_is_the_end() {
        assert_eq!(Marks::new("a: b").place("x at line 9 column 9"), 4);
    }
}
