//! The header fields, and what they say together.

use bytes::Bytes;

use super::line::Line;
use super::{Refusal, refusal};
use crate::config::Limits;
use crate::transaction::{Headers, Place, Version};

/// What fields say of which there is to be one: the first value, and whether there is another.
#[derive(Default)]
struct Once<'a> {
    first: Option<&'a [u8]>,
    again: bool,
}

/// What of the fields decides how a request is read on; noted as they are split.
#[derive(Default)]
pub(super) struct Telling<'a> {
    coding: Once<'a>,
    host: Once<'a>,
    kind: Once<'a>,
    length: Once<'a>,
    has_options: bool,
}

impl<'a> Once<'a> {
    fn note(&mut self, value: &'a [u8]) {
        self.again = self.first.is_some();
        self.first = self.first.or(Some(value));
    }
}

impl<'a> Telling<'a> {
    fn note(&mut self, name: &[u8], value: &'a [u8]) {
        let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
        match name.len() {
            4 if is("host") => self.host.note(value),
            10 if is("connection") => self.has_options = true,
            12 if is("content-type") => self.kind.note(value),
            14 if is("content-length") => self.length.note(value),
            17 if is("transfer-encoding") => self.coding.note(value),
            _ => {}
        }
    }

    fn has_body(&self) -> bool {
        self.coding.first.is_some() || self.length.first.is_some_and(|length| length != b"0")
    }
}

/// Splits the lines after the request line, which ends before `start`; the empty line included.
pub(super) fn parse<'a>(
    head: &'a Bytes,
    start: usize,
    limits: &Limits,
) -> Result<(Headers, Telling<'a>), Refusal> {
    let (mut places, mut telling) = (Vec::with_capacity(ROOM), Telling::default());
    let mut at = start;
    while let Some((place, after)) = split(head, at, limits.bare_line_feeds)? {
        if places.len() == limits.headers {
            return Err(refusal::TOO_MANY_FIELDS);
        }
        telling.note(place.name(head), place.value(head));
        places.push(place);
        at = after;
    }
    Ok((Headers::of_head(head.clone(), places), telling))
}

/// Fields that there is room for at first: a browser sends about a dozen.
const ROOM: usize = 16;

/// The line that begins at `start`, and where the next one does; none: it is the empty line.
#[inline]
fn split(
    head: &[u8],
    start: usize,
    bare_line_feeds: bool,
) -> Result<Option<(Place, usize)>, Refusal> {
    let line = head.get(start..).unwrap_or_default();
    let length = line.iter().position(|byte| !is_token_byte(*byte)).unwrap_or(line.len());
    match line.get(length..).unwrap_or_default() {
        [b':', ..] if length > 0 => {}
        [] | [b'\r', b'\n', ..] if length == 0 => return Ok(None),
        [b'\n', ..] if length == 0 && bare_line_feeds => return Ok(None),
        [b' ' | b'\t', ..] if length == 0 => return Err(refusal::FOLDED),
        _ => return Err(refusal::BAD_NAME),
    }
    let value = start + length + 1;
    // The first control character is the end of the line, or should not be there.
    let rest = head.get(value..).unwrap_or_default();
    let end = value + control(rest).ok_or(refusal::BAD_VALUE)?;
    let after = match head.get(end..).unwrap_or_default() {
        [b'\r', b'\n', ..] => end + 2,
        [b'\n', ..] if bare_line_feeds => end + 1,
        _ => return Err(refusal::BAD_VALUE),
    };
    let (value, end) = trimmed(head, value, end);
    Ok(Some((Place::new((start, start + length), (value, end)), after)))
}

/// The bounds of a part of a line without the white space around it.
fn trimmed(head: &[u8], mut start: usize, mut end: usize) -> (usize, usize) {
    let is_blank = |at: usize| matches!(head.get(at), Some(b' ' | b'\t'));
    while start < end && is_blank(start) {
        start += 1;
    }
    while start < end && is_blank(end - 1) {
        end -= 1;
    }
    (start, end)
}

