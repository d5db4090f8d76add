//! Heads as they are written. No name and no value can end its line, whoever made it.

use std::cell::RefCell;
use std::io::Write as _;
use std::net::IpAddr;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;

use super::head::{first_control, is_token};
use crate::shared::about_now;
use crate::transaction::reason;
use crate::upstream::Framing;

/// A field; false, and nothing is written, if its name cannot be one.
#[must_use]
pub(super) fn field(out: &mut Vec<u8>, name: &[u8], value: &[u8]) -> bool {
    let sound = !name.is_empty() && is_token(name);
    if sound {
        tame_field(out, name, value);
    }
    sound
}

/// A field whose name is known to be one. Control characters of the value (which a script may have
/// put there, or an upstream) become spaces.
pub(super) fn tame_field(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    known_field(out, name, value);
    if has_control(value) {
        let start = out.len() - value.len() - 2;
        out.truncate(start + value.len());
        tame(out, start);
        out.extend_from_slice(b"\r\n");
    }
}

/// What was written from `start` on has no control characters then.
fn tame(out: &mut [u8], start: usize) {
    let written = out.get_mut(start..).unwrap_or_default();
    written.iter_mut().filter(|byte| is_control(**byte)).for_each(|byte| *byte = b' ');
}

/// Whether there may be a control character.
fn has_control(bytes: &[u8]) -> bool {
    first_control(bytes).is_some()
}

