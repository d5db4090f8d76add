//! `t:compressWhitespace`: one space for each run of blanks.

use super::bytes::{has_pair, is_space, keep};
use super::{Transformation, Trigger};

pub(super) const TRANSFORMATION: Transformation = Transformation {
    name: "compressWhitespace",
    aliases: &[],
    doc: "Makes one space of each run of blanks.",
    trigger: Trigger::Bytes(is_space),
    apply,
};

fn apply(value: &[u8], output: &mut Vec<u8>) -> bool {
    if !has_pair(value, is_run) && !value.last().is_some_and(|last| is_other(*last)) {
        return false;
    }
    let mut before = false;
    keep(value, output, |byte| {
        let (blank, again) = (is_space(byte), before && is_space(byte));
        before = blank;
        (if blank { b' ' } else { byte }, !again)
    })
}

/// Whether one of two blanks is too many, or the first is no space.
fn is_run(one: u8, next: u8) -> bool {
    is_other(one) | (is_space(one) & is_space(next))
}

/// A blank that is no space.
fn is_other(byte: u8) -> bool {
    matches!(byte, b'\t'..=b'\r')
}
