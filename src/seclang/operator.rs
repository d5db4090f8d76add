//! A rule's second argument: `@rx ^a`, `!@eq 0`, or a pattern alone.

use super::lexer::{Excerpt, Lexeme, is_blank};
use super::tree::{Operator, Word};

/// Reads it. What begins with no `@` is a regular expression.
pub(super) fn operator(written: &Lexeme) -> Operator {
    let content = &written.content;
    let start = content.skip_blanks(0);
    let negated = content.byte(start) == Some(b'!');
    let start = if negated { content.skip_blanks(start + 1) } else { start };
    let end = content.text().len();
    if content.byte(start) != Some(b'@') {
        let name = Word { text: b"rx".to_vec(), span: written.span };
        return Operator { negated, name, argument: content.word(start..end) };
    }
    let name_end = name_end(content, start);
    let argument = content.word(content.skip_blanks(name_end)..end);
    Operator { negated, name: content.word(start + 1..name_end), argument }
}

fn name_end(content: &Excerpt, start: usize) -> usize {
    let rest = content.from(start);
    start + rest.iter().position(|byte| is_blank(*byte)).unwrap_or(rest.len())
}

#[cfg(test)]
mod tests {
    use super::super::lexer::{Excerpt, Lexeme};
    use super::operator;
    use crate::diagnostic::Span;

    #[test]
    fn an_operator_is_named_or_a_regular_expression() {
        let cases = [
            ("", (false, "rx", "")),
            ("^a", (false, "rx", "^a")),
            ("!^a ", (true, "rx", "^a ")),
            ("@rx ^a b", (false, "rx", "^a b")),
            ("@rx", (false, "rx", "")),
            ("!@eq 0", (true, "eq", "0")),
            (" ! @within  a b ", (true, "within", "a b ")),
            ("@validateUtf8Encoding", (false, "validateUtf8Encoding", "")),
            ("@", (false, "", "")),
            ("@@", (false, "@", "")),
            ("a@b", (false, "rx", "a@b")),
        ];
        for (written, (negated, name, argument)) in cases {
            let content = Excerpt::whole(written.as_bytes(), 1);
            let found =
                operator(&Lexeme { content, span: Span { start: 0, end: written.len() + 2 } });
            let read = (found.negated, &*found.name.as_str(), &*found.argument.as_str());
            assert_eq!(read, (negated, name, argument), "{written}");
        }
    }
}
