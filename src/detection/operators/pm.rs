//! `@pm`: one of a list of phrases.

use super::phrases::Phrases;
use super::{Argument, Fault, Kind, Matcher, Operator};

pub(super) const OPERATOR: Operator = Operator {
    name: "pm",
    aliases: &[],
    doc: "One of the phrases, which blanks separate, is found in the value, in any case; `|41 42|` writes bytes in hex; with `capture`, the phrase becomes `TX:0`.",
    kind: Kind::Compiled(compile),
};

fn compile(argument: &Argument<'_>) -> Result<Box<dyn Matcher>, Fault> {
    let text = unquoted(argument.text.trim_ascii());
    // What is not in Snort's language is meant as it stands.
    let phrases = snort_phrases(text).unwrap_or_else(|| words(text));
    if phrases.is_empty() {
        return Err(Fault::new("`@pm` needs a phrase"));
    }
    Phrases::compile(phrases)
}

fn unquoted(text: &[u8]) -> &[u8] {
    let inside = text.strip_prefix(b"\"").and_then(|text| text.strip_suffix(b"\""));
    inside.filter(|inside| !inside.is_empty()).unwrap_or(text)
}

fn words(text: &[u8]) -> Vec<Vec<u8>> {
    let words = text.split(u8::is_ascii_whitespace);
    words.filter(|word| !word.is_empty()).map(<[u8]>::to_vec).collect()
}

/// Phrases in which bars enclose hex digits and a backslash stands before `:`, `;`, `\` and `"`;
/// none if there is anything else between bars or behind a backslash.
fn snort_phrases(text: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut phrases = vec![Vec::new()];
    let mut hex = false;
    let mut half = None;
    let mut bytes = text.iter().copied();
    while let Some(byte) = bytes.next() {
        let phrase = phrases.last_mut()?;
        match byte {
            b'|' => hex = !hex,
            b'\\' if !hex => {
                phrase
                    .push(bytes.next().filter(|byte| matches!(byte, b':' | b';' | b'\\' | b'"'))?);
            }
            _ if hex && byte.is_ascii_whitespace() => {}
            _ if hex => {
                let digit = char::from(byte).to_digit(16)? as u8;
                match half.take() {
                    Some(high) => phrase.push(high << 4 | digit),
                    None => half = Some(digit),
                }
            }
            _ if byte.is_ascii_whitespace() => phrases.push(Vec::new()),
            _ => phrase.push(byte),
        }
    }
    phrases.retain(|phrase| !phrase.is_empty());
    Some(phrases)
}

#[cfg(test)]
mod tests {
    use crate::detection::operators::tests::{captured, fault, matches};

    #[test]
    fn phrases_are_found_in_any_case_and_captured_as_listed() {
        let list = "  union SELECT  .innerhtml ";
        assert!(matches("pm", list, b"1 UNION all"));
        assert!(matches("pm", list, b"x.innerHTML=1"));
        assert!(!matches("pm", list, b"onion"));
        assert_eq!(captured("pm", list, b"select"), [Some("SELECT")]);
        assert_eq!(captured("pm", list, b"onion"), [] as [Option<&str>; 0]);
    }

    #[test]
    fn the_phrase_that_ends_first_is_captured() {
        assert_eq!(captured("pm", "abcd bc", b"xabcd"), [Some("bc")]);
        assert_eq!(captured("pm", "bc abc", b"xabcd"), [Some("abc")]);
    }

    #[test]
    fn bytes_are_written_in_hex() {
        assert!(matches("pm", "A|42|C|44 45|F", b"--abcDEF--"));
        assert!(matches("pm", "|00 ff|", b"\x00\xff"));
        assert!(matches("pm", "a|20|b", b"a b"));
        assert!(!matches("pm", "a|20|b", b"b"));
        assert!(matches("pm", r#""a\:b \"c\" d""#, br#"x"c"x"#));
    }

    #[test]
    fn what_is_no_hex_is_meant_as_it_stands() {
        assert!(matches("pm", "a||b |zz|", b"|zz|"));
        assert!(matches("pm", r"c:\windows \x", br"C:\WINDOWS"));
        assert!(matches("pm", "\u{e9}", "\u{e9}".as_bytes()));
    }

    #[test]
    fn no_phrase_is_a_fault() {
        assert_eq!(fault("pm", "  "), "`@pm` needs a phrase");
        assert_eq!(fault("pm", ""), "`@pm` needs a phrase");
    }
}
