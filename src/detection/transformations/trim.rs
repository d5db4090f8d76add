//! `t:trim`: without blanks at both ends.

use super::bytes::{is_space, run};
use super::{Transformation, Trigger};

pub(super) const TRANSFORMATION: Transformation = Transformation {
    name: "trim",
    aliases: &[],
    doc: "Removes blanks at both ends.",
    trigger: Trigger::Bytes(is_space),
    apply,
};

fn apply(value: &[u8], output: &mut Vec<u8>) -> bool {
    let trimmed = right(left(value));
    let changes = trimmed.len() != value.len();
    if changes {
        output.extend_from_slice(trimmed);
    }
    changes
}

/// Without blanks at the beginning.
pub(super) fn left(value: &[u8]) -> &[u8] {
    value.get(run(value, usize::MAX, is_space)..).unwrap_or_default()
}

/// Without blanks at the end.
pub(super) fn right(value: &[u8]) -> &[u8] {
    let end = value.iter().rposition(|byte| !is_space(*byte)).map_or(0, |last| last + 1);
    value.get(..end).unwrap_or_default()
}
