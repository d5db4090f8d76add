//! The character set of an XML body.

use std::borrow::Cow;

/// How far a declaration is looked for, in bytes.
const DECLARATION: usize = 256;

/// The body as text, and whether its character set was understood and kept to. What is no
/// character becomes U+FFFD.
///
/// As libxml2 does without further libraries, it knows UTF-8, UTF-16 (by mark, or by the zeros
/// around the first `<`), ASCII and the 8-bit sets, all of which are read as ISO 8859-1: rules look
/// at what is common to them.
pub fn decode(body: &[u8]) -> (Cow<'_, str>, bool) {
    match body {
        [0xef, 0xbb, 0xbf, rest @ ..] => utf8(rest),
        // UTF-32, by mark or by its zeros.
        [0xff, 0xfe, 0, 0, ..]
        | [0, 0, 0xfe, 0xff, ..]
        | [b'<', 0, 0, 0, ..]
        | [0, 0, 0, b'<', ..] => (utf8(body).0, false),
        [0xff, 0xfe, rest @ ..] => utf16(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => utf16(rest, u16::from_be_bytes),
        [b'<', 0, ..] => utf16(body, u16::from_le_bytes),
        [0, b'<', ..] => utf16(body, u16::from_be_bytes),
        _ => declared(body),
    }
}

/// A body in the character set that its declaration names.
fn declared(body: &[u8]) -> (Cow<'_, str>, bool) {
    let name = declared_name(body).unwrap_or_default().to_ascii_lowercase();
    match name.as_slice() {
        b"" | b"utf-8" | b"utf8" | b"us-ascii" | b"ascii" => utf8(body),
        name if name.starts_with(b"iso-8859-") || name.starts_with(b"windows-125") => {
            (body.iter().copied().map(char::from).collect::<String>().into(), true)
        }
        _ => (utf8(body).0, false),
    }
}

/// `ascii` in `<?xml version="1.0" encoding="ascii"?>`.
fn declared_name(body: &[u8]) -> Option<&[u8]> {
    let head = body.strip_prefix(b"<?xml")?;
    let head = head.get(..DECLARATION).unwrap_or(head);
    let head = head.get(..memchr::memmem::find(head, b"?>")?)?;
    let place = memchr::memmem::find(head, b"encoding")?;
    let value = head.get(place..)?.strip_prefix(b"encoding")?.trim_ascii_start();
    let value = value.strip_prefix(b"=")?.trim_ascii_start();
    let (quote, value) = value.split_first()?;
    value.split(|byte| byte == quote).next()
}

fn utf8(bytes: &[u8]) -> (Cow<'_, str>, bool) {
    let text = String::from_utf8_lossy(bytes);
    let valid = matches!(text, Cow::Borrowed(_));
    (text, valid)
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> (Cow<'_, str>, bool) {
    let (pairs, rest) = bytes.as_chunks::<2>();
    let mut valid = rest.is_empty();
    let characters = char::decode_utf16(pairs.iter().map(|pair| unit(*pair)));
    let text: String = characters
        .map(|character| {
            valid &= character.is_ok();
            character.unwrap_or(char::REPLACEMENT_CHARACTER)
        })
        .collect();
    (text.into(), valid)
}

#[cfg(test)]
mod tests {
    use super::decode;

    #[test]
    fn character_sets_are_told_apart() {
        let sixteen = |text: &str, unit: fn(u16) -> [u8; 2]| -> Vec<u8> {
            text.encode_utf16().flat_map(unit).collect()
        };
        let cases: &[(Vec<u8>, &str, bool)] = &[
            (b"<a>\xc3\xa9</a>".to_vec(), "<a>é</a>", true),
            (b"\xef\xbb\xbf<a/>".to_vec(), "<a/>", true),
            (b"<a>\xe9</a>".to_vec(), "<a>\u{fffd}</a>", false),
            (sixteen("\u{feff}<a>é</a>", u16::to_le_bytes), "<a>é</a>", true),
            (sixteen("\u{feff}<a>é</a>", u16::to_be_bytes), "<a>é</a>", true),
            (sixteen("<a>😀</a>", u16::to_le_bytes), "<a>😀</a>", true),
            (sixteen("<a/>", u16::to_be_bytes), "<a/>", true),
            (b"<\0a".to_vec(), "<", false),
            (
                b"<?xml version='1.0' encoding = 'ISO-8859-1'?>\xe9".to_vec(),
                "<?xml version='1.0' encoding = 'ISO-8859-1'?>é",
                true,
            ),
            (b"<?xml encoding=\"UTF-7\"?>".to_vec(), "<?xml encoding=\"UTF-7\"?>", false),
        ];
        for (body, wanted, valid) in cases {
            assert_eq!(decode(body), (std::borrow::Cow::Borrowed(*wanted), *valid), "{wanted}");
        }
    }
}
