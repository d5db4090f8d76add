//! What is said besides faults: rules that name collections that are not declared, and (by `check`)
//! rules of the operator's own that are dear.

use std::collections::HashSet;
use std::sync::Arc;

use super::diagnose::{line_span, sources};
use super::{Policy, Step, base};
use crate::config::HandlerSource;
use crate::detection::{self, Rule, cost};
use crate::diagnostic::{Diagnostic, Source};
use crate::script::builtin::builtin;
use crate::script::{Remark, Script, State, review};

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

/// What the operator's scripts ask for that is not here.
pub(super) fn of_scripts(policy: &Policy) -> Vec<Diagnostic> {
    let sources = sources(policy);
    let remarks = policy.domains.iter().enumerate().flat_map(|(domain, spec)| {
        let steps = policy.steps.iter().filter(|step| step.domain == domain);
        let scripts = steps.filter_map(script).collect();
        // A state that cannot be made is told by the rehearsal.
        State::new(spec.clone(), 0).map_or_else(|_| Vec::new(), |state| review(&state, scripts))
    });
    once(remarks.map(|remark| placed(&remark, &sources)).collect())
}

fn script(step: &Step) -> Option<Script> {
    let phase = Some(step.phase);
    match &step.source {
        HandlerSource::Chunk { name, text, line_offset, .. } => {
            let text = "\n".repeat(*line_offset) + text;
            Some(Script { name: name.clone(), text, phase })
        }
        // What comes with Moongate is tested with it.
        HandlerSource::Module { name, text, .. } if builtin(name) == Some(text) => None,
        HandlerSource::Module { origin, text, .. } => {
            Some(Script { name: origin.clone(), text: text.to_string(), phase: None })
        }
        HandlerSource::File { .. } | HandlerSource::RuleScript { .. } => None,
    }
}

fn placed(remark: &Remark, sources: &[Arc<Source>]) -> Diagnostic {
    let (what, instead) = remark.message.split_once(": ").unwrap_or((&remark.message, ""));
    let warning = Diagnostic::warning("script::absent", what).help(match instead {
        "" => "take it out; docs/lua-api.md has all there is",
        instead => instead,
    });
    let source = sources.iter().find(|source| source.name == remark.name);
    match source {
        Some(source) => {
            let span = line_span(&source.text, remark.line as usize);
            warning.at(source, span, "asked for here")
        }
        None => warning,
    }
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
