//! `t:trimRight`: without blanks at the end.

use super::bytes::is_space;
use super::trim::right;
use super::{Transformation, Trigger};

pub(super) const TRANSFORMATION: Transformation = Transformation {
    name: "trimRight",
    aliases: &[],
    doc: "Removes blanks at the end.",
    trigger: Trigger::Bytes(is_space),
    apply,
};

fn apply(value: &[u8], output: &mut Vec<u8>) -> bool {
    let trimmed = right(value);
    let changes = trimmed.len() != value.len();
    if changes {
        output.extend_from_slice(trimmed);
    }
    changes
}
