//! What the admin address answers: metrics, health, the policy in force.
//!
//! Plain values in and out: the sockets are in [`crate::server`].

mod policy;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use subtle::ConstantTimeEq as _;

use crate::functions::FunctionStore;
use crate::policy::PolicyStore;
use crate::telemetry;

/// What answers need.
pub struct Admin {
    /// The policy in force and how it came to be.
    pub store: Arc<PolicyStore>,
    /// The functions of this node.
    pub functions: Arc<FunctionStore>,
    /// What `Authorization: Bearer …` must say; none: the address is loopback.
    pub token: Option<String>,
    /// Whether every worker serves and none is stopping.
    pub ready: Arc<AtomicBool>,
}

/// A request on the admin address.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// Its method.
    pub method: &'a str,
    /// Its path, without query.
    pub path: &'a str,
    /// Its `Host` field.
    pub host: Option<&'a str>,
    /// Its `Origin` field: a browser sends one.
    pub origin: Option<&'a str>,
    /// Its `Authorization` field.
    pub authorization: Option<&'a str>,
}

/// What is answered.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The MIME type.
    pub media_type: &'static str,
    /// The body.
    pub body: String,
}

/// Whether the answer needs a reload first.
#[derive(Debug, Clone)]
pub enum Reload {
    /// No: this is the answer.
    No(Answer),
    /// Yes; the answer says what it came to.
    Wanted,
}

const INDEX: &str = "moongate admin\n\n\
    GET  /metrics        what Prometheus scrapes\n\
    GET  /healthz        the process lives\n\
    GET  /readyz         every worker serves\n\
    GET  /policy         the policy in force, and the faults of the last refused one\n\
    POST /policy/reload  read the files again\n\
    GET  /upstreams      peers and their health\n";

/// Answers a request.
pub fn answer(admin: &Admin, asked: &Asked<'_>) -> Reload {
    if let Some(refused) = refuse(admin, asked) {
        return Reload::No(refused);
    }
    Reload::No(match (asked.method, asked.path) {
        ("GET" | "HEAD", "/") => Answer::text(200, INDEX),
        ("GET" | "HEAD", "/healthz") => Answer::text(200, "ok\n"),
        ("GET" | "HEAD", "/readyz") => readiness(admin),
        ("GET" | "HEAD", "/metrics") => metrics(),
        ("GET" | "HEAD", "/policy") => Answer::json(200, &policy::describe(&admin.store)),
        ("GET" | "HEAD", "/upstreams") => Answer::json(200, &policy::upstreams(&admin.store)),
        ("POST", "/policy/reload") => return Reload::Wanted,
        (_, "/" | "/healthz" | "/readyz" | "/metrics" | "/policy" | "/upstreams") => {
            Answer::text(405, "this is read by GET\n")
        }
        (_, "/policy/reload") => Answer::text(405, "a reload is asked for by POST\n"),
        _ => Answer::text(404, INDEX),
    })
}

/// Who has no token, or is a browser led here by another site.
fn refuse(admin: &Admin, asked: &Asked<'_>) -> Option<Answer> {
    let Some(token) = &admin.token else {
        return (!is_local(asked)).then(|| {
            Answer::text(403, "asked by a page of another site: use the address itself\n")
        });
    };
    // Probes of load balancers carry no token, and learn no more than that the port answers.
    if matches!(asked.path, "/healthz" | "/readyz") {
        return None;
    }
    let given = asked.authorization.and_then(|text| text.strip_prefix("Bearer "));
    let given = given.unwrap_or_default();
    let same = bool::from(given.as_bytes().ct_eq(token.as_bytes()));
    (!same).then(|| Answer::text(401, "send the admin token: `Authorization: Bearer …`\n"))
}

/// Whether a request without token is from this machine's own tools: a page of another site could
/// reach a loopback port through its visitor's browser.
fn is_local(asked: &Asked<'_>) -> bool {
    let host = asked.host.unwrap_or_default();
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    let direct = name == "localhost" || name.parse::<std::net::IpAddr>().is_ok();
    let same_origin = asked
        .origin
        .is_none_or(|origin| origin.strip_prefix("http://").is_some_and(|origin| origin == host));
    direct && same_origin
}

fn readiness(admin: &Admin) -> Answer {
    if admin.ready.load(Ordering::Relaxed) {
        Answer::text(200, "ready\n")
    } else {
        Answer::text(503, "not ready: starting or stopping\n")
    }
}

fn metrics() -> Answer {
    Answer {
        status: 200,
        media_type: "text/plain; version=0.0.4; charset=utf-8",
        body: telemetry::metrics_text(),
    }
}

impl Admin {
    /// The number of the policy in force.
    pub fn generation(&self) -> u64 {
        self.store.generation()
    }
}

impl Answer {
    /// Plain text.
    pub fn text(status: u16, body: impl Into<String>) -> Self {
        Self { status, media_type: "text/plain; charset=utf-8", body: body.into() }
    }

    /// JSON, indented for people.
    pub fn json(status: u16, value: &serde_json::Value) -> Self {
        Self { status, media_type: "application/json", body: format!("{value:#}\n") }
    }

    /// A reload went well.
    pub fn reloaded(generation: u64, changed: bool) -> Self {
        Self::json(200, &serde_json::json!({ "generation": generation, "changed": changed }))
    }

    /// A reload was refused; the policy before stays.
    pub fn refused(report: &str) -> Self {
        Self::text(422, report)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked<'a>(host: &'a str, origin: Option<&'a str>) -> Asked<'a> {
        Asked { method: "GET", path: "/policy", host: Some(host), origin, authorization: None }
    }

    #[test]
    fn a_page_of_another_site_learns_nothing() {
        assert!(is_local(&asked("127.0.0.1:9180", None)));
        assert!(is_local(&asked("[::1]:9180", None)));
        assert!(is_local(&asked("localhost:9180", Some("http://localhost:9180"))));
        assert!(!is_local(&asked("rebound.example:9180", None)));
        assert!(!is_local(&asked("127.0.0.1:9180", Some("http://evil.example"))));
    }
}
