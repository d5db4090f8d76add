//! Ordinary text that has the fingerprint of an injection.

use memchr::memmem;

use super::folding::Folded;
use super::token::{Kind, Token};

/// Whether a value whose fingerprint is that of an injection is none at a second look.
pub fn is_innocent(folded: &Folded<'_>, value: &[u8]) -> bool {
    let tokens = folded.tokens();
    if let [_, .., last] = tokens
        && last.kind == Kind::Comment
        && hides_from_audit(value)
    {
        return false;
    }
    match tokens {
        [first, second] => is_innocent_pair(first, second, folded.seen, value),
        [first, second, third] => is_innocent_triple(first, second, third, folded.seen),
        _ => false,
    }
}

/// SQL Server's audit log leaves out what mentions this procedure, wherever.
fn hides_from_audit(value: &[u8]) -> bool {
    memmem::find(value, b"sp_password").is_some()
}

fn is_innocent_pair(first: &Token<'_>, second: &Token<'_>, seen: u32, value: &[u8]) -> bool {
    match (first.kind, second.kind) {
        // `1 union` is text; with something folded away it is not.
        (_, Kind::Union) => seen == 2,
        _ if second.begins_with(b'#') => true,
        (Kind::Bareword, Kind::Comment) if !second.begins_with(b'/') => true,
        (Kind::Number, Kind::Comment) => {
            !second.begins_with(b'/') && seen <= 2 && !is_cut_off(first, value)
        }
        // Many put `--` into text; at its end it is a probe.
        _ => second.text.len() > 2 && second.begins_with(b'-'),
    }
}

/// Whether a number is followed by a blank or a comment: `1234--` is an attempt to cut a query
/// off, `1234-ABCD--` is some token in Base64. Looks from the value's beginning, as libinjection
/// does, wherever the number stands.
fn is_cut_off(number: &Token<'_>, value: &[u8]) -> bool {
    match value.get(number.text.len()..) {
        Some([b'/', b'*', ..] | [b'-', b'-', ..]) => true,
        Some([next, ..]) => matches!(next, 0..=b' ' | 0x80..),
        _ => false,
    }
}

fn is_innocent_triple(first: &Token<'_>, second: &Token<'_>, third: &Token<'_>, seen: u32) -> bool {
    match (first.kind, second.kind, third.kind) {
        // `foo" + "bar` stood between quotes; anything else is text.
        (Kind::Text, Kind::Operator | Kind::Logic, Kind::Text) => {
            !(first.open.is_none() && third.close.is_none() && first.close == third.open)
        }
        // `sexy and 17` is text, `sexy and 17<18` is not.
        (Kind::Text, Kind::Logic, Kind::Bareword)
        | (Kind::Bareword, Kind::Logic, Kind::Number)
        | (Kind::Number, Kind::Logic, Kind::Number | Kind::Variable | Kind::Text) => seen == 3,
        (_, Kind::Keyword, _) => !is_into_file(second),
        _ => false,
    }
}

/// MySQL's `INTO OUTFILE` and `INTO DUMPFILE`.
fn is_into_file(token: &Token<'_>) -> bool {
    token.text.len() > 4
        && token.text.get(..4).is_some_and(|text| text.eq_ignore_ascii_case(b"INTO"))
}