/// Where the first control character but a tab is.
fn control(bytes: &[u8]) -> Option<usize> {
    let mut from = 0;
    loop {
        let at = from + first_control(bytes.get(from..)?)?;
        match bytes.get(at) {
            Some(b'\t') => from = at + 1,
            _ => return Some(at),
        }
    }
}

/// Where the first control character is, be it a tab: eight bytes are looked at together.
#[inline]
pub(in crate::proxy) fn first_control(bytes: &[u8]) -> Option<usize> {
    let (words, rest) = bytes.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        let found = controls(u64::from_le_bytes(*word));
        if found != 0 {
            return Some(8 * index + found.trailing_zeros() as usize / 8);
        }
    }
    let place = rest.iter().position(u8::is_ascii_control)?;
    Some(8 * words.len() + place)
}

/// The highest bit of each byte that is a control character; of those above the first one it says
/// nothing, for what is borrowed in the subtraction is borrowed from above.
fn controls(word: u64) -> u64 {
    const ONES: u64 = u64::MAX / 255;
    let below = |word: u64, bound: u64| word.wrapping_sub(ONES * bound) & !word & (ONES << 7);
    below(word, 0x20) | below(word ^ (ONES * 0x7f), 1)
}

/// RFC 9110, 5.6.2.
static TOKEN: [bool; 256] = alphanumeric_and(b"!#$%&'*+-.^_`|~");
/// RFC 3986, 3.2.2: a name; what is in brackets besides has colons.
static HOST: [bool; 256] = alphanumeric_and(b"-._~%!$&'()*+,;=");

#[allow(
    clippy::indexing_slicing,
    reason = "in a constant, an index out of bounds does not compile"
)]
const fn alphanumeric_and(others: &[u8]) -> [bool; 256] {
    let mut known = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        known[byte] = (byte as u8).is_ascii_alphanumeric();
        byte += 1;
    }
    let mut index = 0;
    while index < others.len() {
        known[others[index] as usize] = true;
        index += 1;
    }
    known
}

fn is_one(known: &[bool; 256], byte: u8) -> bool {
    known.get(usize::from(byte)).copied().unwrap_or_default()
}

/// Whether each byte may stand in a name or method.
#[inline]
pub(in crate::proxy) fn is_token(name: &[u8]) -> bool {
    name.iter().all(|byte| is_token_byte(*byte))
}

fn is_token_byte(byte: u8) -> bool {
    is_one(&TOKEN, byte)
}

/// Checks what the fields say together, and gives the target in origin form.
pub(super) fn check(
    line: &Line,
    headers: &Headers,
    telling: &Telling<'_>,
) -> Result<Bytes, Refusal> {
    check_framing(line, telling)?;
    check_content_type(telling)?;
    if telling.has_options {
        check_connection(headers)?;
    }
    let host = host(line, &telling.host)?;
    origin_form(line, host)
}

fn check_framing(line: &Line, telling: &Telling<'_>) -> Result<(), Refusal> {
    let length = &telling.length;
    if length.again {
        return Err(refusal::TWO_LENGTHS);
    }
    if let Some(length) = length.first {
        let digits = !length.is_empty() && length.iter().all(u8::is_ascii_digit);
        let number = std::str::from_utf8(length).ok().and_then(|text| text.parse::<u64>().ok());
        if !digits || number.is_none() {
            return Err(refusal::BAD_CONTENT_LENGTH);
        }
    }
    let Some(coding) = telling.coding.first else { return Ok(()) };
    if line.version == Version::Http10 {
        return Err(refusal::TRANSFER_CODING_1_0);
    }
    if telling.coding.again || !coding.eq_ignore_ascii_case(b"chunked") {
        return Err(refusal::TRANSFER_CODING);
    }
    if length.first.is_some() {
        return Err(refusal::LENGTH_AND_CHUNKED);
    }
    Ok(())
}

