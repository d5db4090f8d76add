//! `t:parityZero7bit`: seven bits of each byte.

use super::bytes::map;
use super::{Transformation, Trigger};

pub(super) const TRANSFORMATION: Transformation = Transformation {
    name: "parityZero7bit",
    aliases: &[],
    doc: "Clears the eighth bit of each byte.",
    trigger: Trigger::Bytes(|byte| !byte.is_ascii()),
    apply,
};

fn apply(value: &[u8], output: &mut Vec<u8>) -> bool {
    map(value, output, |byte| byte & 0x7f)
}
