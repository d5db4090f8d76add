//! Labels: which values each can have. None has a value that a client chooses.

use std::collections::{HashMap, HashSet};
use std::sync::{LazyLock, Mutex, PoisonError};

/// A label's name and which values it can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Label {
    /// As in queries.
    pub name: &'static str,
    /// Which values it can have.
    pub values: Values,
    /// How many an open one can have in the life of the process; what comes after them is [`OTHER`].
    pub most: usize,
}

/// Which values a label can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Values {
    /// Just these.
    Closed(&'static [&'static str]),
    /// What the text says; at most [`Label::most`].
    Open(&'static str),
}

/// How many values an open label can have in the life of the process, unless it says otherwise.
pub const MAX_VALUES: usize = 1000;
/// How many owners are told apart.
const MAX_OWNERS: usize = 100;
/// What stands for all values past the bound.
pub const OTHER: &str = "other";
/// What stands for all upstreams whose address a script computed.
pub(super) const COMPUTED: &str = "computed";
/// What stands where there is no value: a request that met no route.
pub const NONE: &str = "none";

pub(super) const ADMIN_ENDPOINT: Label =
    open("endpoint", "paths of the admin API as in [its page](admin-api.md); `-`: no such path");
pub(super) const ADMIN_METHOD: Label = open("method", "methods of the admin API");
pub(super) const ADMIN_STATUS: Label = open("status", "statuses of HTTP");
pub(super) const BUDGET_LIMIT: Label = closed("part", &["rule", "time", "work"]);
pub(super) const BUDGET_OUTCOME: Label = closed("outcome", &["passed", "refused"]);
pub(super) const BUDGET_PART: Label = closed("part", &["work", "time"]);
pub(super) const CLASS: Label = closed("class", &CLASSES);
pub(super) const COLLECTION: Label = open("collection", "typed collections by name");
pub(super) const COME_BY: Label = closed("by", &["found", "remembered"]);
pub(super) const CONNECTION: Label = closed("connection", &["new", "reused"]);
pub(super) const DENIED: Label = closed("reason", &DENIALS);
pub(super) const DICTIONARY: Label = open("dictionary", "shared dictionaries by name");
pub(super) const DIRECTION: Label = closed("direction", &["request", "response"]);
pub(super) const DOMAIN: Label = open("domain", "isolation domains of scripts");
pub(super) const ERROR: Label =
    closed("kind", &["cpu", "limit", "memory", "response", "runtime", "syntax", "wait"]);
pub(super) const FUNCTION: Label = open("function", "functions by name");
pub(super) const HANDSHAKE: Label = closed("outcome", &HANDSHAKES);
pub(super) const KILL: Label = closed("reason", &KILLS);
pub(super) const LIMIT: Label = closed("limit", &["per_client", "total"]);
pub(super) const LOG: Label = closed("log", &["access", "events"]);
pub(super) const LOSS: Label = closed("reason", &["queue_full", "write_failed"]);
pub(super) const LUA_PHASE: Label = closed("phase", &LUA_PHASES);
pub(super) const MODULE: Label = open("module", "modules and chunks by name");
pub(super) const OUTCOME: Label = closed(
    "outcome",
    &["bad_response", "connect_error", "ok", "read_error", "timeout", "tls_error", "write_error"],
);
pub(super) const OWNER: Label = Label {
    most: MAX_OWNERS,
    ..open("owner", "owners of scripts, the first 100; `operator`: the configuration")
};
pub(super) const OWNER_LIMIT: Label = closed("limit", &["calls", "connections", "cpu", "memory"]);
pub(super) const PEER: Label = open("peer", "peers as declared");
pub(super) const PHASE: Label = closed("phase", &LUA_PHASES);
pub(super) const ROLLOUT: Label =
    closed("what", &["aborted", "began", "ended", "promoted", "rolled_back"]);
pub(super) const REASON: Label = open("reason", "the guard's codes, such as `guard::two_lengths`");
pub(super) const ROUTE: Label = open("route", "routes by name; `none`: it met no route");
pub(super) const RULE_OUTCOME: Label = closed("outcome", &RULE_OUTCOMES);
pub(super) const RULE_PHASE: Label = closed("rule_phase", &RULE_PHASES);
pub(super) const SEVERITY: Label = closed("severity", &SEVERITIES);
pub(super) const TARGET: Label = open("target", "log targets, such as `file:access.log`");
pub(super) const UPSTREAM: Label =
    open("upstream", "upstreams by name; `computed`: a script gave its address");
