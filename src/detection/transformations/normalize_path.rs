//! `t:normalizePath`: a path without empty parts, `.` and `..`.
//!
//! Unlike in ModSecurity, only `..` alone goes up (`foo..` is a name), a relative path may go up by
//! any number of parts, and the root stays `/`.

use super::bytes::has_pair;
use super::{Transformation, Trigger};

pub(super) const TRANSFORMATION: Transformation = Transformation {
    name: "normalizePath",
    aliases: &["normalisePath"],
    doc: "Takes empty parts, `.` and `..` with the part before it out of a path.",
    trigger: Trigger::Bytes(|byte| matches!(byte, b'.' | b'/')),
    apply,
};

fn apply(value: &[u8], output: &mut Vec<u8>) -> bool {
    if is_normal(value) {
        return false;
    }
    normalize(value, output, |byte| byte == b'/');
    output != value
}

/// Whether no part is empty or begins or ends with a dot, so that none can go: most paths are such.
pub(super) fn is_normal(path: &[u8]) -> bool {
    let odd = |one, next| matches!((one, next), (b'/', b'/' | b'.') | (b'.', b'/'));
    path != b"." && !has_pair(path, odd)
}

/// Appends a path without empty parts, `.` and `..`, all separators as `/`. Above the root of an
/// absolute path is nothing; a relative one may begin with `..`. A separator at the end stays.
pub(super) fn normalize(path: &[u8], output: &mut Vec<u8>, separates: impl Fn(u8) -> bool) {
    let absolute = path.first().is_some_and(|byte| separates(*byte));
    let closed = path.last().is_some_and(|byte| separates(*byte));
    // Where the parts that a `..` can take back begin.
    let mut floor = 0;
    for part in path.split(|byte| separates(*byte)) {
        match part {
            b"" | b"." => {}
            b".." if output.len() > floor => {
                let before = output.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
                output.truncate(before.max(floor));
            }
            b".." if absolute => {}
            _ => {
                if absolute || !output.is_empty() {
                    output.push(b'/');
                }
                output.extend_from_slice(part);
                if part == b".." {
                    floor = output.len();
                }
            }
        }
    }
    if closed && (absolute || !output.is_empty()) || absolute && output.is_empty() {
        output.push(b'/');
    }
}
