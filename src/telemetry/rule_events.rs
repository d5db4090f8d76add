//! Facts of the rule engine.

use std::time::Duration;

use super::metrics::{inspected, metrics, rule_phase, rules_of_exchange};
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

/// Rules looked into a body.
pub struct BodyInspected {
    /// `request` or `response`: whose.
    pub of: &'static str,
    /// Bytes that were looked at, those of a response decompressed.
    pub bytes: u64,
    /// Whether it could not be read to its end in the format or coding that it claims.
    pub error: bool,
}

impl BodyInspected {
    /// Counts it.
    pub fn emit(self) {
        inspected(self.of == "response", self.bytes);
        if self.error {
            metrics().body_errors.with(&[self.of]).inc();
        }
    }
}

/// Counts what the rules found in an exchange, if any looked at it.
pub(super) fn count(findings: &Findings, verdict: Verdict) {
    if findings.mode.is_none() {
        return;
    }
    metrics().pattern_cuts.inc_by(findings.cuts.into());
    let refused =
        verdict == Verdict::Refused && findings.matches.iter().any(|rule| rule.disruptive);
    rules_of_exchange(findings, refused);
}
