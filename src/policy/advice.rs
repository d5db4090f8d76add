//! What is said besides faults: rules that name collections that are not declared, and (by `check`)
//! rules of the operator's own that are dear.

use std::collections::HashSet;

use super::{Policy, base};
use crate::detection::{self, Rule, cost};
use crate::diagnostic::Diagnostic;

/// Each thing once: routes have much in common. Of rules that come in packages nothing is said: who
/// runs them did not write them, and `moongate rules cost` tells what they cost.
pub(super) fn advice(policy: &Policy) -> Vec<Diagnostic> {
    let plans = policy.rulesets.iter().map(|ruleset| &ruleset.plan);
    once(plans.flat_map(|plan| cost::advice(plan, |rule| !is_packaged(rule))).collect())
}

/// Rules that look into collections which are not declared.
pub(super) fn undeclared(policy: &Policy) -> Vec<Diagnostic> {
    let plans = policy.rulesets.iter().map(|ruleset| &ruleset.plan);
    let is_declared = |name: &str| policy.tables.is_declared(name);
    once(plans.flat_map(|plan| detection::undeclared(plan, is_declared)).collect())
}

fn once(mut all: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let mut told = HashSet::new();
    all.retain(|advice| {
        let place = advice.place.as_ref();
        let place = place.map(|place| (place.source.name.clone(), place.span.start));
        told.insert((advice.code, advice.message.clone(), place))
    });
    all
}

/// Whether a rule is built in, or of the Core Rule Set or a plugin of it, by what it says itself:
/// its files may be anywhere.
fn is_packaged(rule: &Rule) -> bool {
    let built_in =
        rule.about.source.as_ref().is_some_and(|source| base::is_built_in(source.name.as_ref()));
    let version = rule.about.version.as_deref().unwrap_or_default();
    built_in || version.starts_with("OWASP_CRS/") || version.contains("-plugin/")
}
