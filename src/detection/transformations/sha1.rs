//! `t:sha1`: a digest, as bytes; `t:hexEncode` makes it readable.

use sha1::{Digest as _, Sha1};

use super::{Transformation, Trigger};

pub(super) const TRANSFORMATION: Transformation = Transformation {
    name: "sha1",
    aliases: &[],
    doc: "Puts the SHA-1 digest, 20 bytes, in place of the value.",
    trigger: Trigger::Always,
    apply,
};

fn apply(value: &[u8], output: &mut Vec<u8>) -> bool {
    output.extend_from_slice(&Sha1::digest(value));
    output != value
}
