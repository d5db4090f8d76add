//! What a rule costs by what it is, before it has seen a request.
//!
//! The unit is the step: a byte of a value that an automaton reads. A link costs
//!
//! ```text
//! reach × ( asked × (values × call + bytes × effort) + bytes × transformations ÷ sharers )
//! ```
//!
//! where `values` and `bytes` are what an ordinary request has of its targets, `asked` is the part
//! of values that has what every match needs (of the head; later links are run over all), `call` and `effort` are what a value and each byte of
//! it cost the operator, and `sharers` are the links that have the same values transformed in the
//! same way, which is done once for all. `reach` is 1 for the head; a later link is reached where a value may match in the one
//! before. What a rule costs is the sum of its links: what an ordinary request pays at the most.

use std::collections::HashMap;

use super::ordinary::{Amount, amount_of};
use super::shortlist::{is_sifted, may_match};
use crate::detection::operators::Matcher;
use crate::detection::pattern::Pattern;
use crate::detection::plan::{ChainId, Link, Plan, Rule, TargetSetId, Test};
use crate::detection::prefilter::Clause;

/// Steps of running a compiled operator at all, on a value of no length.
const CALL: f64 = 40.0;
/// The same of a comparison (`@streq`, `@eq`).
const COMPARISON: f64 = 4.0;
/// What each byte costs an expression that needs backtracking, by what it costs an automaton.
const BACKTRACKING: f64 = 10.0;
/// Of a thousand values, how many a rule may be asked about for its needs to tell anything.
const COMMON: f64 = 900.0;
/// Steps up to which nobody has to care.
const CHEAP: f64 = 150.0;
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
    /// Whether it is run over so many values because nothing rare is known that every match has.
    pub unsifted: Option<Unsifted>,
}

/// Why an expression is run over nearly every value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsifted {
    /// The texts of which every match has one are in nearly every value.
    Common,
    /// There is no text that every match has, nor a rare byte.
    NoLiteral,
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

fn of_rule(plan: &Plan, rule: &Rule, sharers: &dyn Fn(&Link) -> Option<usize>) -> Estimate {
    let mut reach = 1.0;
    let mut links = Vec::new();
    for (at, link) in rule.links.iter().enumerate() {
        let sifted = at == 0 && is_sifted(link, plan);
        let estimated = of_link(plan, link, sifted, sharers(link).unwrap_or(1), reach);
        reach = f64::min(reach, reach * estimated.values * commonness(&may_match(link)) / ALL);
        links.push(estimated);
    }
    Estimate { steps: links.iter().map(|link| link.steps).sum(), links }
}

fn of_link(plan: &Plan, link: &Link, sifted: bool, sharers: usize, reach: f64) -> LinkEstimate {
    let set = link.targets.and_then(|set| plan.target_sets.get(set.0 as usize));
    // Without targets it is an action, which is done once.
    let Amount { values, bytes } = set.map_or(Amount { values: 1.0, bytes: 0.0 }, amount_of);
    let needs = may_match(link);
    let asked = if sifted { commonness(&needs) } else { ALL };
    let transformations = plan.chains.steps_to(link.chain).len().saturating_sub(1);
    let backtracks = matcher(&link.test).is_some_and(backtracks);
    let effort = effort(&link.test, backtracks);
    let runs = asked / ALL * (values * call(&link.test) + bytes * effort);
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
        unsifted: sifted
            .then(|| unsifted(link, needs.first(), asked, values * CALL + bytes))
            .flatten(),
    }
}

/// Of a thousand ordinary values, how many have the rarest of these.
fn commonness(needs: &[Clause]) -> f64 {
    needs.first().map_or(ALL, |rarest| f64::from(rarest.commonness()))
}

fn matcher(test: &Test) -> Option<&dyn Matcher> {
    match test {
        Test::Compiled(matcher) => Some(&**matcher),
        Test::Always | Test::Compares { .. } | Test::Later { .. } | Test::Never => None,
    }
}

fn call(test: &Test) -> f64 {
    match test {
        Test::Compiled(_) | Test::Later { .. } => CALL,
        Test::Always | Test::Compares { .. } | Test::Never => COMPARISON,
    }
}

fn backtracks(matcher: &dyn Matcher) -> bool {
    matcher.pattern().is_some_and(Pattern::needs_backtracking)
}

