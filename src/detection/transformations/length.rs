//! `t:length`: how many bytes there are.

use std::io::Write as _;

use super::{Transformation, Trigger};

pub(super) const TRANSFORMATION: Transformation = Transformation {
    name: "length",
    aliases: &[],
    doc: "Puts the number of bytes, in decimal, in place of the value.",
    trigger: Trigger::Always,
    apply,
};

fn apply(value: &[u8], output: &mut Vec<u8>) -> bool {
    let _ = write!(output, "{}", value.len());
    output != value
}