/// A field that the guard read, or one of ours.
pub(super) fn known_field(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    out.reserve(name.len() + value.len() + 4);
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

fn is_control(byte: u8) -> bool {
    (byte < b' ' && byte != b'\t') || byte == 0x7f
}

/// The first line of an answer; false, and nothing is written, if there is no such status.
#[must_use]
pub(super) fn status_line(out: &mut Vec<u8>, status: u16, reason: &[u8]) -> bool {
    let sound = (100..1000).contains(&status);
    if sound {
        out.extend_from_slice(b"HTTP/1.1 ");
        number(out, status.into());
        out.push(b' ');
        let start = out.len();
        out.extend_from_slice(reason);
        if has_control(reason) {
            tame(out, start);
        }
        out.extend_from_slice(b"\r\n");
    }
    sound
}

/// The first line of an answer of ours, in the standard words; false, and nothing is written, if there
/// is no such status.
#[must_use]
pub(super) fn own_status_line(out: &mut Vec<u8>, status: u16) -> bool {
    if status == 200 {
        out.extend_from_slice(b"HTTP/1.1 200 OK\r\n");
        return true;
    }
    status_line(out, status, reason(status).as_bytes())
}

/// What ends the head of an answer: its date, where its body ends, whether the connection goes on.
pub(super) fn end(out: &mut Vec<u8>, (length, framing): (Option<u64>, Framing), goes_on: bool) {
    date(out);
    match (length, framing) {
        (Some(length), _) => {
            content_length(out, length);
        }
        (None, Framing::Chunked) => out.extend_from_slice(b"Transfer-Encoding: chunked\r\n"),
        (None, _) => {}
    }
    let connection: &[u8] =
        if goes_on { b"Connection: keep-alive\r\n\r\n" } else { b"Connection: close\r\n\r\n" };
    out.extend_from_slice(connection);
}

/// The field of that name.
pub(super) fn content_length(out: &mut Vec<u8>, length: u64) {
    out.extend_from_slice(b"Content-Length: ");
    number(out, length);
    out.extend_from_slice(b"\r\n");
}

/// In decimal digits. (What formats anything takes several times as long.)
fn number(out: &mut Vec<u8>, number: u64) {
    digits::<10>(out, number);
}

/// The line before a chunk of so many bytes.
pub(super) fn chunk_length(out: &mut Vec<u8>, length: usize) {
    digits::<16>(out, length as u64);
    out.extend_from_slice(b"\r\n");
}

fn digits<const BASE: u64>(out: &mut Vec<u8>, mut number: u64) {
    let mut digits = [b'0'; MOST_DIGITS];
    let mut length = 0;
    for place in digits.iter_mut().rev() {
        let digit = (number % BASE) as u8;
        *place = if digit < 10 { b'0' + digit } else { b'a' - 10 + digit };
        number /= BASE;
        length += 1;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(MOST_DIGITS - length..).unwrap_or_default());
}

/// Of the longest number in tens.
const MOST_DIGITS: usize = 20;

/// As it is usually written.
pub(super) fn address(out: &mut Vec<u8>, address: IpAddr) {
    let IpAddr::V4(address) = address else {
        let _ = write!(out, "{address}");
        return;
    };
    for (index, part) in address.octets().into_iter().enumerate() {
        if index > 0 {
            out.push(b'.');
        }
        number(out, part.into());
    }
}

/// `Date: Sun, 06 Nov 1994 08:49:37 GMT`.
fn date(out: &mut Vec<u8>) {
    known_field(out, b"Date", &now());
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`: made once in a second, and late by a tick at most, for the clock is
/// read once in a tick.
pub(super) fn now() -> Bytes {
    thread_local! {
        static LATEST: RefCell<Option<Latest>> = const { RefCell::new(None) };
    }
    let moment = about_now();
    LATEST.with_borrow_mut(|latest| match latest {
        Some(latest) if latest.moment == moment => latest.text.clone(),
        latest => {
            let made = Latest::at(moment, latest.take());
            latest.insert(made).text.clone()
        }
    })
}

/// A date as it is written.
struct Latest {
    /// When it was looked whether it is still so.
    moment: Instant,
    /// Since 1970.
    second: u64,
    text: Bytes,
}

impl Latest {
    fn at(moment: Instant, before: Option<Self>) -> Self {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let second = now.as_secs();
        let text = match before {
            Some(before) if before.second == second => before.text,
            _ => {
                httpdate::fmt_http_date(SystemTime::UNIX_EPOCH + Duration::from_secs(second)).into()
            }
        };
        Self { moment, second, text }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(name: &str, value: &[u8]) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        field(&mut out, name.as_bytes(), value).then(|| out.clone())
    }

    #[test]
    fn no_value_can_end_its_line() {
        let tamed = written("A", b"a\r\nSet-Cookie: b\0").unwrap();
        assert_eq!(tamed, b"A: a  Set-Cookie: b \r\n");
        assert_eq!(written("a", b"caf\xc3\xa9\t.").unwrap(), b"a: caf\xc3\xa9\t.\r\n");
    }

    #[test]
    fn no_name_can_end_its_line() {
        for name in ["", "a b", "a:", "a\r\nb", "a\n", "caf\u{e9}"] {
            assert_eq!(written(name, b"1"), None, "{name:?}");
        }
    }

    #[test]
    fn no_reason_can_end_its_line() {
        let mut out = Vec::new();
        assert!(status_line(&mut out, 200, b"O\r\nK"));
        assert_eq!(&out[..], b"HTTP/1.1 200 O  K\r\n");
        assert!(!status_line(&mut out, 99, b"") && !status_line(&mut out, 1000, b""));
    }

    #[test]
    fn numbers_and_addresses_are_written_as_everywhere() {
        for known in [0, 7, 10, 199, 65_536, u64::MAX] {
            let (mut out, mut chunk) = (Vec::new(), Vec::new());
            number(&mut out, known);
            assert_eq!(out, known.to_string().as_bytes());
            chunk_length(&mut chunk, known as usize);
            assert_eq!(chunk, format!("{known:x}\r\n").as_bytes());
        }
        for known in ["0.0.0.0", "192.0.2.255", "2001:db8::1"] {
            let mut out = Vec::new();
            address(&mut out, known.parse().unwrap());
            assert_eq!(out, known.as_bytes());
        }
    }

    #[test]
    fn a_head_says_the_date_and_where_its_body_ends() {
        let ended = |length, framing| {
            let mut out = Vec::new();
            end(&mut out, (length, framing), true);
            String::from_utf8(out.clone()).unwrap()
        };
        let sized = ended(Some(7), Framing::Length(7));
        assert!(sized.starts_with("Date: ") && sized.contains(" GMT\r\n"), "{sized}");
        assert!(sized.ends_with("GMT\r\nContent-Length: 7\r\nConnection: keep-alive\r\n\r\n"));
        assert!(ended(None, Framing::Chunked).contains("\r\nTransfer-Encoding: chunked\r\n"));
        assert!(ended(None, Framing::UntilClose).contains("GMT\r\nConnection"));
    }
}
