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
        return Operator { negated, name, argument: expression(content.word(start..end)) };
    }
    let name_end = name_end(content, start);
    let name = content.word(start + 1..name_end);
    let argument = content.word(content.skip_blanks(name_end)..end);
    let argument = if name.is("rx") { expression(argument) } else { argument };
    Operator { negated, name, argument }
}

/// Four backslashes are the expression of one: Apache takes every other one away before ModSecurity 2
/// sees it, and whoever writes four (CRS 3 does) writes for that. Two stay: an escaped backslash
/// for ModSecurity 3 and Coraza, and where Apache would leave an escape, CRS has none.
fn expression(mut argument: Word) -> Word {
    const FOUR: &[u8] = br"\\\\";
    if memchr::memmem::find(&argument.text, FOUR).is_none() {
        return argument;
    }
    let mut text = Vec::with_capacity(argument.text.len());
    let mut rest = argument.text.as_slice();
    while let Some((before, after)) = memchr::memmem::find(rest, FOUR)
        .and_then(|at| Some((rest.get(..at)?, rest.get(at + FOUR.len()..)?)))
    {
        text.extend_from_slice(before);
        text.extend_from_slice(br"\\");
        rest = after;
    }
    text.extend_from_slice(rest);
    argument.text = text;
    argument
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
            (r"a\\b[^\\\\]\\\\d", (false, "rx", r"a\\b[^\\]\\d")),
            (r"@contains \\\\d", (false, "contains", r"\\\\d")),
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
