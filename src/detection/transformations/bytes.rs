//! What several transformations share: classes of bytes, digits, and copying what stays.

/// A blank as C's `isspace` knows it.
pub(super) fn is_space(byte: u8) -> bool {
    matches!(byte, b'\t'..=b'\r' | b' ')
}

/// An octal digit.
pub(super) fn is_octal(byte: u8) -> bool {
    matches!(byte, b'0'..=b'7')
}

/// The value of a hexadecimal digit.
pub(super) fn hex_digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

/// The byte that two hexadecimal digits at the beginning of `text` stand for.
pub(super) fn hex_pair(text: &[u8]) -> Option<u8> {
    let [high, low, ..] = text else { return None };
    Some(hex_digit(*high)? << 4 | hex_digit(*low)?)
}

/// The number that four hexadecimal digits at the beginning of `text` stand for.
pub(super) fn hex_quad(text: &[u8]) -> Option<u16> {
    let low = hex_pair(text.get(2..)?)?;
    Some(u16::from_be_bytes([hex_pair(text)?, low]))
}

/// The low byte of a character's number; a letter of full width (U+FF01 to U+FF5E) becomes the
/// ASCII one that it looks like.
pub(super) fn narrow(number: u16) -> u8 {
    let [high, low] = number.to_be_bytes();
    if high == 0xff && (0x01..0x5f).contains(&low) { low + 0x20 } else { low }
}

/// The byte that a letter after a backslash stands for in C (`\n`).
pub(super) fn c_escape(letter: u8) -> Option<u8> {
    Some(match letter {
        b'a' => 0x07,
        b'b' => 0x08,
        b'f' => 0x0c,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'v' => 0x0b,
        _ => return None,
    })
}

/// How many bytes at the beginning of `text` are of a class, at most `most`.
pub(super) fn run(text: &[u8], most: usize, class: impl Fn(u8) -> bool) -> usize {
    text.iter().take(most).take_while(|byte| class(**byte)).count()
}

/// The value of octal digits; of a large number its low byte.
pub(super) fn octal(digits: &[u8]) -> u8 {
    digits.iter().fold(0, |sum: u8, digit| sum << 3 | (digit & 7))
}

/// Copies a value, but where a byte is `special`, `step` is given the rest from there on: it
/// appends what stands there in truth and says how many bytes that was, at least one. Says whether
/// the outcome differs.
pub(super) fn rewrite(
    value: &[u8],
    output: &mut Vec<u8>,
    special: impl Fn(u8) -> bool,
    mut step: impl FnMut(&[u8], &mut Vec<u8>) -> usize,
) -> bool {
    let mut rest = value;
    while let Some(at) = rest.iter().position(|byte| special(*byte)) {
        let (plain, found) = rest.split_at(at);
        output.extend_from_slice(plain);
        let taken = step(found, output);
        rest = found.get(taken..).unwrap_or_default();
    }
    output.extend_from_slice(rest);
    output != value
}

/// Copies a value byte by byte. Says whether the outcome differs.
pub(super) fn map(value: &[u8], output: &mut Vec<u8>, each: impl Fn(u8) -> u8) -> bool {
    output.extend(value.iter().map(|byte| each(*byte)));
    output != value
}

/// Copies the bytes of a value that are not of a class. Says whether the outcome differs.
pub(super) fn remove(value: &[u8], output: &mut Vec<u8>, class: impl Fn(u8) -> bool) -> bool {
    output.extend(value.iter().filter(|byte| !class(**byte)));
    output.len() != value.len()
}

/// The hexadecimal digit, in lower case, of a value below 16.
pub(super) fn hex_letter(value: u8) -> u8 {
    if value < 10 { b'0' + value } else { b'a' + value - 10 }
}

/// Appends a byte as two hexadecimal digits in lower case.
pub(super) fn push_hex(byte: u8, output: &mut Vec<u8>) {
    output.extend([hex_letter(byte >> 4), hex_letter(byte & 0xf)]);
}
