//! Facts of the rule engine.

use std::time::Duration;

use super::log;
use super::metrics::{
    cost_of_exchange, inspected, metrics, rule_phase, rules_of_exchange, verdicts,
};
use crate::transaction::{BudgetPart, Exceeded, Findings, RulePhase, Verdict};

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

/// Values were judged by rules.
pub struct ValuesJudged {
    /// How many verdicts were remembered from the same value before.
    pub remembered: u64,
    /// How many were found.
    pub found: u64,
}

impl ValuesJudged {
    /// Counts them.
    pub fn emit(self) {
        verdicts(self.remembered, self.found);
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
    cost_of_exchange(&findings.cost);
    if let Some(exceeded) = &findings.cost.exceeded {
        log::trouble(|| told(exceeded));
    }
}

/// What an operator does about an exchange that cost too much.
pub(super) fn next_step(exceeded: &Exceeded) -> &'static str {
    match exceeded.part {
        BudgetPart::Rule => {
            "exclude what this rule looks at for this path (`rules.exclusions`), or raise \
             `rules.budget.work`: a rule may take a quarter of it"
        }
        BudgetPart::Time => {
            "if the machine was not just busy: raise `rules.budget.time` for the route, or lower \
             what its requests may hold (`SecRequestBodyNoFilesLimit`)"
        }
        BudgetPart::Work => {
            "if such requests are usual here: raise `rules.budget.work` for the route, or exclude \
             from rules what is long and harmless (`rules.exclusions`)"
        }
    }
}

fn told(exceeded: &Exceeded) -> String {
    let Exceeded { part, rule, phase, spent, limit, refused } = exceeded;
    let who = rule.map_or_else(|| "rules".to_owned(), |id| format!("rule {id}"));
    let unit = if *part == BudgetPart::Time { "µs" } else { "bytes of work" };
    let outcome = if *refused { "was refused" } else { "passed" };
    format!(
        "{who} of phase {}: an exchange cost more than it may ({}: {spent} of {limit} {unit}) and \
             {outcome}\n  = help: {}",
        phase.number(),
        part.as_str(),
        next_step(exceeded)
    )
}
