//! A line in the format that Apache calls `combined` and nginx has by that name.

use std::io::Write;

use bytes::Bytes;
use time::OffsetDateTime;

use super::record::Record;
use crate::telemetry::redaction;

/// Bytes of a target that are shown.
const TARGET_BYTES: usize = 8192;
/// Bytes of any other text of a client that are shown.
const TEXT_BYTES: usize = 1024;
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// `client - - [time] "request" status bytes "referer" "agent"`, the time in UTC.
pub(super) fn line(record: &Record<'_>) -> Bytes {
    let mut line = Vec::with_capacity(320);
    let _ = write!(line, "{} - - [", record.client);
    write_time(&mut line, record.at.into());
    line.extend_from_slice(b"] \"");
    write_request(&mut line, record);
    let _ = write!(line, "\" {:03} {} \"", record.status, record.bytes_sent);
    let referer = record.fields.get("referer").map(redaction::target);
    escape(&mut line, referer.as_deref().unwrap_or(b"-"), TEXT_BYTES);
    line.extend_from_slice(b"\" \"");
    escape(&mut line, record.fields.get("user-agent").unwrap_or(b"-"), TEXT_BYTES);
    line.push(b'"');
    line.into()
}

fn write_request(line: &mut Vec<u8>, record: &Record<'_>) {
    escape(line, record.method, TEXT_BYTES);
    line.push(b' ');
    escape(line, record.path, TARGET_BYTES);
    if let Some(query) = record.query {
        line.push(b'?');
        escape(line, &redaction::query(query), TARGET_BYTES);
    }
    line.push(b' ');
    escape(line, record.protocol, TEXT_BYTES);
}

/// `22/Nov/2026:12:40:58 +0000`
fn write_time(line: &mut Vec<u8>, at: OffsetDateTime) {
    let (date, time) = (at.date(), at.time());
    let month = MONTHS.get(usize::from(u8::from(date.month())) - 1).unwrap_or(&"");
    let (day, year) = (date.day(), date.year());
    let (hour, minute, second) = time.as_hms();
    let _ = write!(line, "{day:02}/{month}/{year}:{hour:02}:{minute:02}:{second:02} +0000");
}

/// As nginx does: quotes, backslashes and what is not printable ASCII become `\xXX`.
fn escape(line: &mut Vec<u8>, text: &[u8], limit: usize) {
    let text = &*redaction::secrets(text);
    for byte in text.get(..limit).unwrap_or(text) {
        match byte {
            b'"' | b'\\' | 0..=31 | 127.. => {
                let _ = write!(line, "\\x{byte:02X}");
            }
            plain => line.push(*plain),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::escape;

    #[test]
    fn a_client_cannot_end_a_quoted_text() {
        let mut line = Vec::new();
        escape(&mut line, b"a\" \\\n\x7f\xe9", 100);
        assert_eq!(line, b"a\\x22 \\x5C\\x0A\\x7F\\xE9");
    }
}
