//! Recorded requests: one JSON object a line.

use std::io::Read as _;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::Value;

use crate::diagnostic::{Diagnostic, Source, Span};

/// What is replayed where no corpus is named: what browsers and applications send to a shop.
const ORDINARY: &str = include_str!("ordinary.jsonl");
/// Bytes of a corpus, at the most.
const LARGEST: u64 = 256 << 20;
const FORMAT: &str = "a line is a request, such as \
    {\"method\":\"GET\",\"target\":\"/?a=1\",\"headers\":[[\"Host\",\"a.example\"]],\"body\":\"\"}; \
    lines of an access or event log are read too";

/// A request, and the response if it was recorded.
#[derive(Debug)]
pub(super) struct Sample {
    pub(super) client: IpAddr,
    pub(super) method: Bytes,
    pub(super) target: Bytes,
    pub(super) headers: Fields,
    pub(super) body: Bytes,
    pub(super) answer: Option<Answer>,
}

/// What the application answered.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Fields,
    pub(super) body: Bytes,
}

/// Header fields in order.
pub(super) type Fields = Vec<(String, String)>;

/// A line as we ask for it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    method: String,
    target: String,
    #[serde(default)]
    headers: Fields,
    body: Option<String>,
    body_base64: Option<String>,
    client: Option<IpAddr>,
    response: Option<AnswerLine>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AnswerLine {
    #[serde(default = "ok")]
    status: u16,
    #[serde(default)]
    headers: Fields,
    body: Option<String>,
    body_base64: Option<String>,
}

/// A line of our own access or event log.
#[derive(Deserialize)]
struct Logged {
    client: Option<IpAddr>,
    method: String,
    path: String,
    query: Option<String>,
    host: Option<String>,
    user_agent: Option<String>,
    referer: Option<String>,
    headers: Option<Fields>,
}

/// The requests that are built in.
pub(super) fn ordinary() -> Vec<Sample> {
    read("ordinary.jsonl", ORDINARY).unwrap_or_default()
}

/// Those of a file.
///
/// # Errors
/// What is wrong with it, line by line.
pub(super) fn of_file(path: &Path) -> Result<Vec<Sample>, Vec<Diagnostic>> {
    let name = path.display().to_string();
    let text = text_of(path).map_err(|error| {
        let message = format!("the corpus `{name}` cannot be read: {error}");
        vec![Diagnostic::error("corpus::unreadable", message).help(FORMAT)]
    })?;
    let samples = read(&name, &text)?;
    if samples.is_empty() {
        let message = format!("the corpus `{name}` has no requests");
        return Err(vec![Diagnostic::error("corpus::empty", message).help(FORMAT)]);
    }
    Ok(samples)
}

fn text_of(path: &Path) -> std::io::Result<String> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(LARGEST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LARGEST {
        return Err(std::io::Error::other(format!("it is larger than {} MiB", LARGEST >> 20)));
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn read(name: &str, text: &str) -> Result<Vec<Sample>, Vec<Diagnostic>> {
    let mut samples = Vec::new();
    let mut faults = Vec::new();
    let mut source: Option<Arc<Source>> = None;
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let (written, span) = (line.trim(), Span { start, end: start + line.trim_end().len() });
        start += line.len();
        if written.is_empty() {
            continue;
        }
        match sample(written) {
            Ok(sample) => samples.push(sample),
            Err(fault) => {
                let source = source.get_or_insert_with(|| Source::new(name, text));
                let told = Diagnostic::error("corpus::line", fault);
                faults.push(told.at(source, span, "not a request").help(FORMAT));
            }
        }
    }
    if faults.is_empty() { Ok(samples) } else { Err(faults) }
}

fn sample(line: &str) -> Result<Sample, String> {
    let value: Value = serde_json::from_str(line).map_err(|error| told(&error))?;
    if value.get("verdict").is_some() {
        let logged: Logged = serde_json::from_value(value).map_err(|error| told(&error))?;
        return checked(logged.into());
    }
    let line: Line = serde_json::from_value(value).map_err(|error| told(&error))?;
    let answer = line.response.map(|answer| -> Result<Answer, String> {
        let AnswerLine { status, headers, body, body_base64 } = answer;
        Ok(Answer { status, headers, body: bytes(body, body_base64)? })
    });
    checked(Sample {
        client: line.client.unwrap_or(SOMEBODY),
        method: line.method.into(),
        target: line.target.into(),
        headers: line.headers,
        body: bytes(line.body, line.body_base64)?,
        answer: answer.transpose()?,
    })
}

/// From the networks of examples (RFC 5737).
const SOMEBODY: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7));

fn checked(sample: Sample) -> Result<Sample, String> {
    if sample.target.starts_with(b"/") || *sample.target == *b"*" {
        return Ok(sample);
    }
    Err(format!("the target `{}` does not begin with `/`", sample.target.escape_ascii()))
}

fn told(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.split(" at line ").next().unwrap_or_default().to_owned()
}

fn ok() -> u16 {
    200
}

/// A body: as text, or in base64 where it is none.
fn bytes(text: Option<String>, base64: Option<String>) -> Result<Bytes, String> {
    match (text, base64) {
        (None, None) => Ok(Bytes::new()),
        (Some(text), None) => Ok(text.into()),
        (None, Some(text)) => {
            let decoded = BASE64_STANDARD.decode(text);
            decoded.map(Bytes::from).map_err(|error| format!("`body_base64`: {error}"))
        }
        (Some(_), Some(_)) => Err("both `body` and `body_base64`".to_owned()),
    }
}

impl From<Logged> for Sample {
    /// An access log has three of the header fields, the event log all; neither has bodies.
    fn from(logged: Logged) -> Self {
        let Logged { client, method, path, query, host, user_agent, referer, headers } = logged;
        let target = query.map_or(path.clone(), |query| format!("{path}?{query}"));
        let few = [("Host", host), ("User-Agent", user_agent), ("Referer", referer)].into_iter();
        let few = few.filter_map(|(name, value)| Some((name.to_owned(), value?)));
        Self {
            client: client.unwrap_or(SOMEBODY),
            method: method.into(),
            target: target.into(),
            headers: headers.unwrap_or_else(|| few.collect()),
            body: Bytes::new(),
            answer: None,
        }
    }
}
