//! The words of a logical line: in double quotes, in single quotes, or bare.

use super::super::faults::Faults;
use super::super::tree::Word;
use super::{Excerpt, is_blank};
use crate::diagnostic::Span;

/// Words of one line, at the most.
const MOST: usize = 10_000;

/// A word of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::seclang) struct Lexeme {
    /// What its author meant, quotes and escapes taken off.
    pub(in crate::seclang) content: Excerpt,
    /// Where it stands, quotes included.
    pub(in crate::seclang) span: Span,
}

impl Lexeme {
    pub(in crate::seclang) fn word(&self) -> Word {
        Word { text: self.content.text().to_vec(), span: self.span }
    }

    /// Whether nothing but blanks stands in it.
    pub(in crate::seclang) fn is_blank(&self) -> bool {
        self.content.skip_blanks(0) == self.content.text().len()
    }

    pub(in crate::seclang) fn is_quoted(&self) -> bool {
        self.content.span(0..self.content.text().len()) != self.span
    }
}

/// A quoted text inside a line.
pub(in crate::seclang) struct Quoted {
    /// Its escaped quotes are quotes again; all other backslashes stay.
    pub(in crate::seclang) content: Excerpt,
    /// One past the closing quote.
    pub(in crate::seclang) end: usize,
}

/// The words of a line, at most 10,000; none if a fault makes it unreadable.
pub(in crate::seclang) fn words(line: &Excerpt, faults: &mut Faults) -> Option<Vec<Lexeme>> {
    let mut words = Vec::new();
    let mut at = line.skip_blanks(0);
    while let Some(first) = line.byte(at) {
        let (content, end) = match first {
            b'"' | b'\'' => {
                let Some(Quoted { content, end }) = quoted(line, at) else {
                    unclosed(line, at, faults);
                    return None;
                };
                (content, end)
            }
            _ => bare(line, at),
        };
        if !is_word_end(line.byte(end)) {
            after_quote(line, end, faults);
            return None;
        }
        if words.len() == MOST {
            let message = format!("a line has more than {MOST} words");
            faults.push(faults.error("seclang::long-line", message, line.span(at..end), "here"));
            return None;
        }
        words.push(Lexeme { content, span: line.span(at..end) });
        at = line.skip_blanks(end);
    }
    Some(words)
}

/// What stands in the quotes that open at `at`; none if they are never closed. A quote after an odd
/// number of backslashes is text.
pub(in crate::seclang) fn quoted(line: &Excerpt, at: usize) -> Option<Quoted> {
    let quote = line.byte(at)?;
    let mut content = Excerpt::default();
    let mut piece = at + 1;
    let mut at = piece;
    loop {
        at += memchr::memchr2(quote, b'\\', line.from(at))?;
        if line.byte(at) == Some(quote) {
            break;
        }
        if line.byte(at + 1) == Some(quote) {
            content.append(line, piece..at);
            piece = at + 1;
        }
        at += 2;
    }
    content.append(line, piece..at);
    Some(Quoted { content, end: at + 1 })
}

fn bare(line: &Excerpt, at: usize) -> (Excerpt, usize) {
    let rest = line.from(at);
    let end = at + rest.iter().position(|byte| is_blank(*byte)).unwrap_or(rest.len());
    (line.part(at..end), end)
}

/// As in Apache, a quote may stand right after a closing one.
fn is_word_end(next: Option<u8>) -> bool {
    next.is_none_or(|byte| is_blank(byte) || byte == b'"' || byte == b'\'')
}

fn unclosed(line: &Excerpt, at: usize, faults: &mut Faults) {
    let span = line.span(at..at + 1);
    let fault = faults
        .error("seclang::unclosed-quote", "unclosed quote", span, "opened here, never closed")
        .help("a rule may go on over several lines, each ended by `\\`");
    faults.push(fault);
}

fn after_quote(line: &Excerpt, at: usize, faults: &mut Faults) {
    let (message, span) = ("text right after a closing quote", line.span(at..at + 1));
    let fault = faults
        .error("seclang::text-after-quote", message, span, "the word ended before this")
        .help("inside a quoted word the quote is written with a `\\` before it");
    faults.push(fault);
}

#[cfg(test)]
mod tests {
    use super::super::super::faults::Faults;
    use super::{Excerpt, Lexeme, words};
    use crate::diagnostic::Source;

    fn read(text: &str) -> (Option<Vec<Lexeme>>, Vec<&'static str>) {
        let mut faults = Faults::new(&Source::new("a.conf", text));
        let found = words(&Excerpt::whole(text.as_bytes(), 0), &mut faults);
        (found, faults.into_list().iter().map(|fault| fault.code).collect())
    }

    #[test]
    fn quotes_and_their_escapes_are_taken_off_and_nothing_else() {
        let cases = [
            ("", vec![]),
            ("SecRule  ARGS\t\"@rx a b\"", vec!["SecRule", "ARGS", "@rx a b"]),
            (r#"a "\"b\"" c"#, vec!["a", r#""b""#, "c"]),
            (r#""\d\\" x"#, vec![r"\d\\", "x"]),
            (r#""a\\\"b""#, vec![r#"a\\"b"#]),
            (r"'it\'s' 'a\nb' '\x22'", vec!["it's", r"a\nb", r"\x22"]),
            (r#""" ''"#, vec!["", ""]),
            (r#""a""b""#, vec!["a", "b"]),
            (r#"ARGS:'/a/' a"b"#, vec!["ARGS:'/a/'", "a\"b"]),
        ];
        for (text, expected) in cases {
            let (found, faults) = read(text);
            let found = found.expect(text);
            let found: Vec<_> =
                found.iter().map(|word| word.word().as_str().into_owned()).collect();
            assert_eq!(
                (found, faults),
                (expected.iter().map(|&word| word.to_owned()).collect(), vec![])
            );
        }
    }

    #[test]
    fn a_word_knows_its_place_and_that_of_each_of_its_letters() {
        let text = r#"a "b\"c""#;
        let found = read(text).0.unwrap();
        let span = found[1].span;
        assert_eq!(&text[span.start..span.end], r#""b\"c""#);
        let letter = found[1].content.span(2..3);
        assert_eq!(&text[letter.start..letter.end], "c");
    }

    #[test]
    fn the_words_of_a_line_are_bounded() {
        assert_eq!(read(&"a ".repeat(10_000)).0.unwrap().len(), 10_000);
        assert_eq!(read(&"a ".repeat(10_001)), (None, vec!["seclang::long-line"]));
    }

    #[test]
    fn a_quote_that_is_not_closed_or_closed_too_early_is_a_fault() {
        let cases = [
            (r#"a "b"#, "seclang::unclosed-quote"),
            (r#"a "b\""#, "seclang::unclosed-quote"),
            ("a 'b", "seclang::unclosed-quote"),
            (r#"a "b"c"#, "seclang::text-after-quote"),
        ];
        for (text, code) in cases {
            assert_eq!(read(text), (None, vec![code]), "{text}");
        }
    }
}