fn effort(test: &Test, backtracks: bool) -> f64 {
    match test {
        _ if backtracks => BACKTRACKING,
        Test::Compiled(matcher) => f64::from(matcher.effort()),
        Test::Compares { .. } | Test::Later { .. } => 1.0,
        Test::Always | Test::Never => 0.0,
    }
}

/// Only of expressions: who writes one can ask for a literal. What `!` turns around is run over every
/// value by its nature. `steps` are those of an automaton over every value.
fn unsifted(link: &Link, rarest: Option<&Clause>, asked: f64, steps: f64) -> Option<Unsifted> {
    let is_expression = matcher(&link.test).is_some_and(|matcher| matcher.pattern().is_some());
    if link.negated || !is_expression || asked < COMMON || steps <= CHEAP {
        return None;
    }
    let has_literal = rarest.is_some_and(|clause| !clause.literals.is_empty());
    Some(if has_literal { Unsifted::Common } else { Unsifted::NoLiteral })
}

impl LinkEstimate {
    /// What is dear about it and can be helped.
    pub fn advice(&self) -> Option<&'static str> {
        match self.unsifted {
            _ if self.backtracks => Some(
                "an automaton cannot run this expression: without look-around, back references and \
                 atomic groups it takes a tenth of the time",
            ),
            Some(Unsifted::NoLiteral) => {
                Some("no literal that every match has: each value is run through the expression")
            }
            Some(Unsifted::Common) => Some(
                "what every match has, nearly every value has: each is run through the expression",
            ),
            None => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Estimate, Unsifted, estimate};
    use crate::config::DiskFiles;
    use crate::detection::compile;
    use crate::seclang;

    fn estimates(rules: &str) -> Vec<Estimate> {
        let source = seclang::source("a.conf", rules.as_bytes());
        let (directives, _) = seclang::parse(&source, rules.as_bytes());
        estimate(&compile(&directives, &DiskFiles).plan.expect("no fault"))
    }

    #[test]
    fn the_formula_holds_link_by_link() {
        let rules = "SecRule ARGS \"@rx ^.*zz$\" \"id:1,phase:2,t:lowercase,t:trim,chain\"\n\
            SecRule REQUEST_URI \"@contains zz\"\n\
            SecRule ARGS \"@eq 1\" \"id:2,phase:2,t:lowercase,t:trim\"";
        let [chain, single] = &estimates(rules)[..] else { panic!("two rules") };
        let [head, second] = &chain.links[..] else { panic!("two links") };
        // Eight values of 128 bytes; two transformations that two rules share.
        let same = |one: f64, other: f64| assert!((one - other).abs() < 1e-6, "{one} {other}");
        same(head.steps, 0.1 * (8.0 * 40.0 + 128.0) + 128.0 * 2.0 / 2.0);
        assert_eq!((head.values, head.asked, head.sharers), (8.0, 100.0, 2));
        assert_eq!((second.reach, second.asked), (0.8, 1000.0));
        same(second.steps, 0.8 * (4.0 + 40.0));
        same(chain.steps, head.steps + second.steps);
        same(single.steps, 8.0 * 4.0 + 128.0 + 128.0);
    }

    #[test]
    fn only_what_its_author_can_help_is_told() {
        for (rule, unsifted, backtracks) in [
            ("ARGS \"@rx ^.{9}$\"", Some(Unsifted::NoLiteral), false),
            ("ARGS \"@rx [0-9]{16}\"", Some(Unsifted::NoLiteral), false),
            ("ARGS \"@rx ^(?:.*e.*a|o.*i)$\"", Some(Unsifted::NoLiteral), false),
            ("RESPONSE_BODY \"@rx ^.{9}$\"", Some(Unsifted::NoLiteral), false),
            ("ARGS \"@rx (.)x\\1\"", None, true),
            ("ARGS \"@rx union\\s+select\"", None, false),
            ("ARGS \"!@rx ^\\w+$\"", None, false),
            ("ARGS \"@streq x\"", None, false),
            ("ARGS:id \"@rx ^.{9}$\"", None, false),
            ("REQUEST_METHOD \"@rx ^(?!G).{3}$\"", None, true),
        ] {
            let estimates = estimates(&format!("SecRule {rule} \"id:1,phase:4,pass\""));
            let link = &estimates[0].links[0];
            assert_eq!((link.unsifted, link.backtracks), (unsifted, backtracks), "{rule}");
            assert_eq!(link.advice().is_some(), unsifted.is_some() || backtracks, "{rule}");
        }
    }
}
