//! What `moongate check` says of dear rules, where they stand.

use std::collections::HashMap;
use std::sync::Arc;

use super::constructs::{Construct, culprit};
use super::estimate::{LinkEstimate, Unsifted, estimate};
use crate::detection::compile::inside;
use crate::detection::pattern::Pattern;
use crate::detection::plan::{Link, Plan, Rule, Test};
use crate::diagnostic::{Diagnostic, Source};
use crate::seclang::{self, DirectiveKind, Word};

/// Warnings of rules whose expressions are run over nearly every value, or need backtracking; of
/// those rules for which `wanted` says yes.
pub fn advice(plan: &Plan, wanted: impl Fn(&Rule) -> bool) -> Vec<Diagnostic> {
    let mut sources = Sources::default();
    let mut told = Vec::new();
    for (rule, estimate) in plan.rules.iter().zip(estimate(plan)) {
        if !wanted(rule) {
            continue;
        }
        for (at, (link, estimate)) in rule.links.iter().zip(&estimate.links).enumerate() {
            told.extend(of_link(rule, at, link, estimate, &mut sources));
        }
    }
    told
}

fn of_link(
    rule: &Rule,
    at: usize,
    link: &Link,
    estimate: &LinkEstimate,
    sources: &mut Sources,
) -> Vec<Diagnostic> {
    let Test::Compiled(matcher) = &link.test else { return Vec::new() };
    let Some(pattern) = matcher.pattern() else { return Vec::new() };
    let unsifted = estimate.unsifted.map(|why| unsifted(rule, why, estimate));
    let backtracks = estimate.backtracks.then(|| backtracks(rule, pattern));
    let mut told: Vec<_> = unsifted.into_iter().chain(backtracks).collect();
    if told.is_empty() {
        return Vec::new();
    }
    let argument = sources.argument(rule, at);
    told.drain(..).map(|told| told.placed(argument.as_ref())).collect()
}

/// A warning that has no place yet.
struct Told {
    warning: Diagnostic,
    label: String,
    /// In the expression; none: all of it.
    at: Option<std::ops::Range<usize>>,
}

impl Told {
    fn placed(self, argument: Option<&(Arc<Source>, Word)>) -> Diagnostic {
        let Self { warning, label, at } = self;
        match argument {
            Some((source, word)) => warning.at(source, inside(word, at.as_ref()), label),
            None => warning,
        }
    }
}

fn unsifted(rule: &Rule, why: Unsifted, estimate: &LinkEstimate) -> Told {
    let message = match why {
        Unsifted::NoLiteral => format!(
            "rule `{}` has no literal that every match has: each value is run through its expression",
            rule.id
        ),
        Unsifted::Common => format!(
            "rule `{}` asks for nothing rare: nearly every value is run through its expression",
            rule.id
        ),
    };
    let help = "ask for a text of two bytes or more that every match has, or look at fewer \
                variables; `moongate rules cost` measures it";
    let bytes = estimate.bytes;
    let label = if estimate.values < 1.5 {
        format!("about {bytes:.0} bytes of an ordinary request")
    } else {
        format!("about {:.0} values, {bytes:.0} bytes, of an ordinary request", estimate.values)
    };
    Told { warning: Diagnostic::warning("rules::no-literal", message).help(help), label, at: None }
}

fn backtracks(rule: &Rule, pattern: &Pattern) -> Told {
    let culprit = culprit(pattern.written());
    let cause = culprit.as_ref().map_or("it", |Construct { kind, .. }| kind.name());
    let message =
        format!("rule `{}` leaves the linear engine: {cause} needs backtracking", rule.id);
    let help = culprit.as_ref().map(|Construct { kind, .. }| kind.instead());
    let help = help.unwrap_or("say it without look-around, back references and atomic groups");
    let label = "a search may be cut short at its limit, and then counts as a match".to_owned();
    let at = culprit.map(|construct| construct.at);
    Told { warning: Diagnostic::warning("rules::backtracks", message).help(help), label, at }
}

/// Rule files, read again for the places of what stands in them: a plan does not keep these. By
/// line, the rules and actions of each.
#[derive(Default)]
pub(in crate::detection) struct Sources(HashMap<*const Source, Vec<(usize, DirectiveKind)>>);

impl Sources {
    /// The operator's argument of a link, and its file.
    pub(in crate::detection) fn argument(
        &mut self,
        rule: &Rule,
        link: usize,
    ) -> Option<(Arc<Source>, Word)> {
        let source = rule.about.source.as_ref()?;
        let rules = self.0.entry(Arc::as_ptr(source)).or_insert_with(|| rules(source));
        let head = rules.partition_point(|(line, _)| *line < rule.about.line as usize);
        match rules.get(head + link)? {
            (_, DirectiveKind::Rule(written)) => {
                Some((source.clone(), written.operator.argument.clone()))
            }
            _ => None,
        }
    }
}

fn rules(source: &Arc<Source>) -> Vec<(usize, DirectiveKind)> {
    let (directives, _) = seclang::parse(source, source.text.as_bytes());
    let rules = directives.into_iter().filter(|directive| {
        matches!(directive.kind, DirectiveKind::Rule(_) | DirectiveKind::Action(_))
    });
    rules.map(|rule| (source.line_column(rule.span.start).0, rule.kind)).collect()
}
