//! `t:replaceNulls`: a space for each NUL byte.

use super::bytes::map;
use super::{Transformation, Trigger};

pub(super) const TRANSFORMATION: Transformation = Transformation {
    name: "replaceNulls",
    aliases: &[],
    doc: "Makes a space of each NUL byte.",
    trigger: Trigger::Bytes(|byte| byte == 0),
    apply,
};

fn apply(value: &[u8], output: &mut Vec<u8>) -> bool {
    map(value, output, |byte| if byte == 0 { b' ' } else { byte })
}
