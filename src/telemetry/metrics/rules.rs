//! Children of the rule engine's metrics, made once: their labels are small closed sets.

use std::sync::LazyLock;

use prometheus::{Histogram, IntCounter};

use super::label::{RULE_OUTCOMES, RULE_PHASES, SEVERITIES};
use super::metrics;
use crate::transaction::{Cost, Findings, Match, RulePhase};

/// What exchanges that rules judged move.
struct Handles {
    phases: [Histogram; RULE_PHASES.len()],
    matches: [[IntCounter; SEVERITIES.len()]; RULE_PHASES.len()],
    outcomes: [IntCounter; RULE_OUTCOMES.len()],
    inbound: Histogram,
    outbound: Histogram,
    inspected: [IntCounter; 2],
    spent: [Histogram; 2],
    verdicts: [IntCounter; 2],
}

static HANDLES: LazyLock<Handles> = LazyLock::new(|| Handles {
    phases: RULE_PHASES.map(|phase| metrics().rule_phase_seconds.with(&[phase])),
    matches: RULE_PHASES
        .map(|phase| SEVERITIES.map(|severity| metrics().rule_matches.with(&[phase, severity]))),
    outcomes: RULE_OUTCOMES.map(|outcome| metrics().rule_exchanges.with(&[outcome])),
    inbound: metrics().anomaly_score.with(&["request"]),
    outbound: metrics().anomaly_score.with(&["response"]),
    inspected: ["request", "response"].map(|of| metrics().inspected_bytes.with(&[of])),
    spent: ["work", "time"].map(|part| metrics().rule_budget_spent.with(&[part])),
    verdicts: ["remembered", "found"].map(|by| metrics().rule_verdicts.with(&[by])),
});

/// The histogram of a rule phase.
pub(crate) fn rule_phase(phase: RulePhase) -> &'static Histogram {
    let [first, ..] = &HANDLES.phases;
    HANDLES.phases.get(phase as usize).unwrap_or(first)
}

/// Counts bytes that rules looked into, of requests or responses.
pub(crate) fn inspected(of_response: bool, bytes: u64) {
    let [request, response] = &HANDLES.inspected;
    if of_response { response } else { request }.inc_by(bytes);
}

/// Counts verdicts on values, by how they were come by.
pub(crate) fn verdicts(recalled: u64, made: u64) {
    let [remembered, found] = &HANDLES.verdicts;
    remembered.inc_by(recalled);
    found.inc_by(made);
}

/// Counts what the rules found in one exchange, and whether they refused it.
pub(crate) fn rules_of_exchange(findings: &Findings, refused: bool) {
    let logged = || findings.matches.iter().filter(|rule| rule.logged);
    logged().for_each(count);
    let [clean, matched, refusals, would_refuse] = &HANDLES.outcomes;
    let outcome = match (refused, findings.would_have) {
        (true, _) => refusals,
        (false, Some(_)) => would_refuse,
        (false, None) if logged().next().is_some() => matched,
        (false, None) => clean,
    };
    outcome.inc();
    HANDLES.inbound.observe(findings.scores.inbound as f64);
    HANDLES.outbound.observe(findings.scores.outbound as f64);
}

/// Counts what judging an exchange cost, by what it may cost.
pub(crate) fn cost_of_exchange(cost: &Cost) {
    let [work, time] = &HANDLES.spent;
    work.observe(cost.work as f64 / cost.work_limit.max(1) as f64);
    time.observe(cost.time.as_secs_f64() / cost.time_limit.as_secs_f64().max(0.001));
    metrics().rule_work.observe(cost.work as f64);
    if let Some(exceeded) = &cost.exceeded {
        let outcome = if exceeded.refused { "refused" } else { "passed" };
        metrics().rule_budget_exceeded.with(&[exceeded.part.as_str(), outcome]).inc();
    }
}

fn count(rule: &Match) {
    let severity = rule.severity.map_or(SEVERITIES.len() - 1, |severity| severity as usize);
    let of_phase = HANDLES.matches.get(rule.phase as usize);
    if let Some(counter) = of_phase.and_then(|row| row.get(severity)) {
        counter.inc();
    }
}
