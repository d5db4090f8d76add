//! What a rule costs by what it is, before it has seen a request.
//!
//! The unit is the step: a byte of a value that an automaton reads. A link costs
//!
//! ```text
//! reach × ( asked × (values × CALL + bytes × effort) + bytes × transformations ÷ sharers )
//! ```
//!
//! where `values` and `bytes` are what an ordinary request has of its targets, `asked` is the part
//! of values that has what every match needs, `effort` is what a byte costs the operator, and
//! `sharers` are the links that have the same values transformed in the same way, which is done once
//! for all. `reach` is 1 for the head; a later link is reached where a value may match in the one
//! before. What a rule costs is the sum of its links: what an ordinary request pays at the most.

use std::collections::HashMap;

use super::ordinary::{Amount, amount_of};
use crate::detection::operators::Matcher;
use crate::detection::plan::{ChainId, Link, Plan, Rule, TargetSetId, Test};
use crate::detection::prefilter::needs;

/// Steps of running a test at all, on a value of no length.
const CALL: f64 = 20.0;
/// What each byte costs an expression that needs backtracking, by what it costs an automaton.
const BACKTRACKING: f64 = 20.0;
/// Of a thousand ordinary values.
const ALL: f64 = 1000.0;

/// What a rule costs by what it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Estimate {
    /// For an ordinary request, at the most.
    pub steps: f64,
    /// Of what it is made, link by link.
    pub links: Vec<LinkEstimate>,
}

/// What a link costs, and why.
#[derive(Debug, Clone, PartialEq)]
pub struct LinkEstimate {
    /// For an ordinary request, at the most.
    pub steps: f64,
    /// In how many of ordinary requests it is reached, 0 to 1.
    pub reach: f64,
    /// Values of an ordinary request that it looks at.
    pub values: f64,
    /// Bytes of all of them.
    pub bytes: f64,
    /// Of a thousand such values, how many have what every match needs.
    pub asked: f64,
    /// What a byte costs its operator, by what it costs an automaton.
    pub effort: f64,
    /// Transformations, one after the other.
    pub transformations: usize,
    /// Links that have the same done to the same values, this one among them.
    pub sharers: usize,
    /// Whether what is found is captured.
    pub captures: bool,
    /// Whether it is an expression that an automaton alone cannot run.
    pub backtracks: bool,
    /// Whether nothing is known that every match has.
    pub needs_nothing: bool,
}

/// What each rule of a plan costs, by its place in it.
pub fn estimate(plan: &Plan) -> Vec<Estimate> {
    let mut sharers: HashMap<(TargetSetId, ChainId), usize> = HashMap::new();
    for link in plan.rules.iter().flat_map(|rule| &rule.links) {
        if let Some(set) = link.targets {
            *sharers.entry((set, link.chain)).or_default() += 1;
        }
    }
    let sharers = |link: &Link| Some(*sharers.get(&(link.targets?, link.chain))?);
    plan.rules.iter().map(|rule| of_rule(plan, rule, &sharers)).collect()
}

fn of_rule(
    plan: &Plan,
    rule: &Rule,
    sharers: &dyn Fn(&Link) -> Option<usize>,
) -> Estimate {
    let mut reach = 1.0;
    let mut links = Vec::new();
    for link in &rule.links {
        let estimated = of_link(plan, link, sharers(link).unwrap_or(1), reach);
        reach = f64::min(reach, reach * estimated.values * estimated.asked / ALL);
        links.push(estimated);
    }
    Estimate { steps: links.iter().map(|link| link.steps).sum(), links }
}

fn of_link(plan: &Plan, link: &Link, sharers: usize, reach: f64) -> LinkEstimate {
    let set = link.targets.and_then(|set| plan.target_sets.get(set.0 as usize));
    // Without targets it is an action, which is done once.
    let Amount { values, bytes } = set.map_or(Amount { values: 1.0, bytes: 0.0 }, amount_of);
    let needs = if link.negated { Vec::new() } else { needs(&link.test).clauses };
    let asked = needs.first().map_or(ALL, |rarest| f64::from(rarest.commonness()));
    let transformations = plan.chains.steps_to(link.chain).len().saturating_sub(1);
    let backtracks = matcher(&link.test).is_some_and(backtracks);
    let effort = effort(&link.test, backtracks);
    let runs = asked / ALL * (values * CALL + bytes * effort);
    let made = bytes * transformations as f64 / sharers as f64;
    LinkEstimate {
        steps: reach * (runs + made),
        reach,
        values,
        bytes,
        asked,
        effort,
        transformations,
        sharers,
        captures: link.capture,
        backtracks,
        needs_nothing: needs.is_empty(),
    }
}

fn matcher(test: &Test) -> Option<&dyn Matcher> {
    match test {
        Test::Compiled(matcher) => Some(&**matcher),
        Test::Always | Test::Compares { .. } | Test::Later { .. } | Test::Never => None,
    }
}

fn backtracks(matcher: &dyn Matcher) -> bool {
    matcher.pattern().is_some_and(|pattern| pattern.needs_backtracking())
}

fn effort(test: &Test, backtracks: bool) -> f64 {
    match test {
        _ if backtracks => BACKTRACKING,
        Test::Compiled(matcher) => f64::from(matcher.effort()),
        Test::Compares { .. } | Test::Later { .. } => 1.0,
        Test::Always | Test::Never => 0.0,
    }
}

impl LinkEstimate {
    /// What its author can do about it, if anything helps.
    pub fn next_step(&self) -> Option<&'static str> {
        None
    }
}
