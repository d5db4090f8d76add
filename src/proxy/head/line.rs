//! The request line.

use std::ops::Range;

use bytes::Bytes;

use super::fields::is_token;
use super::lanes::first_odd;
use super::{Refusal, refusal};
use crate::config::Limits;
use crate::transaction::Version;

/// The longest method that is taken for one.
const METHOD: usize = 32;

/// A request line, split.
pub(super) struct Line {
    pub(super) method: Bytes,
    pub(super) target: Range<usize>,
    pub(super) version: Version,
    /// One past its line feed.
    pub(super) end: usize,
}

/// Splits the first line of a head.
pub(super) fn parse(head: &[u8], limits: &Limits) -> Result<Line, Refusal> {
    if let Some(line) = plain(head).filter(|line| line.target.len() <= limits.target_bytes) {
        return Ok(line);
    }
    let feed = memchr::memchr(b'\n', head).ok_or(refusal::BAD_REQUEST_LINE)?;
    let line = match head.get(..feed).unwrap_or_default() {
        [line @ .., b'\r'] => line,
        line if limits.bare_line_feeds => line,
        _ => return Err(refusal::BARE_LINE_FEED),
    };
    let first = memchr::memchr(b' ', line).ok_or(refusal::BAD_REQUEST_LINE)?;
    let last = memchr::memrchr(b' ', line).ok_or(refusal::BAD_REQUEST_LINE)?;
    if last <= first {
        return Err(refusal::BAD_REQUEST_LINE);
    }
    let method = method(line.get(..first).unwrap_or_default())?;
    let version = version(line.get(last + 1..).unwrap_or_default())?;
    let target = line.get(first + 1..last).unwrap_or_default();
    check_target(target, limits)?;
    if &method[..] == b"CONNECT" {
        return Err(connect(target));
    }
    Ok(Line { method, target: first + 1..last, version, end: feed + 1 })
}

/// The line as nearly all requests have it, found sound in one pass; of any other it says nothing.
fn plain(head: &[u8]) -> Option<Line> {
    let (method, rest) = match head {
        [b'G', b'E', b'T', b' ', rest @ ..] => (&b"GET"[..], rest),
        [b'P', b'O', b'S', b'T', b' ', rest @ ..] => (&b"POST"[..], rest),
        _ => return None,
    };
    let (start, length) = (method.len() + 1, first_odd(rest).filter(|length| *length > 0)?);
    let after = rest.get(length..)?;
    let version = if after.starts_with(b" HTTP/1.1\r\n") {
        Version::Http11
    } else if after.starts_with(b" HTTP/1.0\r\n") {
        Version::Http10
    } else {
        return None;
    };
    let target = start..start + length;
    let end = target.end + b" HTTP/1.1\r\n".len();
    Some(Line { method: Bytes::from_static(method), target, version, end })
}

fn method(method: &[u8]) -> Result<Bytes, Refusal> {
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
fn check_target(target: &[u8], limits: &Limits) -> Result<(), Refusal> {
    if target.len() > limits.target_bytes {
        return Err(refusal::TARGET_TOO_LONG);
    }
    if target.is_empty() || first_odd(target).is_some() {
        return Err(refusal::BAD_TARGET);
    }
    Ok(())
}