pub(super) const VERDICT: Label = closed("verdict", &["allowed", "answered", "failed", "refused"]);
pub(super) const VERSION: Label = open("version", "the version");
pub(super) const WORKER: Label = open("worker", "workers by number, from 0");

/// Status classes; `none`: the connection was closed without a status.
pub(super) const CLASSES: [&str; 6] = ["none", "1xx", "2xx", "3xx", "4xx", "5xx"];
/// Why a request on the admin address is denied.
pub(super) const DENIALS: [&str; 9] = [
    "expired_token",
    "foreign_page",
    "no_token",
    "no_tokens",
    "owner",
    "remote",
    "role",
    "too_many_failures",
    "unknown_token",
];
/// What can come of a TLS handshake.
pub(super) const HANDSHAKES: [&str; 10] = [
    "bad_hello",
    "certificate",
    "failed",
    "gone",
    "no_certificate",
    "ok",
    "plain_http",
    "refused",
    "resumed",
    "timeout",
];
/// The outcomes of a call that are kills.
pub(super) const KILLS: [&str; 4] = ["cpu", "memory", "response", "wait"];
/// The phases by [`crate::transaction::Phase::index`].
pub(super) const LUA_PHASES: [&str; 16] = [
    "init",
    "init_worker",
    "set",
    "rewrite",
    "access",
    "content",
    "header_filter",
    "body_filter",
    "log",
    "timer",
    "balancer",
    "server_rewrite",
    "precontent",
    "exit_worker",
    "ssl_client_hello",
    "ssl_certificate",
];

/// What can come of an exchange that rules judged.
pub(super) const RULE_OUTCOMES: [&str; 4] = ["clean", "matched", "refused", "would_refuse"];
/// The rule phases in order.
pub(super) const RULE_PHASES: [&str; 5] = ["1", "2", "3", "4", "5"];
/// The severities by [`crate::transaction::Severity`], and a match without one.
pub(super) const SEVERITIES: [&str; 9] =
    ["emergency", "alert", "critical", "error", "warning", "notice", "info", "debug", NONE];

const fn closed(name: &'static str, values: &'static [&'static str]) -> Label {
    Label { name, values: Values::Closed(values), most: values.len() }
}

const fn open(name: &'static str, meaning: &'static str) -> Label {
    Label { name, values: Values::Open(meaning), most: MAX_VALUES }
}

/// Values that open labels had so far, by the label's name.
static SEEN: LazyLock<Mutex<HashMap<&'static str, HashSet<String>>>> =
    LazyLock::new(Mutex::default);

impl Label {
    /// The value as it may be shown: itself, or [`OTHER`] where it is none of a closed set or one
    /// too many of an open one.
    pub(super) fn bounded<'a>(&self, value: &'a str) -> &'a str {
        let known = match self.values {
            Values::Closed(values) => values.contains(&value),
            Values::Open(_) => self.admits(value),
        };
        if known { value } else { OTHER }
    }

    fn admits(&self, value: &str) -> bool {
        let mut seen = SEEN.lock().unwrap_or_else(PoisonError::into_inner);
        let values = seen.entry(self.name).or_default();
        if values.contains(value) {
            return true;
        }
        let room = values.len() < self.most;
        if room {
            values.insert(value.to_owned());
        }
        room
    }
}

#[cfg(test)]
mod tests {
    use super::{LUA_PHASES, MAX_VALUES, OTHER, VERDICT, open};
    use crate::transaction::{Phase, Verdict};

    #[test]
    fn the_thousand_and_first_value_is_other_and_the_first_stay_themselves() {
        let label = open("label_of_this_test", "numbers");
        for number in 0..MAX_VALUES {
            assert_eq!(label.bounded(&number.to_string()), number.to_string());
        }
        assert_eq!(label.bounded("one more"), OTHER);
        assert_eq!(label.bounded("17"), "17");
    }

    #[test]
    fn a_closed_set_admits_only_its_own() {
        assert_eq!(VERDICT.bounded("refused"), "refused");
        assert_eq!(VERDICT.bounded("maybe"), OTHER);
    }

    #[test]
    fn sets_spell_what_the_code_says() {
        for verdict in Verdict::ALL {
            assert_eq!(VERDICT.bounded(verdict.as_str()), verdict.as_str());
        }
        for phase in Phase::NINE.into_iter().chain([Phase::Timer]) {
            assert_eq!(LUA_PHASES.get(phase.index()), Some(&phase.as_str()));
        }
    }
}
