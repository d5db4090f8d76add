//! `t:hexEncode`: each byte to two hexadecimal digits.

use super::bytes::push_hex;
use super::{Transformation, Trigger};

pub(super) const TRANSFORMATION: Transformation = Transformation {
    name: "hexEncode",
    aliases: &[],
    doc: "Makes two hexadecimal digits, in lower case, of each byte.",
    trigger: Trigger::Always,
    apply,
};

fn apply(value: &[u8], output: &mut Vec<u8>) -> bool {
    for byte in value {
        push_hex(*byte, output);
    }
    !value.is_empty()
}
