//! The `Cookie` field: names and values as they came, not decoded.

use memchr::memchr;

use super::Pairs;

/// Cookies for which there is room from the beginning.
const USUAL_COOKIES: usize = 8;

/// The cookies of one `Cookie` field, as ModSecurity's version 0 reads them: separated by `;`,
/// blanks before a name dropped, the value is what follows the first `=`. Without a name there is
/// no cookie; without `=` its value is empty. Blanks at the field's end belong to nothing.
pub fn cookies(field: &[u8]) -> Pairs {
    let mut pairs = Pairs::default();
    pairs.reserve(field.len(), USUAL_COOKIES);
    let mut rest = Some(trim_end(field.strip_suffix(b";").unwrap_or(field)));
    while let Some(text) = rest {
        let (cookie, after) = split(text, b';');
        let (name, value) = split(cookie, b'=');
        let name = trim_start(name);
        if !name.is_empty() {
            pairs.push(name, value.unwrap_or_default());
        }
        rest = after;
    }
    pairs
}

/// What is before the first `at`, and what is behind it, if it is there.
fn split(text: &[u8], at: u8) -> (&[u8], Option<&[u8]>) {
    match memchr(at, text).and_then(|place| text.split_at_checked(place)) {
        Some((before, after)) => (before, after.get(1..)),
        None => (text, None),
    }
}

/// What C's `isspace` takes for a blank.
fn is_blank(byte: u8) -> bool {
    matches!(byte, b'\t'..=b'\r' | b' ')
}

fn trim_start(text: &[u8]) -> &[u8] {
    let from = text.iter().position(|byte| !is_blank(*byte)).unwrap_or(text.len());
    text.get(from..).unwrap_or_default()
}

fn trim_end(text: &[u8]) -> &[u8] {
    let to = text.iter().rposition(|byte| !is_blank(*byte)).map_or(0, |last| last + 1);
    text.get(..to).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::cookies;

    #[test]
    fn cookies_are_read_as_modsecurity_reads_them() {
        type Case = (&'static [u8], &'static [(&'static [u8], &'static [u8])]);
        let cases: &[Case] = &[
            (b"", &[]),
            (b"a=1; b=2", &[(b"a", b"1"), (b"b", b"2")]),
            (b"a=1;b=2;", &[(b"a", b"1"), (b"b", b"2")]),
            (b";; a=b=c", &[(b"a", b"b=c")]),
            (b"a=1; a=2", &[(b"a", b"1"), (b"a", b"2")]),
            (b"a; b=", &[(b"a", b""), (b"b", b"")]),
            (b" =x; \t\x0ba = 1 ;b=2 \t", &[(b"a ", b" 1 "), (b"b", b"2")]),
            (b"a=%41+\"q\"", &[(b"a", b"%41+\"q\"")]),
            (b"a=1,b=2", &[(b"a", b"1,b=2")]),
            (b"a=1 ;", &[(b"a", b"1")]),
            (b"a=1 ; \x0b", &[(b"a", b"1 ")]),
            (b"a=\0;\xff=1", &[(b"a", b"\0"), (b"\xff", b"1")]),
        ];
        for (field, wanted) in cases {
            let read = cookies(field);
            assert_eq!(&read.iter().collect::<Vec<_>>(), wanted, "{}", field.escape_ascii());
        }
    }
}
