//! `t:base64Encode`: base64 with padding.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{Transformation, Trigger};

pub(super) const TRANSFORMATION: Transformation = Transformation {
    name: "base64Encode",
    aliases: &[],
    doc: "Encodes as base64, with padding.",
    trigger: Trigger::Always,
    apply,
};

fn apply(value: &[u8], output: &mut Vec<u8>) -> bool {
    output.extend_from_slice(STANDARD.encode(value).as_bytes());
    !value.is_empty()
}
