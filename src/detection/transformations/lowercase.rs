//! `t:lowercase`: ASCII letters only.

use super::bytes::map;
use super::{Transformation, Trigger};

pub(super) const TRANSFORMATION: Transformation = Transformation {
    name: "lowercase",
    aliases: &[],
    doc: "Makes lower case of ASCII letters.",
    trigger: Trigger::Bytes(|byte| byte.is_ascii_uppercase()),
    apply,
};

fn apply(value: &[u8], output: &mut Vec<u8>) -> bool {
    map(value, output, |byte| byte.to_ascii_lowercase())
}
