//! The request line.

use bytes::Bytes;

use super::fields::is_token;
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

/// Splits the first line of a head, which ends with the line feed at `feed`.
pub(super) fn parse(head: &Bytes, feed: usize, limits: &Limits) -> Result<Line, Refusal> {
    let line = head.get(..feed).unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let first = memchr::memchr(b' ', line).ok_or(refusal::BAD_REQUEST_LINE)?;
    let last = memchr::memrchr(b' ', line).ok_or(refusal::BAD_REQUEST_LINE)?;
    if last <= first {
        return Err(refusal::BAD_REQUEST_LINE);
    }
    let method = method(line.get(..first).unwrap_or_default())?;
    let version = version(line.get(last + 1..).unwrap_or_default())?;
    let target = target(head.slice(first + 1..last), limits)?;
    if &method[..] == b"CONNECT" {
        return Err(connect(&target));
    }
    Ok(Line { method, target, version })
}

fn method(method: &[u8]) -> Result<Bytes, Refusal> {
    // What nearly all are has no need of being looked at, nor of memory.
    match method {
        b"GET" => return Ok(Bytes::from_static(b"GET")),
        b"POST" => return Ok(Bytes::from_static(b"POST")),
        _ => {}
    }
    let known = |byte: &u8| is_token(&[*byte]) && !byte.is_ascii_lowercase();
    if method.is_empty() || method.len() > METHOD || !method.iter().all(known) {
        return Err(refusal::BAD_METHOD);
    }
    Ok(Bytes::copy_from_slice(method))
}

/// We are no proxy of the forward kind; and what names no host and port is no CONNECT at all.
fn connect(target: &[u8]) -> Refusal {
    let port = memchr::memrchr(b':', target).and_then(|colon| target.get(colon + 1..));
    match port {
        Some(port) if !port.is_empty() && port.iter().all(u8::is_ascii_digit) => refusal::CONNECT,
        _ => refusal::BAD_TARGET,
    }
}

fn version(version: &[u8]) -> Result<Version, Refusal> {
    match version {
        b"HTTP/1.0" => Ok(Version::Http10),
        b"HTTP/1.1" => Ok(Version::Http11),
        _ => Err(refusal::BAD_VERSION),
    }
}

/// No blanks, no control characters; a fragment is for the client alone. What should have been
/// percent-encoded and is not has one meaning only: it passes as it is, and is encoded on its way
/// ([`super::encoded`]).
#[allow(clippy::needless_bitwise_bool, reason = "without branches it is done many bytes at once")]
fn target(target: Bytes, limits: &Limits) -> Result<Bytes, Refusal> {
    if target.len() > limits.target_bytes {
        return Err(refusal::TARGET_TOO_LONG);
    }
    let odd = |byte: u8| (byte <= b' ') | (byte == 0x7f) | (byte == b'#');
    if target.is_empty() || target.iter().fold(false, |found, byte| found | odd(*byte)) {
        return Err(refusal::BAD_TARGET);
    }
    Ok(target)
}
