//! `t:urlDecode`: `%41` to `A`, `+` to a space; another `%` stays.

use memchr::memchr2;

use super::bytes::{hex_pair, rewrite};
use super::{Transformation, Trigger};

pub(super) const TRANSFORMATION: Transformation = Transformation {
    name: "urlDecode",
    aliases: &[],
    doc: "Decodes `%HH`, and makes a space of `+`; what is no valid encoding stays.",
    trigger: Trigger::Bytes(|byte| matches!(byte, b'%' | b'+')),
    apply,
};

fn apply(value: &[u8], output: &mut Vec<u8>) -> bool {
    rewrite(
        value,
        output,
        |text| memchr2(b'%', b'+', text),
        |rest, output| {
            let (byte, taken) = encoded(rest);
            output.push(byte);
            taken
        },
    )
}

/// The byte that a `+` or a `%` with what follows stands for, and how many bytes that is. A `%`
/// without two digits is text: to decode it to anything would let it hide what follows.
pub(super) fn encoded(text: &[u8]) -> (u8, usize) {
    match text {
        [b'+', ..] => (b' ', 1),
        [b'%', digits @ ..] => hex_pair(digits).map_or((b'%', 1), |byte| (byte, 3)),
        _ => (text.first().copied().unwrap_or_default(), 1),
    }
}
