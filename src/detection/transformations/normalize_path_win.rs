//! `t:normalizePathWin`: the same, and a backslash separates too.

use super::normalize_path::normalize;
use super::{Transformation, Trigger};

pub(super) const TRANSFORMATION: Transformation = Transformation {
    name: "normalizePathWin",
    aliases: &["normalisePathWin"],
    doc: "Makes `/` of each backslash, then does what `normalizePath` does.",
    trigger: Trigger::Bytes(|byte| matches!(byte, b'.' | b'/' | b'\\')),
    apply,
};

fn apply(value: &[u8], output: &mut Vec<u8>) -> bool {
    normalize(value, output, |byte| matches!(byte, b'/' | b'\\'));
    output != value
}
