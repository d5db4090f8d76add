//! What a line says, borrowed from a transaction, or from a head that was refused before there was one.

use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use crate::telemetry::events::HeadRefused;
use crate::transaction::{Findings, Headers, PeerAddress, Transaction, Verdict};

/// What a line says. Secrets are still in it: the formats leave them out.
pub struct Record<'a> {
    pub(super) at: SystemTime,
    pub(super) id: Option<&'a str>,
    pub(super) client: IpAddr,
    pub(super) method: &'a [u8],
    pub(super) path: &'a [u8],
    pub(super) query: Option<&'a [u8]>,
    pub(super) protocol: &'a [u8],
    pub(super) fields: Fields<'a>,
    pub(super) status: u16,
    pub(super) bytes_sent: u64,
    pub(super) bytes_received: u64,
    pub(super) duration: Duration,
    pub(super) upstream: Option<&'a str>,
    pub(super) peer: Option<&'a PeerAddress>,
    pub(super) upstream_status: Option<u16>,
    pub(super) upstream_time: Option<Duration>,
    pub(super) route: Option<&'a str>,
    pub(super) verdict: Verdict,
    pub(super) reason: Option<&'a str>,
    pub(super) completed: bool,
    pub(super) findings: Option<&'a Findings>,
}

/// The header fields of a request.
pub(super) enum Fields<'a> {
    /// Read and checked.
    Read(&'a Headers),
    /// As far as lines can be told apart in a head that was refused.
    Guessed(Vec<(&'a [u8], &'a [u8])>),
}

impl<'a> Record<'a> {
    /// Of an exchange that is over and took so long.
    pub fn of_exchange(exchange: &'a Transaction, took: Duration) -> Self {
        let request = &exchange.request;
        let (path, query) = split_target(&request.original_target);
        Self {
            at: exchange.started_at(),
            id: Some(&exchange.id),
            client: exchange.client.address,
            method: &request.method,
            path,
            query,
            protocol: request.version.as_str().as_bytes(),
            fields: Fields::Read(&request.headers),
            status: exchange.status(),
            bytes_sent: exchange.outcome.body_bytes_sent,
            bytes_received: exchange.outcome.bytes_received,
            duration: took,
            upstream: exchange.upstream.label(),
            peer: exchange.upstream.peer.as_ref(),
            upstream_status: exchange.upstream.status,
            upstream_time: exchange.upstream.response_time.or(exchange.upstream.header_time),
            route: exchange.route.as_deref(),
            verdict: exchange.outcome.verdict,
            reason: exchange.outcome.reason.as_deref(),
            completed: exchange.outcome.completed,
            findings: exchange.findings.as_deref(),
        }
    }

    /// Of a head that the guard refused, now. Whatever it is, its first line is taken for a request
    /// line.
    pub fn of_head(refused: &HeadRefused<'a>) -> Self {
        let mut lines = refused.head.split(|byte| matches!(byte, b'\r' | b'\n'));
        let (method, target, protocol) = split_request_line(lines.next().unwrap_or_default());
        let (path, query) = split_target(target);
        Self {
            at: SystemTime::now(),
            id: None,
            client: refused.client.ip(),
            method,
            path,
            query,
            protocol,
            fields: Fields::Guessed(guess(lines)),
            status: refused.status,
            bytes_sent: 0,
            bytes_received: refused.head.len() as u64,
            duration: Duration::ZERO,
            upstream: None,
            peer: None,
            upstream_status: None,
            upstream_time: None,
            route: None,
            verdict: Verdict::Refused,
            reason: Some(refused.reason),
            completed: true,
            findings: None,
        }
    }

    /// Whether it belongs in the event log.
    pub(super) fn is_event(&self) -> bool {
        let logged = |findings: &Findings| {
            findings.cost.exceeded.is_some()
                || findings.matches.iter().any(|rule| rule.logged || rule.disruptive)
        };
        matches!(self.verdict, Verdict::Failed | Verdict::Refused)
            || self.findings.is_some_and(logged)
    }
}

impl<'a> Fields<'a> {
    /// The first value of that name.
    pub(super) fn get(&self, name: &str) -> Option<&'a [u8]> {
        let is_it = |found: &[u8]| found.eq_ignore_ascii_case(name.as_bytes());
        match self {
            Self::Read(headers) => headers.get(name).map(|value| &value[..]),
            Self::Guessed(fields) => {
                fields.iter().find(|(found, _)| is_it(found)).map(|(_, value)| *value)
            }
        }
    }

    /// The first of them, in order.
    pub(super) fn first(&self, count: usize) -> Vec<(&'a [u8], &'a [u8])> {
        match self {
            Self::Read(headers) => headers
                .iter()
                .take(count)
                .map(|field| (&field.name[..], &field.value[..]))
                .collect(),
            Self::Guessed(fields) => fields.iter().take(count).copied().collect(),
        }
    }
}

fn split_target(target: &[u8]) -> (&[u8], Option<&[u8]>) {
    match memchr::memchr(b'?', target) {
        None => (target, None),
        Some(mark) => (target.get(..mark).unwrap_or_default(), target.get(mark + 1..)),
    }
}

/// Method up to the first space, protocol after the last where it looks like one, target between.
fn split_request_line(line: &[u8]) -> (&[u8], &[u8], &[u8]) {
    let space = memchr::memchr(b' ', line).unwrap_or(line.len());
    let (method, rest) = line.split_at(space);
    let rest = rest.strip_prefix(b" ").unwrap_or(rest);
    let last = memchr::memrchr(b' ', rest).map(|at| rest.split_at(at));
    match last {
        Some((target, protocol)) if protocol.starts_with(b" HTTP/") => {
            (method, target, protocol.get(1..).unwrap_or_default())
        }
        _ => (method, rest, b""),
    }
}

/// Lines with a colon. A line that begins with white space goes on with the one before, which may
/// be a secret: it is left out.
fn guess<'a>(lines: impl Iterator<Item = &'a [u8]>) -> Vec<(&'a [u8], &'a [u8])> {
    let begins = |line: &&[u8]| line.first().is_some_and(|byte| !byte.is_ascii_whitespace());
    lines
        .filter(begins)
        .filter_map(|line| {
            let colon = memchr::memchr(b':', line)?;
            let (name, value) = line.split_at(colon);
            Some((name.trim_ascii(), value.get(1..)?.trim_ascii()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{guess, split_request_line};

    #[test]
    fn whatever_was_sent_is_taken_for_a_request_line() {
        for (line, parts) in [
            (&b"GET /a?b HTTP/1.1"[..], (&b"GET"[..], &b"/a?b"[..], &b"HTTP/1.1"[..])),
            (b"GET /a b HTTP/1.1", (b"GET", b"/a b", b"HTTP/1.1")),
            (b"GET /a", (b"GET", b"/a", b"")),
            (b"\x16\x03\x01", (b"\x16\x03\x01", b"", b"")),
            (b"", (b"", b"", b"")),
            (b" HTTP/1.1", (b"", b"HTTP/1.1", b"")),
        ] {
            assert_eq!(split_request_line(line), parts, "{line:?}");
        }
    }

    #[test]
    fn a_folded_line_which_may_carry_on_a_secret_is_left_out() {
        let head = b"Host: shop.example\nCookie: a=1\n b=s3cret: x\n\nX : y\nno colon";
        let fields = guess(head.split(|byte| *byte == b'\n'));
        let expected: Vec<(&[u8], &[u8])> =
            vec![(b"Host", b"shop.example"), (b"Cookie", b"a=1"), (b"X", b"y")];
        assert_eq!(fields, expected);
    }
}
