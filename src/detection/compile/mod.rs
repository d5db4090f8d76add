//! From the tree to the plan: every name gets its meaning, every tuning directive is applied.

mod actions;
mod catalog;
mod context;
mod draft;
mod faults;
mod layout;
mod matchers;
mod pools;
mod read;
mod rule;
mod settings;
mod target;
mod test;
#[cfg(test)]
mod tests;
mod tuning;

pub use actions::{ACTIONS, ActionSpec, CONTROLS, ControlSpec, find as find_action};
pub(super) use actions::{Kind, Takes};
pub(super) use catalog::{Choice, Expression};
pub(super) use context::inside;
pub use matchers::Matchers;
pub(super) use target::{Lookup, resolve, split};

use std::collections::HashSet;
use std::sync::{Arc, OnceLock};

use context::Context;
use matchers::Wanted;
use read::Reader;

use super::operators::Matcher;
use super::variables::Variable;
use super::{Plan, TargetSet, prefilter};
use crate::config::Files;
use crate::diagnostic::Diagnostic;
use crate::seclang::Directive;

/// Members of `TX` that have a slot even if no rule names them: a YAML file sets them, or scores
/// are read from them.
pub const WELL_KNOWN_TX: &[&str] = &[
    "anomaly_score",
    "blocking_inbound_anomaly_score",
    "blocking_outbound_anomaly_score",
    "blocking_paranoia_level",
    "detection_paranoia_level",
    "executing_paranoia_level",
    "inbound_anomaly_score",
    "inbound_anomaly_score_threshold",
    "outbound_anomaly_score",
    "outbound_anomaly_score_threshold",
    "paranoia_level",
];

/// What came of compiling.
pub struct Compiled {
    /// The plan; none if there is a fault.
    pub plan: Option<Plan>,
    /// Every fault and every warning.
    pub diagnostics: Vec<Diagnostic>,
}

/// Compiles directives in their order. Data files that they name are read through `files`.
pub fn compile(directives: &[Directive], files: &dyn Files) -> Compiled {
    compile_with(directives, files, &Matchers::default())
}

/// The same; what other rule sets have compiled is not compiled again.
pub fn compile_with(directives: &[Directive], files: &dyn Files, matchers: &Matchers) -> Compiled {
    matchers.sweep();
    let mut context = Context::new(files, matchers);
    let mut reader = Reader::default();
    for directive in directives {
        reader.read(directive, &mut context.faults);
    }
    reader.finish(&mut context.faults);
    let plan = plan(&mut context, &reader);
    let diagnostics = context.faults.in_order(directives);
    let is_faulty = diagnostics.iter().any(Diagnostic::is_error);
    Compiled { plan: (!is_faulty).then_some(plan), diagnostics }
}

/// The second pass: drafts become rules. Settings come first, since operators read files that they
/// name; the catalogue comes before the rules, since `ctl` speaks of rules that stand below it.
fn plan(context: &mut Context<'_>, reader: &Reader<'_>) -> Plan {
    let settings = settings::read(context, &reader.settings);
    let _prepared = prepare(context.matchers, reader);
    for draft in reader.rules() {
        context.catalog.push(draft);
    }
    let kept = reader.rules().filter(|draft| !draft.removed);
    let (mut rules, skips): (Vec<_>, Vec<_>) = kept.map(|draft| rule::rule(context, draft)).unzip();
    layout::set_skips(context, &reader.items, &mut rules, &skips);
    let phases = layout::phases(&reader.items);
    let pools = std::mem::replace(&mut context.pools, pools::Pools::new());
    let (tx_names, target_sets, chains) = pools.into_parts();
    let scripts = std::mem::take(&mut context.scripts);
    let prefilter =
        prefilter::build(&rules, &target_sets, &phases, &tx_names, context.matchers.sieves());
    let judges_errors = target_sets.iter().any(looks_at_errors);
    Plan {
        settings,
        rules,
        phases,
        target_sets,
        chains,
        tx_names,
        scripts,
        prefilter,
        judges_errors,
        tx_slots: OnceLock::new(),
    }
}

/// Compiles the operators of all rules, those that take long with several threads.
fn prepare(matchers: &Matchers, reader: &Reader<'_>) -> Vec<Arc<dyn Matcher>> {
    let links = reader.rules().filter(|draft| !draft.removed).flat_map(|draft| &draft.links);
    let written = links.filter_map(|link| test::wanted(link.condition.as_ref()?.operator));
    let mut seen = HashSet::new();
    let wanted: Vec<_> =
        written.filter(|(operator, text)| seen.insert((operator.name, text.clone()))).collect();
    let wanted: Vec<_> = wanted.iter().map(|(operator, text)| Wanted { operator, text }).collect();
    matchers.prepare(&wanted)
}

fn looks_at_errors(set: &TargetSet) -> bool {
    set.included.iter().any(|target| {
        matches!(target.variable, Variable::ReqbodyError | Variable::ReqbodyProcessorError)
    })
}
