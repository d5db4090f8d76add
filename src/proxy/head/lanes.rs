//! Bytes of a head looked at eight together: where the first is that is not as the others.

const ONES: u64 = u64::MAX / 255;
const HIGHEST: u64 = ONES << 7;
const LETTERS: u64 = ONES * b'a' as u64;

/// Where the first control character is, be it a tab.
#[inline]
pub(in crate::proxy) fn first_control(bytes: &[u8]) -> Option<usize> {
    first(bytes, |word| below(word, 0x20) | is(word, 0x7f))
}

/// Where the first byte is that cannot stand in a target: a blank, a control character, `#`.
#[inline]
pub(super) fn first_odd(bytes: &[u8]) -> Option<usize> {
    first(bytes, |word| below(word, 0x21) | is(word, 0x7f) | is(word, b'#'))
}

/// Where the first byte is that is no letter of ASCII or `-`: names have few others.
#[inline]
pub(super) fn first_unusual(bytes: &[u8]) -> Option<usize> {
    first(bytes, unusual)
}

/// Where line feeds are. Lines are so short that eight bytes are looked at together, and not more.
pub(super) fn feeds(bytes: &[u8]) -> impl Iterator<Item = usize> {
    let (words, rest) = bytes.as_chunks::<8>();
    let (mut word, mut found, start) = (0, 0_u64, 8 * words.len());
    let mut tail = rest.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
    std::iter::from_fn(move || {
        while found == 0 {
            let Some(bytes) = words.get(word) else {
                return tail.next().map(|(place, _)| start + place);
            };
            found = line_feeds(u64::from_le_bytes(*bytes));
            word += 1;
        }
        let place = 8 * (word - 1) + found.trailing_zeros() as usize / 8;
        found &= found - 1;
        Some(place)
    })
}

/// The highest bit of each byte that is a line feed, and no other.
fn line_feeds(word: u64) -> u64 {
    const LOW: u64 = ONES * 0x7f;
    let differs = word ^ (ONES * u64::from(b'\n'));
    !(((differs & LOW) + LOW) | differs | LOW)
}

/// Where the first byte is that `found` tells, by its highest bit; of those after it `found` may say
/// anything.
#[inline]
fn first(bytes: &[u8], found: impl Fn(u64) -> u64) -> Option<usize> {
    let (words, rest) = bytes.as_chunks::<8>();
    let place = |found: u64| found.trailing_zeros() as usize / 8;
    for (index, word) in words.iter().enumerate() {
        let found = found(u64::from_le_bytes(*word));
        if found != 0 {
            return Some(8 * index + place(found));
        }
    }
    // The last eight, of which some were looked at before; where there are fewer, letters stand for
    // what is missing, of which nothing is told.
    let (start, last) = match bytes.last_chunk::<8>() {
        _ if rest.is_empty() => return None,
        Some(last) => (bytes.len() - 8, u64::from_le_bytes(*last)),
        None => (0, rest.iter().rev().fold(LETTERS, |word, byte| (word << 8) | u64::from(*byte))),
    };
    let found = found(last);
    (found != 0).then(|| start + place(found))
}

/// The highest bit of each byte that is less than a bound; of those above the first one it says
/// nothing, for what is borrowed in the subtraction is borrowed from above.
#[inline]
fn below(word: u64, bound: u64) -> u64 {
    word.wrapping_sub(ONES * bound) & !word & HIGHEST
}

/// The same of each byte that is the one wanted.
#[inline]
fn is(word: u64, wanted: u8) -> u64 {
    below(word ^ (ONES * u64::from(wanted)), 1)
}

/// The highest bit of each byte that is no letter or `-`, and no other.
#[inline]
fn unusual(word: u64) -> u64 {
    let seven = word & !HIGHEST;
    // Within seven bits nothing is carried from one byte to the next.
    let from = |bytes: u64, least: u8| bytes + ONES * u64::from(0x80 - least);
    let lower = seven | (ONES * 0x20);
    let letter = from(lower, b'a') & !from(lower, b'z' + 1);
    let hyphen = !from(seven ^ (ONES * u64::from(b'-')), 1);
    (!(letter | hyphen) | word) & HIGHEST
}

#[cfg(test)]
mod tests {
    use super::{feeds, first_control, first_odd, first_unusual};

    #[test]
    fn every_byte_is_usual_or_not_whatever_stands_beside_it() {
        for (byte, beside) in (0..=255_u8).flat_map(|byte| [0, b'-', 0xff].map(|it| (byte, it))) {
            let usual = byte.is_ascii_alphabetic() || byte == b'-';
            let found = (!usual).then_some(2);
            assert_eq!(first_unusual(&[b'a', b'Z', byte]), found, "{byte}");
            let followed = first_unusual(&[b'a', b'-', byte, beside, b'a', b'a', b'a', b'a']);
            let beside_found = (!beside.is_ascii_graphic()).then_some(3);
            assert_eq!(followed, found.or(beside_found), "{byte} {beside}");
        }
    }

    #[test]
    fn line_feeds_and_odd_bytes_are_found_wherever_they_stand() {
        // Neighbours that differ from one by a bit, or by what a subtraction borrows.
        for filler in [b'a', b' ', b'!', b'\t', 0x0b, 0x8a, 0x0a ^ 0x80, 0x80, 0xff, 0x7e] {
            for (place, length) in
                (0..24).flat_map(|length| (0..length).map(move |at| (at, length)))
            {
                for odd in [b'\n', b'\r', b'#', 0, 0x1f, 0x7f] {
                    let mut bytes = vec![filler; length];
                    bytes[place] = odd;
                    let found = feeds(&bytes).collect::<Vec<_>>();
                    let wanted = (0..length).filter(|at| bytes[*at] == b'\n').collect::<Vec<_>>();
                    assert_eq!(found, wanted, "{bytes:?}");
                    let control = bytes.iter().position(u8::is_ascii_control);
                    assert_eq!(first_control(&bytes), control, "{bytes:?}");
                    let is_odd = |byte: &u8| *byte <= b' ' || matches!(byte, 0x7f | b'#');
                    assert_eq!(first_odd(&bytes), bytes.iter().position(is_odd), "{bytes:?}");
                }
            }
        }
    }
}
