//! Heads as they are written. No name and no value can end its line, whoever made it.

use std::cell::RefCell;
use std::io::Write as _;
use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use super::head::is_token;
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
    if value.iter().fold(false, |found, byte| found | is_control(*byte)) {
        let start = out.len() - value.len() - 2;
        let written = out.get_mut(start..start + value.len()).unwrap_or_default();
        written.iter_mut().filter(|byte| is_control(**byte)).for_each(|byte| *byte = b' ');
    }
}

/// A field that the guard read, or one of ours.
pub(super) fn known_field(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    for part in [name, b": ", value, b"\r\n"] {
        out.extend_from_slice(part);
    }
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
        out.extend(reason.iter().map(|byte| if is_control(*byte) { b' ' } else { *byte }));
        out.extend_from_slice(b"\r\n");
    }
    sound
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
    if number >= 10 {
        self::number(out, number / 10);
    }
    out.push(b'0' + (number % 10) as u8);
}

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

/// `Date: Sun, 06 Nov 1994 08:49:37 GMT`, made once in a second.
fn date(out: &mut Vec<u8>) {
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
            let mut out = Vec::new();
            number(&mut out, known);
            assert_eq!(out, known.to_string().as_bytes());
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
