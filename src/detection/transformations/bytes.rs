//! What several transformations share: classes of bytes, digits, and copying what stays.

/// A blank as C's `isspace` knows it.
pub(super) const fn is_space(byte: u8) -> bool {
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

/// Where the first byte of a class stands. Whole blocks without one are passed over at once.
pub(super) fn position(text: &[u8], class: impl Fn(u8) -> bool) -> Option<usize> {
    const BLOCK: usize = 16;
    let (blocks, _) = text.as_chunks::<BLOCK>();
    // Without an early end, so that a block takes a few instructions.
    let has_one = |block: &[u8; BLOCK]| block.iter().fold(false, |any, byte| any | class(*byte));
    let passed = BLOCK * blocks.iter().take_while(|block| !has_one(block)).count();
    let place = text.get(passed..)?.iter().position(|byte| class(*byte))?;
    Some(passed + place)
}

/// Whether two bytes beside each other are a pair of a class.
pub(super) fn has_pair(text: &[u8], class: impl Fn(u8, u8) -> bool) -> bool {
    let next = text.get(1..).unwrap_or_default();
    text.iter().zip(next).fold(false, |any, (one, next)| any | class(*one, *next))
}

/// Copies a value, but where `find` says that a byte is special, `step` is given the rest from
/// there on: it appends what stands there in truth and says how many bytes that was, at least one.
/// Says whether the outcome differs; where nothing is special, nothing is written.
pub(super) fn rewrite(
    value: &[u8],
    output: &mut Vec<u8>,
    find: impl Fn(&[u8]) -> Option<usize>,
    mut step: impl FnMut(&[u8], &mut Vec<u8>) -> usize,
) -> bool {
    let mut rest = value;
    let mut next = find(rest);
    if next.is_none() {
        return false;
    }
    output.reserve(value.len());
    while let Some((plain, found)) = next.and_then(|at| rest.split_at_checked(at)) {
        output.extend_from_slice(plain);
        let taken = step(found, output);
        rest = found.get(taken..).unwrap_or_default();
        next = find(rest);
    }
    output.extend_from_slice(rest);
    output != value
}

/// Copies a value byte by byte. Says whether the outcome differs.
pub(super) fn map(value: &[u8], output: &mut Vec<u8>, each: impl Fn(u8) -> u8) -> bool {
    output.extend(value.iter().map(|byte| each(*byte)));
    output != value
}

/// Copies a value without the bytes of a class. Says whether the outcome differs; where there is
/// none, nothing is written.
pub(super) fn remove(value: &[u8], output: &mut Vec<u8>, class: impl Fn(u8) -> bool) -> bool {
    position(value, &class).is_some() && keep(value, output, |byte| (byte, !class(byte)))
}

/// Copies what `each` makes of the bytes of a value, where it says that it stays. Says whether the
/// outcome differs.
pub(super) fn keep(
    value: &[u8],
    output: &mut Vec<u8>,
    mut each: impl FnMut(u8) -> (u8, bool),
) -> bool {
    const PIECE: usize = 64;
    output.reserve(value.len());
    // Each byte is written, and written over if it does not stay: no branch depends on it.
    for piece in value.chunks(PIECE) {
        let (mut kept, mut end) = ([0; PIECE], 0);
        for byte in piece {
            let (byte, stays) = each(*byte);
            if let Some(slot) = kept.get_mut(end % PIECE) {
                *slot = byte;
            }
            end += usize::from(stays);
        }
        output.extend_from_slice(kept.get(..end).unwrap_or_default());
    }
    output != value
}

/// The hexadecimal digit, in lower case, of a value below 16.
pub(super) fn hex_letter(value: u8) -> u8 {
    if value < 10 { b'0' + value } else { b'a' + value - 10 }
}

/// Appends a byte as two hexadecimal digits in lower case.
pub(super) fn push_hex(byte: u8, output: &mut Vec<u8>) {
    output.extend([hex_letter(byte >> 4), hex_letter(byte & 0xf)]);
}
