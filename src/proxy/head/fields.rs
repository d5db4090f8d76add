//! The header fields, and what they say together.

use bytes::Bytes;

use super::lanes::{first_control, first_unusual};
use super::line::Line;
use super::{Refusal, refusal};
use crate::config::Limits;
use crate::transaction::{Place, Places, Version};

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
    strips_ours: bool,
}

impl<'a> Once<'a> {
    fn note(&mut self, value: &'a [u8]) {
        self.again = self.first.is_some();
        self.first = self.first.or(Some(value));
    }
}

impl<'a> Telling<'a> {
    #[inline]
    fn note(&mut self, name: &[u8], value: &'a [u8]) {
        let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
        match name.len() {
            4 if is("host") => self.host.note(value),
            10 if is("connection") => self.strips_ours |= strips_ours(value),
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

/// The fields of a head, split.
pub(super) struct Fields<'a> {
    pub(super) places: Places,
    pub(super) telling: Telling<'a>,
    /// One past the empty line that ends the head.
    pub(super) end: usize,
}

/// Splits the lines after the request line, which ends before `start`, up to the empty line.
pub(super) fn parse<'a>(
    head: &'a [u8],
    start: usize,
    limits: &Limits,
) -> Result<Fields<'a>, Refusal> {
    let (mut places, mut telling) = (Places::none(), Telling::default());
    let mut rest = head.get(start..).unwrap_or_default();
    loop {
        let at = head.len() - rest.len();
        let Field { name, value, before, after } = match split(rest, limits.bare_line_feeds)? {
            Next::End(length) => return Ok(Fields { places, telling, end: at + length }),
            Next::Field(_) if places.count() == limits.headers => {
                return Err(refusal::TOO_MANY_FIELDS);
            }
            Next::Field(field) => field,
        };
        telling.note(name, value);
        let from = at + name.len() + before;
        places.push(Place::new((at, at + name.len()), (from, from + value.len())), name);
        rest = after;
    }
}

/// What a line is.
enum Next<'a> {
    /// The empty one, with so many bytes.
    End(usize),
    Field(Field<'a>),
}

/// A field's line, split.
struct Field<'a> {
    name: &'a [u8],
    /// Without white space around it.
    value: &'a [u8],
    /// Bytes between the two.
    before: usize,
    /// What comes after the line.
    after: &'a [u8],
}

/// The first line of these.
#[inline]
fn split(rest: &[u8], bare_line_feeds: bool) -> Result<Next<'_>, Refusal> {
    let length = name_length(rest);
    let (name, line) = rest.split_at_checked(length).unwrap_or_default();
    let line = match line {
        [b':', line @ ..] if length > 0 => line,
        [b'\r', b'\n', ..] if length == 0 => return Ok(Next::End(2)),
        [b'\n', ..] if length == 0 && bare_line_feeds => return Ok(Next::End(1)),
        [b' ' | b'\t', ..] if length == 0 => return Err(refusal::FOLDED),
        _ => return Err(refusal::BAD_NAME),
    };
    // The first control character is the end of the line, or should not be there.
    let end = control(line).ok_or(refusal::BAD_VALUE)?;
    let (whole, end) = line.split_at_checked(end).unwrap_or_default();
    let after = match end {
        [b'\r', b'\n', after @ ..] => after,
        [b'\n', after @ ..] if bare_line_feeds => after,
        _ => return Err(refusal::BAD_VALUE),
    };
    let (blanks, value) = trimmed(whole);
    Ok(Next::Field(Field { name, value, before: 1 + blanks, after }))
}

/// A value without the white space around it, and how much of that was before it: nearly always one
/// blank.
#[inline]
fn trimmed(whole: &[u8]) -> (usize, &[u8]) {
    let value = whole.strip_prefix(b" ").unwrap_or(whole);
    let value = match value {
        [b' ' | b'\t', ..] => value.trim_ascii_start(),
        value => value,
    };
    let blanks = whole.len() - value.len();
    match value {
        [.., b' ' | b'\t'] => (blanks, value.trim_ascii_end()),
        value => (blanks, value),
    }
}

