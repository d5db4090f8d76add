//! A request head's raw bytes, checked and split one way only.
//!
//! Parsers accept, repair or drop some of what is refused here; between two parsers that differ,
//! requests are smuggled. So what can be read in two ways is answered with 400, and what goes on to
//! the upstream is written anew from what was read here.

mod fields;
mod lanes;
mod line;

use std::borrow::Cow;

use bytes::Bytes;

pub(in crate::proxy) use fields::is_token;
pub(in crate::proxy) use lanes::first_control;

use fields::{Fields, Origin};
use lanes::feeds;
use line::Line;

use crate::config::Limits;
use crate::transaction::{Headers, Places, Request};

/// Why a head is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    /// What the client is answered.
    pub status: u16,
    /// One of [`REASONS`].
    pub reason: &'static str,
}

macro_rules! refusals {
    ($($name:ident $status:literal $reason:literal,)*) => {
        /// Every way in which a head can be refused.
        pub mod refusal {
            use super::Refusal;
            $(
                #[doc = concat!("`", $reason, "`, answered with ", $status)]
                pub const $name: Refusal = Refusal { status: $status, reason: $reason };
            )*
        }
        /// The reasons, for tables and label sets.
        pub const REASONS: &[&str] = &[$($reason,)*];
    };
}

refusals! {
    BAD_CONNECTION_OPTION 400 "guard::connection_names_framing",
    BAD_CONTENT_LENGTH 400 "guard::bad_content_length",
    BAD_HOST 400 "guard::bad_host",
    BAD_METHOD 400 "guard::bad_method",
    BAD_NAME 400 "guard::bad_field_name",
    BAD_REQUEST_LINE 400 "guard::bad_request_line",
    BAD_TARGET 400 "guard::bad_target",
    BAD_VALUE 400 "guard::bad_field_value",
    BAD_VERSION 400 "guard::bad_version",
    BARE_LINE_FEED 400 "guard::bare_line_feed",
    CONNECT 405 "guard::connect",
    FOLDED 400 "guard::folded_field",
    LENGTH_AND_CHUNKED 400 "guard::length_and_chunked",
    NO_HOST 400 "guard::no_host",
    NO_PROXY_HEADER 400 "guard::no_proxy_header",
    TARGET_TOO_LONG 414 "guard::target_too_long",
    TOO_LARGE 431 "guard::head_too_large",
    TOO_MANY_FIELDS 431 "guard::too_many_fields",
    TOO_SLOW 408 "guard::head_too_slow",
    TWO_BOUNDARIES 400 "guard::two_boundaries",
    TWO_HOSTS 400 "guard::two_hosts",
    TWO_LENGTHS 400 "guard::two_lengths",
    TRANSFER_CODING 501 "guard::transfer_coding",
    TRANSFER_CODING_1_0 400 "guard::transfer_coding_in_http_1_0",
}

/// Where the head ends (one past its empty line), if it does; `seen` bytes were looked at before.
///
/// # Errors
/// As soon as a line ends without a carriage return: some servers take that for an end, others
/// do not.
pub fn find_end(bytes: &[u8], seen: usize, limits: &Limits) -> Result<Option<usize>, Refusal> {
    if limits.bare_line_feeds {
        return Ok(find_any_end(bytes, seen));
    }
    let from = seen.saturating_sub(3);
    let rest = bytes.get(from..).unwrap_or_default();
    for feed in feeds(rest) {
        match rest.get(..feed).unwrap_or_default() {
            [.., b'\r', b'\n', b'\r'] => return Ok(Some(from + feed + 1)),
            [.., b'\r'] => {}
            // What stands before it was looked at the last time.
            [] if from > 0 => {}
            _ => return Err(refusal::BARE_LINE_FEED),
        }
    }
    Ok(None)
}

/// The same where lines may end with a line feed alone.
fn find_any_end(bytes: &[u8], seen: usize) -> Option<usize> {
    let from = seen.saturating_sub(2);
    let rest = bytes.get(from..).unwrap_or_default();
    memchr::memchr_iter(b'\n', rest).find_map(|feed| match rest.get(feed + 1..)? {
        [b'\n', ..] => Some(from + feed + 2),
        [b'\r', b'\n', ..] => Some(from + feed + 3),
        _ => None,
    })
}

/// What a head says, by places in its bytes.
pub struct Outline {
    line: Line,
    origin: Origin,
    places: Places,
    /// How many bytes the head has, its empty line included.
    pub end: usize,
}

impl Outline {
    /// Splits a head; what comes after it is not looked at.
    ///
    /// # Errors
    /// If there is more than one way to read it, or it is past a limit, or not whole. Whether it is
    /// whole [`find_end`] tells, and that goes first where it matters for what reason it is refused.
    #[inline]
    pub fn of(bytes: &[u8], limits: &Limits) -> Result<Self, Refusal> {
        let line = line::parse(bytes, limits)?;
        let Fields { places, telling, end } = fields::parse(bytes, line.end, limits)?;
        let target = bytes.get(line.target.clone()).unwrap_or_default();
        let origin = fields::check(target, &line, &telling)?;
        Ok(Self { line, origin, places, end })
    }

    /// The request of the head of which this is the outline.
    #[inline]
    pub fn request(self, head: Bytes) -> Request {
        let Line { method, target, version, .. } = self.line;
        let is_there = head.get(target.clone()).is_some();
        let target = if is_there { head.slice(target) } else { Bytes::new() };
        let headers = Headers::of_head(head.clone(), self.places);
        let origin = match self.origin {
            Origin::From(0) => None,
            Origin::From(start) => Some(target.slice(start.min(target.len())..)),
            Origin::Made(origin) => Some(origin),
        };
        let mut request = Request::new(method, target, version, headers);
        if let Some(origin) = origin {
            request.set_target(&origin);
        }
        request.raw_head = head;
        strip_upgrade_with_body(&mut request);
        request
    }
}

/// Splits a whole head (its empty line included).
///
/// # Errors
/// As [`Outline::of`].
pub fn parse(head: &Bytes, limits: &Limits) -> Result<Request, Refusal> {
    Ok(Outline::of(head, limits)?.request(head.clone()))
}

/// A target as it may stand in a request line: blanks, quotes, angle brackets and bytes beyond ASCII
/// percent-encoded, all else as it is.
pub(in crate::proxy) fn encoded(target: &[u8]) -> Cow<'_, [u8]> {
    let odd = |byte: &u8| matches!(byte, b' ' | b'"' | b'<' | b'>') | !byte.is_ascii();
    if !target.iter().fold(false, |found, byte| found | odd(byte)) {
        return Cow::Borrowed(target);
    }
    let mut encoded = Vec::with_capacity(target.len() + 16);
    for byte in target {
        match byte {
            byte if odd(byte) => encoded.extend_from_slice(format!("%{byte:02X}").as_bytes()),
            byte => encoded.push(*byte),
        }
    }
    Cow::Owned(encoded)
}

/// An upgrade that comes with a body would let the body pass unread behind the upgrade.
fn strip_upgrade_with_body(request: &mut Request) {
    let has_body = request.headers.contains("transfer-encoding")
        || request.headers.value("content-length").is_some_and(|length| length != b"0");
    if has_body {
        request.headers.remove("upgrade");
    }
}

#[cfg(test)]
mod tests;
