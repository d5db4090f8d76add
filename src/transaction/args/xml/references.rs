//! `&lt;`, `&#60;` and `&#x3c;`.

/// The character that a reference means, given what is between `&` and `;`; none for an entity
/// that is not predefined, and for what is no character.
pub fn character(name: &str) -> Option<char> {
    match name {
        "amp" => Some('&'),
        "apos" => Some('\''),
        "gt" => Some('>'),
        "lt" => Some('<'),
        "quot" => Some('"'),
        _ => number(name.strip_prefix('#')?),
    }
}

/// Appends an attribute's value: references decoded, blanks made spaces. Whether all references
/// were understood; one that was not stays as it came.
pub fn attribute(value: &str, out: &mut Vec<u8>) -> bool {
    let mut valid = true;
    let mut pieces = value.split('&');
    plain(pieces.next().unwrap_or_default(), out);
    for piece in pieces {
        let known = piece.split_once(';').and_then(|(name, rest)| Some((character(name)?, rest)));
        if let Some((character, rest)) = known {
            push(character, out);
            plain(rest, out);
        } else {
            valid = false;
            out.push(b'&');
            plain(piece, out);
        }
    }
    valid
}

/// Appends a character.
pub fn push(character: char, out: &mut Vec<u8>) {
    out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
}

fn number(digits: &str) -> Option<char> {
    let (digits, radix) = digits.strip_prefix('x').map_or((digits, 10), |hex| (hex, 16));
    if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    let code = u32::from_str_radix(digits, radix).ok()?;
    char::from_u32(code).filter(|it| *it >= ' ' || matches!(it, '\t' | '\n' | '\r'))
}

/// Appends text in which each blank, and each CR LF, is a space.
fn plain(text: &str, out: &mut Vec<u8>) {
    let mut after_return = false;
    for byte in text.bytes() {
        match byte {
            b'\n' if after_return => {}
            b'\t' | b'\n' | b'\r' => out.push(b' '),
            _ => out.push(byte),
        }
        after_return = byte == b'\r';
    }
}

#[cfg(test)]
mod tests {
    use super::attribute;

    #[test]
    fn values_are_decoded() {
        let cases = [
            ("a b", "a b", true),
            ("&lt;&gt;&amp;&quot;&apos;", "<>&\"'", true),
            ("&#60;&#x3C;&#x3c;&#233;&#x1F600;", "<<<é😀", true),
            ("a\r\nb\tc\nd\re", "a b c d e", true),
            ("&#10;", "\n", true),
            ("&amp;lt;", "&lt;", true),
            ("&nbsp;", "&nbsp;", false),
            ("&lt", "&lt", false),
            ("&;&#;&#x;", "&;&#;&#x;", false),
            ("&#0;&#xD800;&#x110000;&#1;", "&#0;&#xD800;&#x110000;&#1;", false),
            ("&#+60;&# 60;&#99999999999;", "&#+60;&# 60;&#99999999999;", false),
            ("a & b", "a & b", false),
        ];
        for (value, wanted, valid) in cases {
            let mut out = Vec::new();
            assert_eq!(attribute(value, &mut out), valid, "{value}");
            assert_eq!(String::from_utf8(out).unwrap(), wanted);
        }
    }
}
