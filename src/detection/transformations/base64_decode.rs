//! `t:base64Decode`: as far as it is base64; line ends do not matter.
//!
//! ModSecurity 3 makes nothing of a value that is not base64 to its end; version 2 and Coraza decode
//! the beginning, as programs do that are attacked.

use super::{Transformation, Trigger};

pub(super) const TRANSFORMATION: Transformation = Transformation {
    name: "base64Decode",
    aliases: &[],
    doc: "Decodes base64 up to the first byte that is neither of its alphabet nor a line end.",
    trigger: Trigger::Always,
    apply,
};

fn apply(value: &[u8], output: &mut Vec<u8>) -> bool {
    let lines = value.iter().filter(|byte| !matches!(byte, b'\r' | b'\n'));
    decode(lines.map_while(|byte| digit(*byte)), output);
    output != value
}

/// Appends the bytes that digits stand for; a single digit at the end is not enough for a byte.
pub(super) fn decode(digits: impl Iterator<Item = u8>, output: &mut Vec<u8>) {
    let (mut bits, mut held) = (0, 0);
    for digit in digits {
        bits = bits << 6 | u32::from(digit);
        held += 6;
        if held >= 8 {
            held -= 8;
            output.push((bits >> held) as u8);
        }
    }
}

/// The value of a digit of base64.
pub(super) fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    }
}
