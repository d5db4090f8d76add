//! Why a request's head was refused, as nginx's error log tells it.

use super::error_log;
use super::events::HeadRefused;

/// `ngx.INFO`.
const INFO: i64 = 7;
/// Bytes of a field that are shown.
const SHOWN: usize = 100;

/// Writes it to the error log.
pub(super) fn tell(refused: &HeadRefused<'_>) {
    if !error_log::wants(INFO) {
        return;
    }
    let address = refused.client.ip();
    let message = format!("{}, client: {address}", words(refused.reason, refused.head));
    error_log::write(INFO, &message, None, None);
}

fn words(reason: &str, head: &[u8]) -> String {
    let (what, place) = match reason {
        "guard::bad_field_name" | "guard::bad_field_value" | "guard::folded_field" => {
            (format!("invalid header line: \"{}...\"", faulty(head)), FIELDS)
        }
        "guard::bad_host" => ("invalid host header".to_owned(), FIELDS),
        "guard::bad_method" => ("invalid method".to_owned(), LINE),
        "guard::bad_version" => ("invalid version".to_owned(), LINE),
        "guard::head_too_large" | "guard::too_many_fields" => {
            ("too large request".to_owned(), FIELDS)
        }
        "guard::no_host" => ("HTTP/1.1 request without \"Host\" header".to_owned(), FIELDS),
        "guard::target_too_long" => ("too long URI".to_owned(), LINE),
        "guard::two_hosts" => ("duplicate host header".to_owned(), FIELDS),
        _ => ("invalid request".to_owned(), LINE),
    };
    format!("client sent {what} while reading client request {place}")
}

const FIELDS: &str = "headers";
const LINE: &str = "line";

/// The first field that is none, up to the byte that makes it so.
fn faulty(head: &[u8]) -> String {
    let lines = head.split(|byte| *byte == b'\n').skip(1);
    let lines = lines.map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let found = lines.filter(|line| !line.is_empty()).find_map(|line| {
        let at = fault(line)?;
        Some((line.get(..at.min(SHOWN)).unwrap_or(line), line.get(at).copied()))
    });
    let (before, byte) = found.unwrap_or_default();
    let byte = byte.map(|byte| format!("\\x{byte:02x}")).unwrap_or_default();
    format!("{}{byte}", before.escape_ascii())
}

/// Where a line stops being a field, if it does.
fn fault(line: &[u8]) -> Option<usize> {
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    let name = line.iter().take_while(|byte| is_name(byte)).count();
    if name == 0 || line.get(name) != Some(&b':') {
        return Some(name);
    }
    line.iter().position(|byte| (*byte < b' ' && *byte != b'\t') || *byte == 0x7f)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_head_is_told_in_nginxs_words() {
        let folded = b"GET / HTTP/1.1\r\nHost: a\r\nFoo: bar\r\n  baz\r\n\r\n";
        for (reason, head, wanted) in [
            (
                "guard::folded_field",
                &folded[..],
                "client sent invalid header line: \"\\x20...\" while reading client request headers",
            ),
            (
                "guard::bad_field_value",
                b"GET / HTTP/1.1\r\nA: b\0c\r\n\r\n",
                "client sent invalid header line: \"A: b\\x00...\" while reading client request headers",
            ),
            (
                "guard::bad_method",
                b"GeT / HTTP/1.1\r\n\r\n",
                "client sent invalid method while reading client request line",
            ),
        ] {
            assert_eq!(words(reason, head), wanted);
        }
    }
}
