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
    BLANKS.get(usize::from(byte)).is_some_and(|blank| *blank)
}

static BLANKS: [bool; 256] = blanks();

const fn blanks() -> [bool; 256] {
    let mut blanks = [false; 256];
    let mut rest = blanks.as_mut_slice();
    let mut byte = 0_u8;
    while let Some((blank, after)) = rest.split_first_mut() {
        *blank = is_space(byte) || matches!(byte, 0xa0 | 0xc2);
        byte = byte.wrapping_add(1);
        rest = after;
    }
    blanks
}
