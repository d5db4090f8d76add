//! `t:removeCommentsChar`: without the signs that begin and end comments.

use memchr::memchr;

use super::bytes::has_pair;
use super::{Transformation, Trigger};

pub(super) const TRANSFORMATION: Transformation = Transformation {
    name: "removeCommentsChar",
    aliases: &[],
    doc: "Removes `/*`, `*/`, `<!--`, `-->`, `--` and `#`.",
    trigger: Trigger::Bytes(|byte| matches!(byte, b'#' | b'*' | b'-')),
    apply,
};

fn apply(value: &[u8], output: &mut Vec<u8>) -> bool {
    if memchr(b'#', value).is_none() && !has_pair(value, is_sign) {
        return false;
    }
    output.reserve(value.len());
    let mut rest = value;
    while let Some(byte) = rest.first() {
        let sign = sign(rest);
        if sign == 0 {
            output.push(*byte);
        }
        rest = rest.get(sign.max(1)..).unwrap_or_default();
    }
    output != value
}

/// What every sign but `#` is or has in it.
fn is_sign(one: u8, next: u8) -> bool {
    matches!((one, next), (b'/', b'*') | (b'*', b'/') | (b'-', b'-'))
}

/// The length of the sign at the beginning; 0 if there is none.
fn sign(text: &[u8]) -> usize {
    match text {
        [b'<', b'!', b'-', b'-', ..] => 4,
        [b'-', b'-', b'>', ..] => 3,
        [b'/', b'*', ..] | [b'*', b'/', ..] | [b'-', b'-', ..] => 2,
        [b'#', ..] => 1,
        _ => 0,
    }
}
