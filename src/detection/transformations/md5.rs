//! `t:md5`: a digest, as bytes; `t:hexEncode` makes it readable.

use md5::{Digest as _, Md5};

use super::{Transformation, Trigger};

pub(super) const TRANSFORMATION: Transformation = Transformation {
    name: "md5",
    aliases: &[],
    doc: "Puts the MD5 digest, 16 bytes, in place of the value.",
    trigger: Trigger::Always,
    apply,
};

fn apply(value: &[u8], output: &mut Vec<u8>) -> bool {
    output.extend_from_slice(&Md5::digest(value));
    output != value
}
