//! `t:utf8toUnicode`: a character of several bytes to `%uHHHH`.
//!
//! NUL bytes stay, which ModSecurity 3 drops unless they are last. A first byte past F4 begins no
//! character.

use super::bytes::{hex_letter, position, push_hex, rewrite};
use super::{Transformation, Trigger};

pub(super) const TRANSFORMATION: Transformation = Transformation {
    name: "utf8toUnicode",
    aliases: &[],
    doc: "Makes `%uHHHH` of each UTF-8 character of several bytes; a first byte without the rest of its character goes.",
    trigger: Trigger::Bytes(begins),
    apply,
};

fn apply(value: &[u8], output: &mut Vec<u8>) -> bool {
    rewrite(
        value,
        output,
        |text| position(text, begins),
        |rest, output| {
            let first = rest.first().copied().unwrap_or_default();
            let length = first.leading_ones() as usize;
            let Some(number) = number(rest.get(..length).unwrap_or_default()) else { return 1 };
            push_wide(number, output);
            if !is_proper(number, length) {
                // The first byte stays visible: what follows may look at it.
                output.push(first);
            }
            length
        },
    )
}

/// Whether a byte can be the first of a character of several bytes.
fn begins(byte: u8) -> bool {
    matches!(byte, 0xc0..=0xf4)
}

/// The number of a character; none if it is cut off or goes on with something else.
fn number(character: &[u8]) -> Option<u32> {
    let (first, rest) = character.split_first()?;
    let bits = u32::from(*first) & (0x7f >> (rest.len() + 1));
    rest.iter().try_fold(bits, |sum, byte| {
        (byte & 0xc0 == 0x80).then_some(sum << 6 | u32::from(byte & 0x3f))
    })
}

/// Whether a number needs that many bytes and may be written at all.
fn is_proper(number: u32, length: usize) -> bool {
    char::from_u32(number).is_some_and(|proper| proper.len_utf8() == length)
}

/// `%u` and at least four hexadecimal digits.
fn push_wide(number: u32, output: &mut Vec<u8>) {
    let [_, plane, high, low] = number.to_be_bytes();
    output.extend_from_slice(b"%u");
    if plane >= 0x10 {
        push_hex(plane, output);
    } else if plane > 0 {
        output.push(hex_letter(plane));
    }
    push_hex(high, output);
    push_hex(low, output);
}
