//! What a candidate would have done otherwise: counted, and the last ones kept.

use std::collections::VecDeque;
use std::fmt::{self, Write as _};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::transaction::Headers;

/// Differences that are kept.
const MOST: usize = 100;
/// Fields of an answer that are told of a difference.
const MOST_FIELDS: usize = 8;
/// Bytes of a value or message that are told.
const LONGEST: usize = 160;
/// Fields whose values are nobody's business.
const SECRET: [&str; 4] =
    ["authorization", "proxy-authorization", "set-cookie", "www-authenticate"];

/// What a call did, or would have done.
#[derive(Debug, Clone, Default)]
pub struct Done {
    /// How it ended.
    pub ending: Ending,
    /// The fields that it staged.
    pub headers: Headers,
    /// The body that it staged.
    pub body: Bytes,
    /// CPU time that it took.
    pub cpu: Duration,
}

/// How a call ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Ending {
    /// With an answer of this status.
    Answered(u16),
    /// It closed the connection.
    Closed,
    /// It left the request to the upstream.
    #[default]
    Declined,
    /// It failed: the kind of error, and its words.
    Failed(&'static str, String),
}

/// What was compared for.
#[derive(Debug, Clone, Copy)]
pub struct Compared<'a> {
    /// The exchange's id.
    pub id: &'a str,
    /// The request's method.
    pub method: &'a [u8],
    /// Its path.
    pub path: &'a [u8],
    /// The route that served it.
    pub route: Option<&'a str>,
    /// The phase, where there are several.
    pub phase: Option<&'static str>,
}

/// What came of comparing calls.
#[derive(Default)]
pub struct Differences {
    compared: AtomicU64,
    differing: AtomicU64,
    left_out: AtomicU64,
    status: AtomicU64,
    headers: AtomicU64,
    body: AtomicU64,
    error: AtomicU64,
    kept: Mutex<VecDeque<Difference>>,
}

/// How many calls were compared, and what of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Calls that were compared.
    pub compared: u64,
    /// Those that differ in anything.
    pub differing: u64,
    /// Calls that were not compared: too many waited, or the request's body was not read by the live
    /// version and is gone.
    pub left_out: u64,
    /// Those that differ in status.
    pub status: u64,
    /// Those that differ in fields.
    pub headers: u64,
    /// Those that differ in the body.
    pub body: u64,
    /// Those where one failed and the other did not, or otherwise.
    pub error: u64,
}

/// One call that a candidate would have done otherwise.
#[derive(Debug, Clone, Serialize)]
pub struct Difference {
    /// When.
    pub at: SystemTime,
    /// The exchange's id, as in logs.
    pub request: String,
    /// The request's method.
    pub method: String,
    /// The request's path, without query.
    pub path: String,
    /// The route that served it.
    pub route: Option<String>,
    /// The phase, of a module.
    pub phase: Option<&'static str>,
    /// In what they differ: `status`, `headers`, `body`, `error`.
    pub what: Vec<&'static str>,
    /// What the live version did.
    pub live: Told,
    /// What the candidate would have done.
    pub candidate: Told,
}

/// What a call did, in short.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Told {
    /// The status; none: no answer of its own.
    pub status: Option<u16>,
    /// How it ended without an answer: `closed`, `declined`, `failed`.
    pub ended: Option<&'static str>,
    /// The fields that the other has not, or otherwise; values of secret ones are not told.
    pub headers: Vec<(String, String)>,
    /// Bytes of its body.
    pub body_bytes: usize,
    /// SHA-256 of its body, in hex.
    pub body_digest: String,
    /// The kind of error, and its words.
    pub error: Option<String>,
    /// CPU time that it took, in microseconds.
    pub cpu_micros: u64,
}

impl Summary {
    /// These and those.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            compared: self.compared + other.compared,
            differing: self.differing + other.differing,
            left_out: self.left_out + other.left_out,
            status: self.status + other.status,
            headers: self.headers + other.headers,
            body: self.body + other.body,
            error: self.error + other.error,
        }
    }
}

impl Differences {
    /// A call was not compared.
    pub fn leave_out(&self) {
        self.left_out.fetch_add(1, Ordering::Relaxed);
    }

    /// Compares what both did for a request.
    pub fn compare(&self, request: Compared<'_>, live: &Done, candidate: &Done) {
        let one = |count: &AtomicU64| count.fetch_add(1, Ordering::Relaxed);
        one(&self.compared);
        let what = differ(live, candidate);
        if what.is_empty() {
            return;
        }
        one(&self.differing);
        for kind in &what {
            one(match *kind {
                "body" => &self.body,
                "error" => &self.error,
                "headers" => &self.headers,
                _ => &self.status,
            });
        }
        let difference = Difference {
            at: SystemTime::now(),
            request: request.id.to_owned(),
            method: shown(request.method),
            path: shown(request.path),
            route: request.route.map(str::to_owned),
            phase: request.phase,
            live: tell(live, candidate),
            candidate: tell(candidate, live),
            what,
        };
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= MOST {
            kept.pop_front();
        }
        kept.push_back(difference);
    }

    /// How many there were.
    pub fn summary(&self) -> Summary {
        let number = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Summary {
            compared: number(&self.compared),
            differing: number(&self.differing),
            left_out: number(&self.left_out),
            status: number(&self.status),
            headers: number(&self.headers),
            body: number(&self.body),
            error: number(&self.error),
        }
    }

