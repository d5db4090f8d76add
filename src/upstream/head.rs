//! The head of an upstream's response: where its fields stand, and what it says of the body.

use bytes::{Bytes, BytesMut};
use pingora_error::{Error, ErrorType, OrErr, Result};

use crate::transaction::Version;

/// Fields that are read at the most.
const FIELDS: usize = 256;
/// Bytes that a head may have.
const LONGEST: usize = 1 << 20;

/// The head of a response. It keeps its room for the next one.
#[derive(Debug)]
pub struct Head {
    /// As received, with the empty line.
    bytes: Bytes,
    fields: Vec<Field>,
    reason: Place,
    status: u16,
    version: Version,
    /// Which lengths the names have: most look-ups are for names that are not there.
    lengths: u64,
}

#[derive(Debug, Clone, Copy, Default)]
struct Field {
    name: Place,
    value: Place,
}

/// A place in the head's bytes, which are fewer than 4 GiB.
#[derive(Debug, Clone, Copy, Default)]
struct Place {
    start: u32,
    end: u32,
}

/// Where the body of a response ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// In chunks.
    Chunked,
    /// After this many bytes.
    Length(u64),
    /// There is none.
    Nothing,
    /// With the connection.
    UntilClose,
}

impl Default for Head {
    fn default() -> Self {
        Self {
            bytes: Bytes::new(),
            fields: Vec::new(),
            reason: Place::default(),
            status: 0,
            version: Version::Http11,
            lengths: 0,
        }
    }
}

impl Head {
    /// Takes a head from the beginning of what was read; false if it is not whole yet.
    ///
    /// # Errors
    /// If it is no head of an HTTP response, or too long.
    pub(super) fn take(&mut self, read: &mut BytesMut) -> Result<bool> {
        let Some(length) = self.parse(read)? else {
            if read.len() > LONGEST {
                return Error::e_explain(ErrorType::InvalidHTTPHeader, "a head without end");
            }
            return Ok(false);
        };
        self.bytes = read.split_to(length).freeze();
        Ok(true)
    }

    fn parse(&mut self, read: &[u8]) -> Result<Option<usize>> {
        let mut fields = [const { std::mem::MaybeUninit::uninit() }; FIELDS];
        let mut parsed = httparse::Response::new(&mut []);
        let mut parser = httparse::ParserConfig::default();
        parser.allow_spaces_after_header_name_in_responses(true);
        parser.allow_obsolete_multiline_headers_in_responses(true);
        let length = parser.parse_response_with_uninit_headers(&mut parsed, read, &mut fields);
        let length = length.or_err(ErrorType::InvalidHTTPHeader, "a head that is no HTTP")?;
        let httparse::Status::Complete(length) = length else { return Ok(None) };
        let place = |part: &[u8]| Place::of(part, read);
        self.status = parsed.code.unwrap_or_default();
        self.version = if parsed.version == Some(0) { Version::Http10 } else { Version::Http11 };
        self.reason = place(parsed.reason.unwrap_or_default().as_bytes());
        self.fields.clear();
        let field = |field: &httparse::Header<'_>| Field {
            name: place(field.name.as_bytes()),
            value: place(field.value),
        };
        self.fields.extend(parsed.headers.iter().map(field));
        let bits = parsed.headers.iter().map(|field| length_bit(field.name));
        self.lengths = bits.fold(0, |all, bit| all | bit);
        Ok(Some(length))
    }

    /// 100 to 999.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// As the upstream said.
    pub fn version(&self) -> Version {
        self.version
    }

    /// The words after the status; perhaps none.
    pub fn reason(&self) -> &[u8] {
        self.at(self.reason)
    }

    /// How many fields there are.
    pub fn len(&self) -> usize {
        self.fields.len()
    }

    /// Whether there is no field.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// Names and values, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.fields.iter().map(|field| (self.at(field.name), self.at(field.value)))
    }

    /// The same, sharing the head's memory.
    pub fn shared(&self) -> impl Iterator<Item = (Bytes, Bytes)> {
        let share = |place| self.bytes.slice_ref(self.at(place));
        self.fields.iter().map(move |field| (share(field.name), share(field.value)))
    }

    /// All values of that name, in order.
    pub fn get_all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        let likely = if self.lengths & length_bit(name) == 0 { &[] } else { &self.fields[..] };
        let named = likely.iter().filter(move |field| is(self.at(field.name), name));
        named.map(|field| self.at(field.value))
    }

    /// The first value of that name.
    pub fn get(&self, name: &'static str) -> Option<&[u8]> {
        self.get_all(name).next()
    }

    /// Where the body ends (RFC 9112, 6.3).
    ///
    /// # Errors
    /// If there are two lengths, or one that is no number.
    pub(super) fn framing(&self, asked_for_head: bool) -> Result<Framing> {
        if asked_for_head || matches!(self.status, 204 | 304) {
            return Ok(Framing::Nothing);
        }
        if let Some(coding) = self.get_all("transfer-encoding").last() {
            let last = coding.rsplit(|byte| *byte == b',').next().unwrap_or_default();
            let chunked = last.trim_ascii().eq_ignore_ascii_case(b"chunked");
            return Ok(if chunked { Framing::Chunked } else { Framing::UntilClose });
        }
        Ok(self.length()?.map_or(Framing::UntilClose, Framing::Length))
    }

    /// What the fields say of the body's length: one number, however often.
    ///
    /// # Errors
    /// If there are two of them, or one that is no number.
    pub fn length(&self) -> Result<Option<u64>> {
        // Nearly all say it once, or not at all.
        let mut values = self.get_all("content-length");
        match (values.next(), values.next()) {
            (None, _) => return Ok(None),
            (Some(only), None) if number(only).is_some() => return Ok(number(only)),
            _ => {}
        }
        let mut length = None;
        let values = self.get_all("content-length");
        for value in values.flat_map(|value| value.split(|byte| *byte == b',')) {
            let number = number(value.trim_ascii());
            if number.is_none() || length.is_some_and(|known| Some(known) != number) {
                return Error::e_explain(ErrorType::InvalidHTTPHeader, "no sound Content-Length");
            }
            length = number;
        }
        Ok(length)
    }

    /// Whether the upstream keeps the connection after this response.
    pub(super) fn keeps_alive(&self) -> bool {
        let two_lengths = self.get("transfer-encoding").is_some()
            && (self.version == Version::Http10 || self.get("content-length").is_some());
        !two_lengths && keeps_alive(self.version, self.get_all("connection"))
    }

    /// The head and what came after it, as received.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn at(&self, place: Place) -> &[u8] {
        self.bytes.get(place.start as usize..place.end as usize).unwrap_or_default()
    }
}

