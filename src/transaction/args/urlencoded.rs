//! Forms and query strings: `a=1&b=two+words&c=%41`.
//!
//! Read as ModSecurity v3 reads them: every pair between separators counts, an empty one too (but
//! nothing follows a last separator); without `=` the value is empty; a `%` without two hex digits
//! is text, and told.

use memchr::{memchr, memrchr};

use super::reading::Reading;
use super::{Limits, Parsed};

/// Pairs for which there is room from the beginning.
const USUAL_PAIRS: usize = 16;

/// The arguments of a query string.
pub fn query(text: &[u8], limits: &Limits) -> Parsed {
    let mut reading = Reading::new(limits.clone());
    pairs(text, &mut reading);
    reading.parsed
}

/// A form that comes in pieces.
#[derive(Debug, Default)]
pub struct Form {
    /// The beginning of a pair that goes on in the next piece.
    begun: Vec<u8>,
}

impl Form {
    /// The next piece.
    pub fn feed(&mut self, piece: &[u8], reading: &mut Reading) {
        let Some(last) = memrchr(reading.limits.separator, piece) else {
            self.begun.extend_from_slice(piece);
            return;
        };
        let (whole, rest) = piece.split_at(last + 1);
        if self.begun.is_empty() {
            pairs(whole, reading);
        } else {
            self.begun.extend_from_slice(whole);
            pairs(&self.begun, reading);
            self.begun.clear();
        }
        self.begun.extend_from_slice(rest);
    }

    /// The form is over.
    pub fn finish(&self, reading: &mut Reading) {
        pairs(&self.begun, reading);
    }
}

/// Reads whole pairs; the last one may lack its separator.
fn pairs(text: &[u8], reading: &mut Reading) {
    let mut rest = text;
    reading.parsed.args.reserve(text.len(), USUAL_PAIRS.min(text.len()));
    while !rest.is_empty() && reading.has_room() {
        let (one, after) = split(rest, reading.limits.separator);
        rest = after;
        pair(one, &mut reading.parsed);
    }
}

fn pair(text: &[u8], parsed: &mut Parsed) {
    let (name, value) = split(text, b'=');
    let (mut name_valid, mut value_valid) = (true, true);
    parsed
        .args
        .push_with(|out| name_valid = decode(name, out), |out| value_valid = decode(value, out));
    parsed.invalid_escape |= !(name_valid && value_valid);
}

/// What is before the first `at`, and what is behind it.
fn split(text: &[u8], at: u8) -> (&[u8], &[u8]) {
    memchr(at, text)
        .and_then(|place| Some((text.get(..place)?, text.get(place + 1..)?)))
        .unwrap_or((text, &[]))
}

/// Appends the decoded text; whether all its escapes were valid.
fn decode(text: &[u8], out: &mut Vec<u8>) -> bool {
    let mut rest = text;
    let mut valid = true;
    while let Some((plain, escape)) = memchr(b'%', rest).and_then(|at| rest.split_at_checked(at)) {
        spaced(plain, out);
        let byte = hex_pair(escape);
        valid &= byte.is_some();
        out.push(byte.unwrap_or(b'%'));
        rest = escape.get(byte.map_or(1, |_| 3)..).unwrap_or_default();
    }
    spaced(rest, out);
    valid
}

/// Appends a text with a space for each `+`.
fn spaced(text: &[u8], out: &mut Vec<u8>) {
    out.extend(text.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }));
}

/// The byte that `%HH` means.
fn hex_pair(escape: &[u8]) -> Option<u8> {
    let [_, high, low, ..] = escape else { return None };
    Some(hex(*high)? << 4 | hex(*low)?)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|value| value as u8)
}

#[cfg(test)]
mod tests {
    use super::super::Limits;
    use super::query;

    #[test]
    fn pairs_are_read_as_modsecurity_reads_them() {
        type Case = (&'static [u8], &'static [(&'static [u8], &'static [u8])], bool);
        let cases: &[Case] = &[
            (b"", &[], false),
            (b"a=1&b=2", &[(b"a", b"1"), (b"b", b"2")], false),
            (b"a=1&a=2", &[(b"a", b"1"), (b"a", b"2")], false),
            (b"a", &[(b"a", b"")], false),
            (b"a=", &[(b"a", b"")], false),
            (b"=a", &[(b"", b"a")], false),
            (b"a=b=c", &[(b"a", b"b=c")], false),
            (b"a=1&", &[(b"a", b"1")], false),
            (b"&", &[(b"", b"")], false),
            (b"a&&b", &[(b"a", b""), (b"", b""), (b"b", b"")], false),
            (b"a;b=1", &[(b"a;b", b"1")], false),
            (b"a+b=c+d%2B", &[(b"a b", b"c d+")], false),
            (b"%61%3D=%26%3d", &[(b"a=", b"&=")], false),
            (b"a=%00\x00%ff", &[(b"a", b"\0\0\xff")], false),
            (b"a=%", &[(b"a", b"%")], true),
            (b"a=%4", &[(b"a", b"%4")], true),
            (b"a=%zz%41", &[(b"a", b"%zzA")], true),
            (b"%g=1", &[(b"%g", b"1")], true),
            (b"a=%%41", &[(b"a", b"%A")], true),
            (b"a=%u0041", &[(b"a", b"%u0041")], true),
        ];
        for (text, wanted, invalid) in cases {
            let parsed = query(text, &Limits::default());
            assert_eq!(parsed.args.iter().collect::<Vec<_>>(), *wanted, "{}", text.escape_ascii());
            assert_eq!(parsed.invalid_escape, *invalid, "{}", text.escape_ascii());
        }
    }

    #[test]
    fn another_separator_can_be_chosen() {
        let limits = Limits { separator: b';', ..Limits::default() };
        let parsed = query(b"a=1;b=2&c", &limits);
        assert_eq!(parsed.args.iter().count(), 2);
        assert_eq!(parsed.args.get(1), Some((&b"b"[..], &b"2&c"[..])));
    }

    #[test]
    fn more_arguments_than_allowed_are_an_error_and_the_first_ones_are_told() {
        let limits = Limits { arguments: 2, ..Limits::default() };
        assert_eq!(query(b"a&b", &limits).error, None);
        let parsed = query(b"a&b&c", &limits);
        assert_eq!(parsed.args.len(), 2);
        assert_eq!(parsed.error.as_deref(), Some("more than 2 arguments"));
    }
}
