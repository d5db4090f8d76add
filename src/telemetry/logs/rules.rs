//! What the rules found, in a line of the event log.

use super::json::{Object, TEXT_BYTES};
use crate::telemetry::{redaction, rule_events};
use crate::transaction::{Exceeded, Findings, Match};

/// Matches that are shown; how many there are besides is in `rules_left_out`.
const MATCHES: usize = 128;
/// Tags of a rule that are shown.
const TAGS: usize = 32;

/// Adds engine, scores and the rules that matched and are logged. Of a key `id` only rules have a
/// number, so that tools can look for them.
pub(super) fn add(object: &mut Object, findings: Option<&Findings>) {
    let judged = findings.filter(|findings| findings.mode.is_some());
    object.text("engine", judged.and_then(|findings| findings.mode));
    object.object("score", judged.map(scores));
    object.number("would_have", judged.and_then(|findings| findings.would_have));
    let matches = findings.map_or(&[][..], |findings| &findings.matches);
    let shown = || matches.iter().filter(|rule| rule.logged || rule.disruptive);
    object.list("rules", shown().take(MATCHES), |out, rule| {
        out.extend_from_slice(&self::rule(rule).end());
    });
    object.number("rules_left_out", Some(shown().count().saturating_sub(MATCHES)));
    let exceeded = judged.and_then(|findings| findings.cost.exceeded.as_ref());
    object.object("budget", exceeded.map(budget));
}

/// `spent` and `limit` are bytes looked at, or microseconds where the part is `time`.
fn budget(exceeded: &Exceeded) -> Object {
    let mut object = Object::with_capacity(256);
    object.text("part", Some(exceeded.part.as_str()));
    object.number("rule", exceeded.rule);
    object.number("phase", Some(exceeded.phase.number()));
    object.number("spent", Some(exceeded.spent));
    object.number("limit", Some(exceeded.limit));
    object.text("outcome", Some(if exceeded.refused { "refused" } else { "passed" }));
    object.text("help", Some(rule_events::next_step(exceeded)));
    object
}

fn scores(findings: &Findings) -> Object {
    let mut scores = Object::with_capacity(32);
    scores.number("inbound", Some(findings.scores.inbound));
    scores.number("outbound", Some(findings.scores.outbound));
    scores
}

fn rule(rule: &Match) -> Object {
    let mut object = Object::with_capacity(512);
    let told = |text| redaction::told(&rule.variable, text);
    object.number("id", Some(rule.id));
    object.number("phase", Some(rule.phase.number()));
    object.raw("msg", Some(&told(&rule.message)), TEXT_BYTES);
    object.raw("data", Some(&told(&rule.data)), TEXT_BYTES);
    object.text("severity", rule.severity.map(crate::transaction::Severity::as_str));
    object.list("tags", rule.tags.iter().take(TAGS), |out, tag| {
        super::json::escape(out, tag.as_bytes(), TEXT_BYTES);
    });
    object.text("file", Some(&rule.place));
    object.raw("variable", Some(&rule.variable), TEXT_BYTES);
    object.raw("value", Some(&redaction::matched(&rule.variable, &rule.value)), TEXT_BYTES);
    object.boolean("disruptive", rule.disruptive);
    object
}
