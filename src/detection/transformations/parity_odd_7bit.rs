//! `t:parityOdd7bit`: the eighth bit of each byte tells its parity.

use super::bytes::map;
use super::{Transformation, Trigger};

pub(super) const TRANSFORMATION: Transformation = Transformation {
    name: "parityOdd7bit",
    aliases: &[],
    doc: "Sets or clears the eighth bit of each byte so that a byte of seven bits has odd parity.",
    trigger: Trigger::Bytes(|byte| parity(byte) != byte),
    apply,
};

fn apply(value: &[u8], output: &mut Vec<u8>) -> bool {
    map(value, output, parity)
}

/// An eighth bit that is there already counts, as in ModSecurity.
fn parity(byte: u8) -> u8 {
    if byte.count_ones().is_multiple_of(2) { byte | 0x80 } else { byte & 0x7f }
}
