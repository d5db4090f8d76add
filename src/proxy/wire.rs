//! Heads as they are written. No name and no value can end its line, whoever made it.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::time::{Duration, SystemTime};

use bytes::BytesMut;

use super::head::is_token;
use crate::upstream::Framing;

/// A field; false, and nothing is written, if its name cannot be one. Control characters of the value
/// (which a script may have put there) become spaces.
#[must_use]
pub(super) fn field(out: &mut BytesMut, name: &[u8], value: &[u8]) -> bool {
    let sound = !name.is_empty() && is_token(name);
    if sound {
        known_field(out, name, value);
    }
    sound
}

/// A field whose name is known to be one.
pub(super) fn known_field(out: &mut BytesMut, name: &[u8], value: &[u8]) {
    out.reserve(name.len() + value.len() + 4);
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    let start = out.len();
    out.extend_from_slice(value);
    if value.iter().fold(false, |found, byte| found | is_control(*byte)) {
        let written = out.get_mut(start..).unwrap_or_default();
        written.iter_mut().filter(|byte| is_control(**byte)).for_each(|byte| *byte = b' ');
    }
    out.extend_from_slice(b"\r\n");
}

fn is_control(byte: u8) -> bool {
    (byte < b' ' && byte != b'\t') || byte == 0x7f
}

/// The first line of an answer; false, and nothing is written, if there is no such status.
#[must_use]
pub(super) fn status_line(out: &mut BytesMut, status: u16, reason: &[u8]) -> bool {
    let sound = (100..1000).contains(&status);
    if sound {
        let _ = write!(out, "HTTP/1.1 {status} ");
        out.extend(reason.iter().map(|byte| if is_control(*byte) { b' ' } else { *byte }));
        out.extend_from_slice(b"\r\n");
    }
    sound
}

/// What ends the head of an answer: its date, where its body ends, whether the connection goes on.
pub(super) fn end(out: &mut BytesMut, (length, framing): (Option<u64>, Framing), goes_on: bool) {
    date(out);
    match (length, framing) {
        (Some(length), _) => {
            let _ = write!(out, "Content-Length: {length}\r\n");
        }
        (None, Framing::Chunked) => out.extend_from_slice(b"Transfer-Encoding: chunked\r\n"),
        (None, _) => {}
    }
    let connection: &[u8] =
        if goes_on { b"Connection: keep-alive\r\n\r\n" } else { b"Connection: close\r\n\r\n" };
    out.extend_from_slice(connection);
}

/// `Date: Sun, 06 Nov 1994 08:49:37 GMT`, made once in a second.
fn date(out: &mut BytesMut) {
    thread_local! {
        static LATEST: RefCell<(u64, String)> = const { RefCell::new((0, String::new())) };
    }
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    LATEST.with_borrow_mut(|(second, line)| {
        if *second != now.as_secs() || line.is_empty() {
            *second = now.as_secs();
            let now = SystemTime::UNIX_EPOCH + Duration::from_secs(*second);
            *line = format!("Date: {}\r\n", httpdate::fmt_http_date(now));
        }
        out.extend_from_slice(line.as_bytes());
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(name: &str, value: &[u8]) -> Option<Vec<u8>> {
        let mut out = BytesMut::new();
        field(&mut out, name.as_bytes(), value).then(|| out.to_vec())
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
        let mut out = BytesMut::new();
        assert!(status_line(&mut out, 200, b"O\r\nK"));
        assert_eq!(&out[..], b"HTTP/1.1 200 O  K\r\n");
        assert!(!status_line(&mut out, 99, b"") && !status_line(&mut out, 1000, b""));
    }

    #[test]
    fn a_head_says_the_date_and_where_its_body_ends() {
        let ended = |length, framing| {
            let mut out = BytesMut::new();
            end(&mut out, (length, framing), true);
            String::from_utf8(out.to_vec()).unwrap()
        };
        let sized = ended(Some(7), Framing::Length(7));
        assert!(sized.starts_with("Date: ") && sized.contains(" GMT\r\n"), "{sized}");
        assert!(sized.ends_with("GMT\r\nContent-Length: 7\r\nConnection: keep-alive\r\n\r\n"));
        assert!(ended(None, Framing::Chunked).contains("\r\nTransfer-Encoding: chunked\r\n"));
        assert!(ended(None, Framing::UntilClose).contains("GMT\r\nConnection"));
    }
}
