//! One line of the audit log.

use std::net::IpAddr;
use std::time::SystemTime;

use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::super::access::Denied;
use super::super::asked::{Asked, Head};
use super::super::policy::stamp;
use super::super::table::Endpoint;
use crate::policy::hex;

/// Bytes of `before` and of `after` at the most; of what is longer its digest is kept.
const LONGEST_VALUE: usize = 4096;
/// Characters of any text in it at the most.
const LONGEST_TEXT: usize = 512;

/// One line of the audit log.
#[derive(Debug, Clone, Serialize)]
pub struct Entry {
    /// When, in RFC 3339.
    pub at: String,
    /// The token's name; in brackets where there was none.
    pub who: String,
    /// The token's role.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<&'static str>,
    /// The token's owner.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// The client's address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<IpAddr>,
    /// What was done: `function.push`; or asked: `PUT /functions/{name}`.
    pub what: String,
    /// On what.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub target: String,
    /// What was.
    #[serde(skip_serializing_if = "Value::is_null")]
    pub before: Value,
    /// What is.
    #[serde(skip_serializing_if = "Value::is_null")]
    pub after: Value,
    /// `done`, `refused`, or why access was denied.
    pub outcome: String,
    /// What was answered, where nothing was changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The answer's error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Attempts without a known token before this one that have no entry of their own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unrecorded: Option<u64>,
}

impl Entry {
    pub(super) fn of(who: &str, what: &str, outcome: &str) -> Self {
        Self {
            at: stamp(SystemTime::now()),
            who: who.to_owned(),
            role: None,
            owner: None,
            from: None,
            what: what.to_owned(),
            target: String::new(),
            before: Value::Null,
            after: Value::Null,
            outcome: outcome.to_owned(),
            status: None,
            error: None,
            unrecorded: None,
        }
    }

    pub(super) fn asked(asked: &Asked, what: &str) -> Self {
        Self {
            role: Some(asked.who.role.as_str()),
            owner: asked.who.owner.clone(),
            from: Some(asked.from.ip()),
            ..Self::of(&asked.who.name, what, "done")
        }
    }

    pub(super) fn denied(head: &Head<'_>, endpoint: Option<&Endpoint>, denied: &Denied) -> Self {
        let who = denied.who.as_ref();
        let method = if is_method(head.method) { head.method } else { "?" };
        let what = match endpoint {
            Some(endpoint) => format!("{} {}", endpoint.method, endpoint.pattern),
            None => format!("{method} ?"),
        };
        Self {
            role: who.map(|who| who.role.as_str()),
            owner: who.and_then(|who| who.owner.clone()),
            from: Some(head.from.ip()),
            target: head.path.to_owned(),
            ..Self::of(who.map_or("(unknown)", |who| &who.name), &what, denied.reason())
        }
    }

    /// It as JSON with its line's end, of bounded length.
    pub(super) fn line(&self) -> String {
        let bounded = Self {
            target: shortened(&self.target),
            before: summary(&self.before),
            after: summary(&self.after),
            error: self.error.as_deref().map(shortened),
            ..self.clone()
        };
        let mut line = serde_json::to_string(&bounded).unwrap_or_default();
        line.push('\n');
        line
    }
}

fn is_method(text: &str) -> bool {
    text.len() <= 16 && text.bytes().all(|byte| byte.is_ascii_uppercase())
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(LONGEST_TEXT) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

fn summary(value: &Value) -> Value {
    let text = value.to_string();
    if text.len() <= LONGEST_VALUE {
        return value.clone();
    }
    json!({ "bytes": text.len(), "sha256": hex(&Sha256::digest(&text)) })
}

#[cfg(test)]
mod tests {
    use super::Entry;
    use serde_json::{Value, json};

    #[test]
    fn a_line_is_short_whatever_is_put_into_it() {
        let entry = Entry {
            target: "é".repeat(10_000),
            before: Value::String("x".repeat(1 << 20)),
            after: json!({ "digest": "a\nb" }),
            ..Entry::of("ops", "policy.reload", "done")
        };
        let line = entry.line();
        assert!(line.len() < 4096 && line.lines().count() == 1, "{line}");
        let read: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(read["before"]["bytes"], (1 << 20) + 2);
        assert_eq!(read["after"]["digest"], "a\nb");
        assert!(read.get("status").is_none());
    }
}