    /// The last ones, the newest first.
    pub fn last(&self, most: usize) -> Vec<Difference> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter().rev().take(most).cloned().collect()
    }
}

impl fmt::Debug for Differences {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.summary().fmt(f)
    }
}

impl Ending {
    fn status(&self) -> Option<u16> {
        match self {
            Self::Answered(status) => Some(*status),
            _ => None,
        }
    }

    /// The error's kind: its words name lines, which differ between versions that do the same.
    fn error(&self) -> Option<&'static str> {
        match self {
            Self::Failed(kind, _) => Some(kind),
            _ => None,
        }
    }
}

fn differ(live: &Done, candidate: &Done) -> Vec<&'static str> {
    let (one, other) = (&live.ending, &candidate.ending);
    if one.error() != other.error() {
        return vec!["error"];
    }
    if one.error().is_some() {
        // What a failed call staged is not answered.
        return Vec::new();
    }
    let closed = |ending: &Ending| matches!(ending, Ending::Closed);
    let differs = [
        ("status", one.status() != other.status() || closed(one) != closed(other)),
        ("headers", fields(&live.headers) != fields(&candidate.headers)),
        ("body", live.body != candidate.body),
    ];
    differs.into_iter().filter(|(_, differs)| *differs).map(|(what, _)| what).collect()
}

/// Names, in lower case and in order, and their values.
fn fields(headers: &Headers) -> Vec<(Vec<u8>, Bytes)> {
    let pair = |header: &crate::transaction::Header| {
        (header.name.to_ascii_lowercase(), header.value.clone())
    };
    let mut fields: Vec<_> = headers.iter().map(pair).collect();
    // Stable: the values of one name keep their order, which means something.
    fields.sort_by(|one, other| one.0.cmp(&other.0));
    fields
}

fn tell(done: &Done, other: &Done) -> Told {
    let ended = match &done.ending {
        Ending::Answered(_) => None,
        Ending::Closed => Some("closed"),
        Ending::Declined => Some("declined"),
        Ending::Failed(..) => Some("failed"),
    };
    let error = match &done.ending {
        Ending::Failed(kind, words) => Some(shown(format!("{kind}: {words}").as_bytes())),
        _ => None,
    };
    let others = fields(&other.headers);
    let own = fields(&done.headers).into_iter().filter(|field| !others.contains(field));
    let headers = own.take(MOST_FIELDS).map(|(name, value)| {
        let name = shown(&name);
        let value = if SECRET.contains(&name.as_str()) { "***".to_owned() } else { shown(&value) };
        (name, value)
    });
    Told {
        status: done.ending.status(),
        ended,
        headers: headers.collect(),
        body_bytes: done.body.len(),
        body_digest: digest(&done.body),
        error,
        cpu_micros: u64::try_from(done.cpu.as_micros()).unwrap_or(u64::MAX),
    }
}

fn digest(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in Sha256::digest(bytes) {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

fn shown(bytes: &[u8]) -> String {
    let bytes = bytes.get(..LONGEST).unwrap_or(bytes);
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn done(status: u16, body: &'static str, fields: &[(&'static str, &'static str)]) -> Done {
        let mut headers = Headers::default();
        for (name, value) in fields {
            headers.append(*name, *value);
        }
        let ending = Ending::Answered(status);
        Done { ending, headers, body: body.into(), cpu: Duration::from_micros(7) }
    }

    fn compared(pairs: &[(Done, Done)]) -> Differences {
        let differences = Differences::default();
        for (live, candidate) in pairs {
            let (id, method, path) = ("id", &b"GET"[..], &b"/x"[..]);
            let request = Compared { id, method, path, route: Some("r"), phase: None };
            differences.compare(request, live, candidate);
        }
        differences
    }

    #[test]
    fn only_what_differs_is_told() {
        let failed = |words: &str| Done {
            ending: Ending::Failed("runtime", words.to_owned()),
            ..Done::default()
        };
        let differences = compared(&[
            (done(200, "a", &[("X", "1"), ("Y", "2")]), done(200, "a", &[("y", "2"), ("x", "1")])),
            (failed("a:1: no"), failed("a:2: no")),
            (done(200, "a", &[]), done(404, "b", &[])),
            (done(200, "a", &[("X", "1")]), done(200, "a", &[("X", "2"), ("Set-Cookie", "key")])),
            (done(200, "a", &[]), failed("a:1: no")),
        ]);
        let expected = Summary {
            compared: 5,
            differing: 3,
            left_out: 0,
            status: 1,
            headers: 1,
            body: 1,
            error: 1,
        };
        assert_eq!(differences.summary(), expected);
        let last = differences.last(10);
        assert_eq!(last[0].what, ["error"]);
        assert_eq!(last[0].candidate.error.as_deref(), Some("runtime: a:1: no"));
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(last[1].candidate.headers, [pair("set-cookie", "***"), pair("x", "2")]);
        assert_eq!(last[2].what, ["status", "body"]);
        assert_eq!((last[2].live.status, last[2].candidate.body_bytes), (Some(200), 1));
    }

    #[test]
    fn the_last_ones_are_kept() {
        let other = || (done(200, "a", &[]), done(200, "b", &[]));
        let differences = compared(&(0..MOST + 5).map(|_| other()).collect::<Vec<_>>());
        assert_eq!(differences.last(usize::MAX).len(), MOST);
        assert_eq!(differences.summary().differing, MOST as u64 + 5);
    }
}
