//! SQL injection: a value is read as SQL, and what it looks like decides.
//!
//! A value is cut into tokens, the tokens are folded to at most five (`1+1` is as good as `1`), and
//! the kinds of these are its fingerprint. Some eight thousand fingerprints are injections; a few
//! of them only if the value is no ordinary text at a second look. As nobody knows where in a
//! query the value will stand, it is read as it is, as if a quote stood before it, and in two
//! dialects.

use memchr::{memchr, memchr2};

use folding::Folded;
use token::Kind;
use tokenizer::{Dialect, Tokenizer};

pub use fingerprints::Fingerprint;

mod beginnings;
mod fingerprints;
mod folding;
mod innocence;
mod literals;
mod numbers;
mod rules;
mod token;
mod tokenizer;
mod words;

/// The fingerprint of a value that is an SQL injection.
pub fn is_sqli(value: &[u8]) -> Option<Fingerprint> {
    let unquoted = in_context(value, None);
    if unquoted.is_some() || memchr2(b'\'', b'"', value).is_none() {
        return unquoted;
    }
    let quoted = memchr(b'\'', value).and_then(|_| in_context(value, Some(b'\'')));
    quoted.or_else(|| {
        memchr(b'"', value).and_then(|_| in_dialect(value, Some(b'"'), Dialect::MySql).ok())
    })
}

/// Whether a value is a number, a name or a version, which no query is broken by: digits and dots,
/// then bytes of words, and dots that no digit follows.
///
/// Its tokens are numbers, and after them words with a dot between any two. No fingerprint has a
/// dot, and what folds a dot away leaves fingerprints that are not listed. (A dot before a digit
/// begins a number, so that `SERIAL.5UNION` has no dot between its words.) libinjection finds nothing
/// in any of 17 million such values, made up of its own words.
pub fn is_plain(value: &[u8]) -> bool {
    let digits = value.iter().take_while(|byte| matches!(byte, b'0'..=b'9' | b'.')).count();
    let mut after_dot = false;
    value.iter().skip(digits).all(|&byte| {
        let fits = match byte {
            b'0'..=b'9' => !after_dot,
            b'A'..=b'Z' | b'a'..=b'z' | b'_' | b'.' | 0x80..=0x9F | 0xA1.. => true,
            _ => false,
        };
        after_dot = byte == b'.';
        fits
    })
}

/// Reads a value that stands after `quote`, in MySQL's dialect too if that makes a difference.
fn in_context(value: &[u8], quote: Option<u8>) -> Option<Fingerprint> {
    match in_dialect(value, quote, Dialect::Ansi) {
        Ok(fingerprint) => Some(fingerprint),
        Err(Harmless { differs_in_mysql: true }) => in_dialect(value, quote, Dialect::MySql).ok(),
        Err(_) => None,
    }
}

/// A value that is no injection, as far as one reading tells.
struct Harmless {
    /// It has a comment that is none in MySQL, or the other way round.
    differs_in_mysql: bool,
}

fn in_dialect(value: &[u8], quote: Option<u8>, dialect: Dialect) -> Result<Fingerprint, Harmless> {
    let mut tokenizer = Tokenizer::new(value, quote, dialect);
    let Some(first) = folding::first(&mut tokenizer) else { return Err(Harmless::of(&tokenizer)) };
    // Of one token only what is evil is an injection.
    if tokenizer.is_at_end() && first.kind != Kind::Evil {
        return Err(Harmless::of(&tokenizer));
    }
    let folded = Folded::new(first, tokenizer);
    let fingerprint = Fingerprint::of(folded.kinds());
    if !folded.leads_nowhere && fingerprint.is_known() && !innocence::is_innocent(&folded, value) {
        return Ok(fingerprint);
    }
    Err(Harmless { differs_in_mysql: folded.differs_in_mysql })
}

impl Harmless {
    fn of(tokenizer: &Tokenizer<'_>) -> Self {
        Self { differs_in_mysql: tokenizer.differs_in_mysql }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quote_before_the_value_is_thought_of() {
        for value in ["x' OR 'a'='a", "x\" OR \"a\"=\"a"] {
            let fingerprint = is_sqli(value.as_bytes()).expect("an injection");
            assert_eq!(fingerprint.as_bytes(), b"s&sos", "{value}");
        }
    }

    #[test]
    fn a_comment_of_mysql_only_is_thought_of() {
        for (value, expected) in [("1 union#x\nselect 2", "1UE1"), ("x' or 1#", "s&1c")] {
            let fingerprint = is_sqli(value.as_bytes()).expect("an injection");
            assert_eq!(fingerprint.as_bytes(), expected.as_bytes(), "{value}");
        }
        assert!(is_sqli(b"1#").is_none(), "too many write this");
    }

    #[test]
    fn numbers_names_and_versions_are_plain() {
        for value in ["", "1", "10.0.0.1", "v", "user_name", "file.tar.gz", "1e5", "\u{6771}"] {
            assert!(is_plain(value.as_bytes()), "{value}");
        }
    }

    #[test]
    fn a_dot_before_a_digit_can_hide_a_number_between_words() {
        assert!(!is_plain(b"SERIAL.5UNION"));
        assert!(is_sqli(b"SERIAL.5UNION").is_some());
    }

    #[test]
    fn nothing_is_no_injection() {
        assert!(is_sqli(b"").is_none());
        assert!(is_sqli(b"'").is_none());
    }
    #[test]
    fn a_million_joined_words_are_each_read_once() {
        let value = [b"1 ".as_slice(), &b"and.".repeat(1_000_000)].concat();
        assert!(is_sqli(&value).is_none());
    }
}
