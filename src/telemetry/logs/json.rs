//! A line as one JSON object. It is UTF-8 whatever clients send: what is not becomes U+FFFD, and
//! control characters are escaped.

use std::fmt::Display;
use std::io::Write;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use time::OffsetDateTime;

use super::record::Record;
use super::rules;
use crate::telemetry::redaction;

/// Bytes of a target that are shown; the rest is cut off and `…` stands for it.
const TARGET_BYTES: usize = 8192;
/// Bytes of any other text of a client that are shown.
pub(super) const TEXT_BYTES: usize = 1024;
/// Header fields of a request that the event log shows.
const EVENT_FIELDS: usize = 64;

/// The line of an access log.
pub(super) fn access_line(record: &Record<'_>) -> Bytes {
    let mut object = Object::with_capacity(640);
    add_exchange(&mut object, record);
    object.end()
}

/// The line of the event log: as that of an access log, and the request's header fields.
pub(super) fn event_line(record: &Record<'_>) -> Bytes {
    let mut object = Object::with_capacity(1536);
    add_exchange(&mut object, record);
    object.list("headers", record.fields.first(EVENT_FIELDS), |out, (name, value)| {
        out.push(b'[');
        escape(out, name, TEXT_BYTES);
        out.push(b',');
        escape(out, &redaction::field(name, value), TEXT_BYTES);
        out.push(b']');
    });
    rules::add(&mut object, record.findings);
    object.end()
}

fn add_exchange(object: &mut Object, record: &Record<'_>) {
    object.time("time", record.at);
    object.text("id", record.id);
    object.address("client", Some(record.client));
    object.raw("method", Some(record.method), TEXT_BYTES);
    object.raw("host", record.fields.get("host"), TEXT_BYTES);
    object.raw("path", Some(record.path), TARGET_BYTES);
    object.raw("query", record.query.map(redaction::query).as_deref(), TARGET_BYTES);
    object.raw("protocol", Some(record.protocol), TEXT_BYTES);
    object.number("status", Some(record.status));
    object.number("bytes_sent", Some(record.bytes_sent));
    object.number("bytes_received", Some(record.bytes_received));
    object.seconds("duration", Some(record.duration));
    object.text("upstream", record.upstream);
    object.address("peer", record.peer);
    object.number("upstream_status", record.upstream_status);
    object.seconds("upstream_time", record.upstream_time);
    object.text("route", record.route);
    object.text("verdict", Some(record.verdict.as_str()));
    object.text("reason", record.reason);
    object.boolean("completed", record.completed);
    object.raw("user_agent", record.fields.get("user-agent"), TEXT_BYTES);
    object.raw(
        "referer",
        record.fields.get("referer").map(redaction::target).as_deref(),
        TEXT_BYTES,
    );
}

/// A JSON object that is being written; keys are ours and need no escapes.
pub(super) struct Object {
    bytes: Vec<u8>,
}

impl Object {
    pub(super) fn with_capacity(capacity: usize) -> Self {
        Self { bytes: Vec::with_capacity(capacity) }
    }

    fn key(&mut self, key: &'static str) {
        self.bytes.extend_from_slice(if self.bytes.is_empty() { b"{\"" } else { b",\"" });
        self.bytes.extend_from_slice(key.as_bytes());
        self.bytes.extend_from_slice(b"\":");
    }

    pub(super) fn raw(&mut self, key: &'static str, value: Option<&[u8]>, limit: usize) {
        self.key(key);
        match value {
            Some(value) => escape(&mut self.bytes, value, limit),
            None => self.bytes.extend_from_slice(b"null"),
        }
    }

    pub(super) fn text(&mut self, key: &'static str, value: Option<&str>) {
        self.raw(key, value.map(str::as_bytes), TEXT_BYTES);
    }

    fn address(&mut self, key: &'static str, address: Option<impl Display>) {
        self.key(key);
        let _ = match address {
            Some(address) => write!(self.bytes, "\"{address}\""),
            None => self.bytes.write_all(b"null"),
        };
    }

    pub(super) fn number(&mut self, key: &'static str, number: Option<impl Display>) {
        self.key(key);
        let _ = match number {
            Some(number) => write!(self.bytes, "{number}"),
            None => self.bytes.write_all(b"null"),
        };
    }

    /// To the microsecond.
    fn seconds(&mut self, key: &'static str, duration: Option<Duration>) {
        let Some(duration) = duration else { return self.number(key, None::<u64>) };
        self.key(key);
        let _ = write!(self.bytes, "{}.", duration.as_secs());
        digits(&mut self.bytes, duration.subsec_micros(), 6);
    }

    pub(super) fn boolean(&mut self, key: &'static str, value: bool) {
        self.number(key, Some(value));
    }

    /// A list of what `write` makes of each item.
    pub(super) fn list<T>(
        &mut self,
        key: &'static str,
        items: impl IntoIterator<Item = T>,
        write: impl Fn(&mut Vec<u8>, T),
    ) {
        self.key(key);
        self.bytes.push(b'[');
        for (index, item) in items.into_iter().enumerate() {
            if index > 0 {
                self.bytes.push(b',');
            }
            write(&mut self.bytes, item);
        }
        self.bytes.push(b']');
    }

