//! The request line.

use bytes::Bytes;

use super::{Refusal, refusal};
use crate::config::Limits;
use crate::transaction::Version;

/// The longest method that is taken for one.
const METHOD: usize = 32;

/// A request line, split.
pub(super) struct Line {
    pub(super) method: Bytes,
    pub(super) target: Bytes,
    pub(super) version: Version,
}

pub(super) fn parse(line: &Bytes, limits: &Limits) -> Result<Line, Refusal> {
    let first = memchr::memchr(b' ', line).ok_or(refusal::BAD_REQUEST_LINE)?;
    let last = memchr::memrchr(b' ', line).ok_or(refusal::BAD_REQUEST_LINE)?;
    if last <= first {
        return Err(refusal::BAD_REQUEST_LINE);
    }
    let method = method(line.slice(..first))?;
    let version = version(&line.slice(last + 1..))?;
    let target = target(line.slice(first + 1..last), limits)?;
    Ok(Line { method, target, version })
}

fn method(method: Bytes) -> Result<Bytes, Refusal> {
    let known = |byte: &u8| byte.is_ascii_uppercase() || matches!(byte, b'-' | b'_');
    if method.is_empty() || method.len() > METHOD || !method.iter().all(known) {
        return Err(refusal::BAD_METHOD);
    }
    if &method[..] == b"CONNECT" {
        return Err(refusal::CONNECT);
    }
    Ok(method)
}

fn version(version: &[u8]) -> Result<Version, Refusal> {
    match version {
        b"HTTP/1.0" => Ok(Version::Http10),
        b"HTTP/1.1" => Ok(Version::Http11),
        _ => Err(refusal::BAD_VERSION),
    }
}

/// Visible ASCII only; a fragment is for the client alone.
fn target(target: Bytes, limits: &Limits) -> Result<Bytes, Refusal> {
    if target.len() > limits.target_bytes {
        return Err(refusal::TARGET_TOO_LONG);
    }
    let visible = |byte: &u8| byte.is_ascii_graphic() && *byte != b'#';
    if target.is_empty() || !target.iter().all(visible) {
        return Err(refusal::BAD_TARGET);
    }
    Ok(target)
}