/// Two boundaries split one body in two ways; two types read it in two ways. Without a body there is
/// nothing to read.
fn check_content_type(telling: &Telling<'_>) -> Result<(), Refusal> {
    let Some(first) = telling.kind.first else { return Ok(()) };
    let lower = first.to_ascii_lowercase();
    let boundaries = memchr::memmem::find_iter(&lower, b"boundary").filter(|at| {
        let rest = lower.get(at + b"boundary".len()..).unwrap_or_default();
        rest.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'=')
    });
    let is_second_read = telling.kind.again && telling.has_body();
    if is_second_read || boundaries.count() > 1 {
        return Err(refusal::TWO_BOUNDARIES);
    }
    Ok(())
}

/// A connection option that names a field of the framing or of the routing would have us strip it.
fn check_connection(headers: &Headers) -> Result<(), Refusal> {
    const KEPT: [&str; 5] =
        ["host", "content-length", "transfer-encoding", "content-type", "authorization"];
    for value in headers.values("connection") {
        for option in value.split(|byte| *byte == b',') {
            let option = option.trim_ascii();
            if KEPT.iter().any(|kept| option.eq_ignore_ascii_case(kept.as_bytes())) {
                return Err(refusal::BAD_CONNECTION_OPTION);
            }
        }
    }
    Ok(())
}

fn host<'a>(line: &Line, host: &Once<'a>) -> Result<Option<&'a [u8]>, Refusal> {
    if host.again {
        return Err(refusal::TWO_HOSTS);
    }
    match host.first {
        None if line.version == Version::Http11 => Err(refusal::NO_HOST),
        None => Ok(None),
        // Before HTTP/1.1 nobody had to say anything here.
        Some(b"") if line.version == Version::Http10 => Ok(None),
        Some(host) if is_authority(host) => Ok(Some(host)),
        Some(_) => Err(refusal::BAD_HOST),
    }
}

/// Host and optional port, without user information.
fn is_authority(host: &[u8]) -> bool {
    let in_brackets = host.starts_with(b"[");
    let (start, end) = if in_brackets {
        let Some(end) = memchr::memchr(b']', host) else { return false };
        (1, end)
    } else {
        (0, memchr::memchr(b':', host).unwrap_or(host.len()))
    };
    let (name, port) = (host.get(start..end), host.get(end + usize::from(in_brackets)..));
    let (Some(name), Some(port)) = (name, port) else { return false };
    let known = |byte: &u8| is_one(&HOST, *byte) || (in_brackets && *byte == b':');
    let port_fits = match port.strip_prefix(b":") {
        None => port.is_empty(),
        Some(digits) => digits.len() <= 5 && digits.iter().all(u8::is_ascii_digit),
    };
    !name.is_empty() && name.iter().all(known) && port_fits && escapes_are_sound(name)
}

/// Whether each percent sign begins an escape, and none of a control character.
fn escapes_are_sound(name: &[u8]) -> bool {
    memchr::memchr_iter(b'%', name).all(|at| {
        let digits = name.get(at + 1..at + 3).and_then(|digits| std::str::from_utf8(digits).ok());
        let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        byte.is_some_and(|byte| !byte.is_ascii_control())
    })
}

/// `/path`, `*` for OPTIONS, or an absolute target of just the host that the Host field names.
fn origin_form(line: &Line, host: Option<&[u8]>) -> Result<Bytes, Refusal> {
    let target = &line.target;
    if target.starts_with(b"/") || (&target[..] == b"*" && &line.method[..] == b"OPTIONS") {
        return Ok(target.clone());
    }
    let scheme = [&b"http://"[..], b"https://"]
        .into_iter()
        .find(|scheme| target.get(..scheme.len()).is_some_and(|t| t.eq_ignore_ascii_case(scheme)))
        .ok_or(refusal::BAD_TARGET)?;
    let rest = target.slice(scheme.len()..);
    let end = rest.iter().position(|byte| matches!(byte, b'/' | b'?')).unwrap_or(rest.len());
    let named = host.is_some_and(|host| host.eq_ignore_ascii_case(&rest.slice(..end)));
    if !named {
        return Err(refusal::BAD_HOST);
    }
    let path = rest.slice(end..);
    if path.starts_with(b"/") {
        return Ok(path);
    }
    Ok([b"/", &path[..]].concat().into())
}
