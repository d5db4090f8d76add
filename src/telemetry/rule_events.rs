//! Facts of the rule engine.

use std::time::Duration;

use super::metrics::{metrics, rule_phase, rules_of_exchange};
use crate::transaction::{Findings, RulePhase, Verdict};

/// The rules of a phase ran for one exchange.
pub struct RulesRan {
    /// Which.
    pub phase: RulePhase,
    /// Wall time, waiting included.
    pub took: Duration,
}

impl RulesRan {
    /// Counts it.
    pub fn emit(self) {
        rule_phase(self.phase).observe(self.took.as_secs_f64());
    }
}

/// Rules looked into a request's body.
pub struct BodyInspected {
    /// Bytes that were looked at.
    pub bytes: u64,
    /// Whether it could not be read to its end in the format that it claims.
    pub error: bool,
}

impl BodyInspected {
    /// Counts it.
    pub fn emit(self) {
        metrics().inspected_bytes.with(&["request"]).inc_by(self.bytes);
        if self.error {
            metrics().body_errors.inc();
        }
    }
}

/// Rules looked into a response's body.
pub struct ResponseInspected {
    /// Bytes that were looked at, decompressed.
    pub bytes: u64,
}

impl ResponseInspected {
    /// Counts it.
    pub fn emit(self) {
        metrics().inspected_bytes.with(&["response"]).inc_by(self.bytes);
    }
}

/// Counts what the rules found in an exchange, if any looked at it.
pub(super) fn count(findings: &Findings, verdict: Verdict) {
    if findings.mode.is_none() {
        return;
    }
    let refused =
        verdict == Verdict::Refused && findings.matches.iter().any(|rule| rule.disruptive);
    rules_of_exchange(findings, refused);
}