impl Place {
    /// Where `part` stands in `whole`, of which it is a part; what is empty stands nowhere.
    fn of(part: &[u8], whole: &[u8]) -> Self {
        if part.is_empty() {
            return Self::default();
        }
        let start = part.as_ptr().addr().wrapping_sub(whole.as_ptr().addr()) as u32;
        Self { start, end: start.wrapping_add(part.len() as u32) }
    }
}

/// A name's length as one bit; the long ones share the last.
fn length_bit(name: &str) -> u64 {
    1 << name.len().min(63)
}

fn is(known: &[u8], name: &str) -> bool {
    known.eq_ignore_ascii_case(name.as_bytes())
}

/// Whether a message with these `Connection` fields lets the connection go on (RFC 9112, 9.3).
pub fn keeps_alive<'a>(version: Version, connection: impl Iterator<Item = &'a [u8]>) -> bool {
    let mut keeps = version >= Version::Http11;
    for option in connection.flat_map(|value| value.split(|byte| *byte == b',')) {
        let option = option.trim_ascii();
        if option.eq_ignore_ascii_case(b"close") {
            return false;
        }
        keeps |= option.eq_ignore_ascii_case(b"keep-alive");
    }
    keeps
}

fn number(digits: &[u8]) -> Option<u64> {
    let add = |number: u64, digit: &u8| {
        let digit = digit.is_ascii_digit().then(|| u64::from(digit - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    };
    if digits.is_empty() { None } else { digits.iter().try_fold(0, add) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(text: &str) -> Result<Head> {
        let mut head = Head::default();
        assert!(head.take(&mut BytesMut::from(text))?, "{text}");
        Ok(head)
    }

    fn framing(fields: &str) -> Option<Framing> {
        head(&format!("HTTP/1.1 200 OK\r\n{fields}\r\n")).unwrap().framing(false).ok()
    }

    #[test]
    fn a_head_is_split_from_what_follows_it() {
        let mut read = BytesMut::from("HTTP/1.1 404 Not here\r\nA: 1\r\nb : two \r\n\r\nbody");
        let mut head = Head::default();
        assert!(head.take(&mut read).unwrap());
        assert_eq!(
            (head.status(), head.reason(), &read[..]),
            (404, &b"Not here"[..], &b"body"[..])
        );
        let fields: Vec<_> = head.iter().collect();
        assert_eq!(fields, [(&b"A"[..], &b"1"[..]), (b"b", b"two")]);
        assert_eq!(head.get("B"), Some(&b"two"[..]));
    }

    #[test]
    fn what_is_not_whole_stays_where_it_is() {
        let mut read = BytesMut::from("HTTP/1.1 200 OK\r\nA: 1\r\n");
        assert!(!Head::default().take(&mut read).unwrap());
        assert_eq!(read.len(), 23);
        assert!(Head::default().take(&mut BytesMut::from("SSH-2.0-x\r\n\r\n")).is_err());
    }

    #[test]
    fn the_end_of_a_body_is_said_in_one_way_only() {
        for (fields, ends) in [
            ("", Some(Framing::UntilClose)),
            ("Content-Length: 5\r\n", Some(Framing::Length(5))),
            ("Content-Length: 5, 5\r\nContent-Length: 5\r\n", Some(Framing::Length(5))),
            ("Content-Length: 5, 6\r\n", None),
            ("Content-Length: +5\r\n", None),
            ("Content-Length: \r\n", None),
            ("Content-Length: 18446744073709551616\r\n", None),
            ("Transfer-Encoding: gzip, Chunked\r\nContent-Length: 9\r\n", Some(Framing::Chunked)),
            ("Transfer-Encoding: chunked, gzip\r\n", Some(Framing::UntilClose)),
            (
                "Transfer-Encoding: chunked\r\nTransfer-Encoding: gzip\r\n",
                Some(Framing::UntilClose),
            ),
        ] {
            assert_eq!(framing(fields), ends, "{fields}");
        }
    }

    #[test]
    fn some_responses_have_no_body_whatever_they_say() {
        let none = head("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n").unwrap();
        assert_eq!(none.framing(false).unwrap(), Framing::Nothing);
        let asked = head("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").unwrap();
        assert_eq!(asked.framing(true).unwrap(), Framing::Nothing);
    }

    #[test]
    fn connections_go_on_as_both_sides_say() {
        let keeps = |version, values: &[&'static str]| {
            keeps_alive(version, values.iter().map(|value| value.as_bytes()))
        };
        assert!(keeps(Version::Http11, &[]));
        assert!(keeps(Version::Http11, &["Upgrade, Keep-Alive"]));
        assert!(!keeps(Version::Http11, &["keep-alive", "x, Close"]));
        assert!(!keeps(Version::Http10, &["x"]));
        assert!(keeps(Version::Http10, &["Keep-Alive"]));
    }
}