    /// An object, or null.
    pub(super) fn object(&mut self, key: &'static str, inner: Option<Self>) {
        self.key(key);
        self.bytes.extend_from_slice(&inner.map_or(Bytes::from_static(b"null"), Self::end));
    }

    fn time(&mut self, key: &'static str, at: SystemTime) {
        self.key(key);
        self.bytes.push(b'"');
        write_time(&mut self.bytes, at);
        self.bytes.push(b'"');
    }

    pub(super) fn end(mut self) -> Bytes {
        self.bytes.extend_from_slice(b"}");
        self.bytes.into()
    }
}

/// RFC 3339 in UTC, to the millisecond.
pub(super) fn write_time(out: &mut Vec<u8>, at: SystemTime) {
    let at = OffsetDateTime::from(at);
    let (date, (hour, minute, second, millisecond)) = (at.date(), at.time().as_hms_milli());
    digits(out, date.year().unsigned_abs(), 4);
    for (before, number) in [
        (b'-', date.month().into()),
        (b'-', date.day()),
        (b'T', hour),
        (b':', minute),
        (b':', second),
    ] {
        out.push(before);
        digits(out, number.into(), 2);
    }
    out.push(b'.');
    digits(out, millisecond.into(), 3);
    out.push(b'Z');
}

/// A number with leading zeros: a third of the cost of `write!`, and each line has eight of them.
fn digits(out: &mut Vec<u8>, number: u32, width: u32) {
    for place in (0..width).rev() {
        out.push(b'0' + (number / 10_u32.pow(place) % 10) as u8);
    }
}

/// A JSON string of at most so many bytes of `text`, without secrets.
pub(super) fn escape(out: &mut Vec<u8>, text: &[u8], limit: usize) {
    let text = &*redaction::secrets(text);
    let shown = text.get(..limit).unwrap_or(text);
    out.push(b'"');
    if shown.len() == text.len() && shown.iter().copied().all(is_plain) {
        out.extend_from_slice(shown);
        return out.push(b'"');
    }
    for chunk in shown.utf8_chunks() {
        escape_str(out, chunk.valid());
        // Where the cut went through a character, nothing was wrong with it.
        let is_cut = shown.len() < text.len() && is_end_of(chunk.invalid(), shown);
        if !chunk.invalid().is_empty() && !is_cut {
            out.extend_from_slice("\u{fffd}".as_bytes());
        }
    }
    if shown.len() < text.len() {
        out.extend_from_slice("…".as_bytes());
    }
    out.push(b'"');
}

/// Most text is of such bytes only.
fn is_plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\')
}

fn is_end_of(part: &[u8], whole: &[u8]) -> bool {
    part.as_ptr_range().end == whole.as_ptr_range().end
}

fn escape_str(out: &mut Vec<u8>, text: &str) {
    for character in text.chars() {
        match character {
            '"' => out.extend_from_slice(b"\\\""),
            '\\' => out.extend_from_slice(b"\\\\"),
            other if needs_escape(other) => {
                let _ = write!(out, "\\u{:04x}", u32::from(other));
            }
            other => out.extend_from_slice(other.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
}

/// What JSON wants escaped, and what terminals and viewers would act on.
fn needs_escape(character: char) -> bool {
    matches!(character, '"' | '\\' | '\u{2028}' | '\u{2029}') || character.is_control()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::{escape, write_time};

    fn escaped(text: &[u8], limit: usize) -> String {
        let mut out = Vec::new();
        escape(&mut out, text, limit);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn any_bytes_are_a_json_string() {
        let every: Vec<u8> = (0..=255).chain(0..=255).collect();
        let text: String = serde_json::from_str(&escaped(&every, 1000)).unwrap();
        assert!(text.starts_with('\0') && text.contains('~') && text.contains('\u{fffd}'));
        assert!(!escaped(&every, 1000).contains(char::is_control));
    }

    #[test]
    fn text_comes_back_as_it_was() {
        for text in ["", "plain", "a\"b\\c", "line\nend\r\t", "\u{7f}\u{9b}\u{2028}", "é 漢 🌙"]
        {
            let back: String = serde_json::from_str(&escaped(text.as_bytes(), 100)).unwrap();
            assert_eq!(back, text);
        }
    }

    #[test]
    fn a_long_text_is_cut_at_a_character() {
        assert_eq!(escaped("aé".as_bytes(), 2), "\"a…\"");
        assert_eq!(escaped(b"a\xff\xffb", 3), "\"a\u{fffd}…\"");
    }

    #[test]
    fn time_is_rfc_3339_to_the_millisecond() {
        let mut out = Vec::new();
        write_time(&mut out, SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_042));
        assert_eq!(out, b"2023-11-14T22:13:20.042Z");
    }
}
