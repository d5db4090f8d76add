//! `t:normalizePathWin`: the same, and a backslash separates too.

use memchr::memchr;

use super::normalize_path::{is_normal, normalize};
use super::{Transformation, Trigger};

pub(super) const TRANSFORMATION: Transformation = Transformation {
    name: "normalizePathWin",
    aliases: &["normalisePathWin"],
    doc: "Makes `/` of each backslash, then does what `normalizePath` does.",
    trigger: Trigger::Bytes(|byte| matches!(byte, b'.' | b'/' | b'\\')),
    apply,
};

fn apply(value: &[u8], output: &mut Vec<u8>) -> bool {
    if memchr(b'\\', value).is_none() && is_normal(value) {
        return false;
    }
    normalize(value, output, |byte| matches!(byte, b'/' | b'\\'));
    output != value
}
