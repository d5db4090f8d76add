//! Hostile exchanges before all rules of the Core Rule Set, and before our own: whatever comes is
//! answered in bounded time and memory with a status that says what it was, and is told; the next
//! request is served.

#[path = "hostile_rules/files.rs"]
mod files;
#[path = "hostile_rules/floods.rs"]
mod floods;
#[path = "hostile_rules/places.rs"]
mod places;
#[path = "hostile_rules/responses.rs"]
mod responses;

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use super::support::{Client, Moongate, Upstream, resting_events};

const BROWSER: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0";
const BASE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/rules/base");

/// A request of an attacker.
struct Attack {
    name: String,
    method: Vec<u8>,
    target: Vec<u8>,
    /// Without `Host`, `Content-Length` and the mark, which are added.
    fields: Vec<(Vec<u8>, Vec<u8>)>,
    body: Vec<u8>,
}

impl Attack {
    fn new(name: impl Into<String>) -> Self {
        let (method, target) = (b"GET".to_vec(), b"/".to_vec());
        Self { name: name.into(), method, target, fields: Vec::new(), body: Vec::new() }
    }

    fn target(mut self, target: impl Into<Vec<u8>>) -> Self {
        self.target = target.into();
        self
    }

    fn field(mut self, name: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) -> Self {
        self.fields.push((name.into(), value.into()));
        self
    }

    fn body(mut self, media_type: &str, body: impl Into<Vec<u8>>) -> Self {
        self.method = b"POST".to_vec();
        self.body = body.into();
        self.field("Content-Type", media_type)
    }

    /// As sent.
    fn bytes(&self, mark: usize) -> Vec<u8> {
        let named = |wanted: &str| {
            self.fields.iter().any(|(name, _)| name.eq_ignore_ascii_case(wanted.as_bytes()))
        };
        let mut bytes = [&self.method[..], b" ", &self.target, b" HTTP/1.1\r\n"].concat();
        bytes.extend(format!("X-Case: case-{mark}-\r\n").bytes());
        if !named("host") {
            bytes.extend(b"Host: shop.example\r\n");
        }
        for (name, value) in &self.fields {
            bytes.extend([name, &b": "[..], value, b"\r\n"].concat());
        }
        if !self.body.is_empty() && !named("content-length") {
            bytes.extend(format!("Content-Length: {}\r\n", self.body.len()).bytes());
        }
        bytes.extend(b"\r\n");
        bytes.extend(&self.body);
        bytes
    }
}

/// What came of an attack.
struct Outcome {
    status: u16,
    cpu: Duration,
}

/// All rules of the Core Rule Set.
const CRS_RULES: &str = "paranoia: 4, crs: /usr/share/modsecurity-crs";

fn settings(engine: &str, rules: &str) -> String {
    let told = "workers: 1\nevents: events.jsonl\naccess_log: false\nwatch: false\n";
    format!("{told}rules: {{ engine: {engine}, {rules} }}\n")
}

/// All rules of the Core Rule Set, none of which ends an exchange: each sees everything.
fn with_crs(upstream: &Upstream) -> Moongate {
    Moongate::before(upstream, &settings("detect", CRS_RULES))
}

/// Our own rules, in force.
fn with_base(upstream: &Upstream) -> Moongate {
    Moongate::before(upstream, &settings("on", &format!("files: [{BASE}]")))
}

/// Sends it and waits for the answer; then another request must be served.
fn send(moongate: &mut Moongate, attack: &Attack, mark: usize) -> Outcome {
    let before = moongate.cpu();
    let mut client = Client::connect(moongate.address);
    client.patience(Duration::from_secs(120));
    // Refused early, the rest finds nobody: the answer tells.
    let _ = client.try_send(attack.bytes(mark));
    let answer = client.try_read(attack.method == b"HEAD");
    let cpu = moongate.cpu().saturating_sub(before);
    assert!(moongate.runs(), "{} ended the process", attack.name);
    let status = answer.unwrap_or_else(|error| panic!("{}: {error}", attack.name)).status;
    let known = matches!(status, 200 | 400 | 403 | 405 | 408 | 413 | 414 | 417 | 426 | 431 | 501);
    assert!(known, "{}: {status}", attack.name);
    Outcome { status, cpu }
}

fn serves(moongate: &Moongate) {
    let mut client = moongate.connect();
    client.patience(Duration::from_secs(60));
    client.send(format!(
        "GET /next HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: {BROWSER}\r\nAccept: */*\r\n\r\n"
    ));
    assert_eq!(client.read().status, 200);
}

/// CPU time of a request that nobody would notice.
fn usual(moongate: &Moongate) -> Duration {
    serves(moongate);
    let before = moongate.cpu();
    for _ in 0..5 {
        serves(moongate);
    }
    (moongate.cpu() - before) / 5
}

/// The event of each attack, by its mark.
fn told(moongate: &Moongate) -> BTreeMap<usize, Value> {
    let mark = regex::Regex::new(r"case-(\d+)-").unwrap();
    let text = resting_events(moongate);
    let mut told = BTreeMap::new();
    for line in text.lines() {
        let event: Value = serde_json::from_str(line).expect("a line of JSON");
        if let Some(found) = mark.captures(line) {
            told.insert(found[1].parse().unwrap(), event);
        }
    }
    told
}
