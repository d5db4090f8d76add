//! `t:removeWhitespace`: without blanks, also those that do not break.

use super::bytes::{is_space, remove};
use super::{Transformation, Trigger};

pub(super) const TRANSFORMATION: Transformation = Transformation {
    name: "removeWhitespace",
    aliases: &[],
    doc: "Removes blanks, and the bytes of the no-break space in Latin-1 and UTF-8 (A0, C2).",
    trigger: Trigger::Bytes(is_blank),
    apply,
};

fn apply(value: &[u8], output: &mut Vec<u8>) -> bool {
    remove(value, output, is_blank)
}

fn is_blank(byte: u8) -> bool {
    is_space(byte) || matches!(byte, 0xa0 | 0xc2)
}
