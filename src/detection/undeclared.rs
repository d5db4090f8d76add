//! Rules that look into typed collections that nobody declared: a warning, where they stand.

use super::cost::Sources;
use super::plan::{Plan, Test};
use crate::diagnostic::Diagnostic;

/// A warning for each link that names a collection for which `is_declared` says no.
pub fn undeclared(plan: &Plan, is_declared: impl Fn(&str) -> bool) -> Vec<Diagnostic> {
    let mut sources = Sources::default();
    let mut told = Vec::new();
    for rule in &plan.rules {
        for (at, link) in rule.links.iter().enumerate() {
            let Test::Compiled(matcher) = &link.test else { continue };
            let Some(name) = matcher.collection().filter(|name| !is_declared(name)) else {
                continue;
            };
            let message = format!("rule `{}`: no collection is called `{name}`", rule.id);
            let warning = Diagnostic::warning("rules::undeclared-collection", message)
                .help("declare it by `PUT /collections/NAME` of the admin API");
            told.push(match sources.argument(rule, at) {
                Some((source, word)) => {
                    let label = "nothing is in it until it is declared";
                    warning.at(&source, super::compile::inside(&word, None), label)
                }
                None => warning,
            });
        }
    }
    told
}
