//! `t:removeNulls`: without NUL bytes.

use super::bytes::remove;
use super::{Transformation, Trigger};

pub(super) const TRANSFORMATION: Transformation = Transformation {
    name: "removeNulls",
    aliases: &[],
    doc: "Removes NUL bytes.",
    trigger: Trigger::Bytes(|byte| byte == 0),
    apply,
};

fn apply(value: &[u8], output: &mut Vec<u8>) -> bool {
    remove(value, output, |byte| byte == 0)
}