/// How many bytes of a name these begin with.
#[inline]
fn name_length(bytes: &[u8]) -> usize {
    let usual = first_unusual(bytes).unwrap_or(bytes.len());
    let rest = bytes.get(usual..).unwrap_or_default();
    match rest {
        [b':', ..] => usual,
        rest => usual + rest.iter().take_while(|byte| is_token_byte(**byte)).count(),
    }
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

/// Checks what the fields say together, and gives the target's origin form.
pub(super) fn check(target: &[u8], line: &Line, telling: &Telling<'_>) -> Result<Origin, Refusal> {
    check_framing(line, telling)?;
    check_content_type(telling)?;
    if telling.strips_ours {
        return Err(refusal::BAD_CONNECTION_OPTION);
    }
    let host = host(line, &telling.host)?;
    origin_form(target, line, host)
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
    let is_second_read = telling.kind.again && telling.has_body();
    if is_second_read || boundaries(first) > 1 {
        return Err(refusal::TWO_BOUNDARIES);
    }
    Ok(())
}

fn boundaries(kind: &[u8]) -> usize {
    // Most name none at all.
    if memchr::memchr(b'=', kind).is_none() {
        return 0;
    }
    let lower = kind.to_ascii_lowercase();
    let boundaries = memchr::memmem::find_iter(&lower, b"boundary").filter(|at| {
        let rest = lower.get(at + b"boundary".len()..).unwrap_or_default();
        rest.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'=')
    });
    boundaries.count()
}

/// Whether a connection option names a field of the framing or of the routing, and so would have us
/// strip it.
fn strips_ours(options: &[u8]) -> bool {
    const KEPT: [&str; 5] =
        ["host", "content-length", "transfer-encoding", "content-type", "authorization"];
    options.split(|byte| *byte == b',').any(|option| {
        let option = option.trim_ascii();
        KEPT.iter().any(|kept| option.eq_ignore_ascii_case(kept.as_bytes()))
    })
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
    let (name, port) = match host {
        [b'[', rest @ ..] => {
            let Some(end) = memchr::memchr(b']', rest) else { return false };
            let (name, port) = rest.split_at_checked(end).unwrap_or_default();
            if !name.iter().all(|byte| is_one(&HOST, *byte) || *byte == b':') {
                return false;
            }
            (name, port.get(1..).unwrap_or_default())
        }
        host => {
            let end = host.iter().position(|byte| !is_one(&HOST, *byte)).unwrap_or(host.len());
            host.split_at_checked(end).unwrap_or_default()
        }
    };
    let port_fits = match port {
        [] => true,
        [b':', digits @ ..] => digits.len() <= 5 && digits.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    !name.is_empty() && port_fits && escapes_are_sound(name)
}

/// Whether each percent sign begins an escape, and none of a control character.
fn escapes_are_sound(name: &[u8]) -> bool {
    memchr::memchr_iter(b'%', name).all(|at| {
        let digits = name.get(at + 1..at + 3).and_then(|digits| std::str::from_utf8(digits).ok());
        let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        byte.is_some_and(|byte| !byte.is_ascii_control())
    })
}

/// What of the target is its origin form.
pub(super) enum Origin {
    /// All from this place on.
    From(usize),
    /// This, which does not stand in it.
    Made(Bytes),
}

/// `/path`, `*` for OPTIONS, or an absolute target of just the host that the Host field names.
fn origin_form(target: &[u8], line: &Line, host: Option<&[u8]>) -> Result<Origin, Refusal> {
    if target.starts_with(b"/") || (target == b"*" && &line.method[..] == b"OPTIONS") {
        return Ok(Origin::From(0));
    }
    let scheme = [&b"http://"[..], b"https://"]
        .into_iter()
        .find(|scheme| target.get(..scheme.len()).is_some_and(|t| t.eq_ignore_ascii_case(scheme)))
        .ok_or(refusal::BAD_TARGET)?;
    let rest = target.get(scheme.len()..).unwrap_or_default();
    let end = rest.iter().position(|byte| matches!(byte, b'/' | b'?')).unwrap_or(rest.len());
    let (named, path) = rest.split_at_checked(end).unwrap_or_default();
    if !host.is_some_and(|host| host.eq_ignore_ascii_case(named)) {
        return Err(refusal::BAD_HOST);
    }
    if path.starts_with(b"/") {
        return Ok(Origin::From(scheme.len() + end));
    }
    Ok(Origin::Made([b"/", path].concat().into()))
}
