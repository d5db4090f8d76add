//! `t:trimLeft`: without blanks at the beginning.

use super::bytes::is_space;
use super::trim::left;
use super::{Transformation, Trigger};

pub(super) const TRANSFORMATION: Transformation = Transformation {
    name: "trimLeft",
    aliases: &[],
    doc: "Removes blanks at the beginning.",
    trigger: Trigger::Bytes(is_space),
    apply,
};

fn apply(value: &[u8], output: &mut Vec<u8>) -> bool {
    let trimmed = left(value);
    let changes = trimmed.len() != value.len();
    if changes {
        output.extend_from_slice(trimmed);
    }
    changes
}
