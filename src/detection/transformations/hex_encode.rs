//! `t:hexEncode`: each byte to two hexadecimal digits.

use super::bytes::hex_letter;
use super::{Transformation, Trigger};

pub(super) const TRANSFORMATION: Transformation = Transformation {
    name: "hexEncode",
    aliases: &[],
    doc: "Makes two hexadecimal digits, in lower case, of each byte.",
    trigger: Trigger::Always,
    apply,
};

fn apply(value: &[u8], output: &mut Vec<u8>) -> bool {
    output.resize(2 * value.len(), 0);
    for (byte, digits) in value.iter().zip(output.as_chunks_mut::<2>().0) {
        *digits = [hex_letter(byte >> 4), hex_letter(byte & 0xf)];
    }
    !value.is_empty()
}
