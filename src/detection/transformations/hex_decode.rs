//! `t:hexDecode`: pairs of hexadecimal digits to bytes.
//!
//! Of a pair that is not hexadecimal ModSecurity makes some byte.

use super::bytes::hex_pair;
use super::{Transformation, Trigger};

pub(super) const TRANSFORMATION: Transformation = Transformation {
    name: "hexDecode",
    aliases: &[],
    doc: "Makes a byte of each pair of hexadecimal digits; another pair stays, a single byte at the end goes.",
    trigger: Trigger::Always,
    apply,
};

fn apply(value: &[u8], output: &mut Vec<u8>) -> bool {
    for pair in value.as_chunks::<2>().0 {
        match hex_pair(pair) {
            Some(byte) => output.push(byte),
            None => output.extend_from_slice(pair),
        }
    }
    output != value
}
