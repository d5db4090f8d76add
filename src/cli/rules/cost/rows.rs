//! The figures of rules, of their files and of their folders, dearest first.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use clap::ValueEnum;

use super::replay::Measured;
use crate::detection::cost::{Estimate, LinkEstimate, Spent, estimate};
use crate::detection::{Plan, Rule};
use crate::policy::Policy;

/// What a row is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum By {
    /// Each rule
    Rule,
    /// Each file of rules
    File,
    /// Each folder of such files: a release of the Core Rule Set, the base rules, your own
    Set,
}

/// What a rule costs, or all rules of a file or folder together.
#[derive(Debug)]
pub(super) struct Row {
    /// The rule's id; none: the row is of more.
    pub(super) id: Option<u64>,
    /// The file, and of a rule its line.
    pub(super) place: String,
    pub(super) rules: usize,
    pub(super) steps: f64,
    pub(super) spent: Spent,
    /// Of what all rows took together, 0 to 1.
    pub(super) share: f64,
    /// What its dearest link is made of.
    pub(super) dearest: Option<LinkEstimate>,
}

/// The rows, dearest first: by measured time, and by estimate where none was measured.
pub(super) fn rows(policy: &Policy, measured: &Measured, by: By) -> Vec<Row> {
    let mut places: HashMap<(Option<u64>, String), usize> = HashMap::new();
    let mut rows: Vec<Row> = Vec::new();
    for (ruleset, spent) in policy.rulesets.iter().zip(&measured.spent) {
        for row in of_plan(&ruleset.plan, spent, by) {
            let next = rows.len();
            let place = *places.entry((row.id, row.place.clone())).or_insert(next);
            match rows.get_mut(place) {
                Some(known) => known.add(row),
                None => rows.push(row),
            }
        }
    }
    let whole: Duration = rows.iter().map(|row| row.spent.time).sum();
    for row in &mut rows {
        row.share = row.spent.time.as_secs_f64() / whole.as_secs_f64().max(f64::MIN_POSITIVE);
    }
    rows.sort_by(|one, other| {
        let measured = other.spent.time.cmp(&one.spent.time);
        measured.then(other.steps.total_cmp(&one.steps)).then(one.place.cmp(&other.place))
    });
    rows
}

fn of_plan<'p>(plan: &'p Plan, spent: &'p [Spent], by: By) -> impl Iterator<Item = Row> + use<'p> {
    let all = plan.rules.iter().zip(estimate(plan)).zip(spent);
    all.map(move |((rule, estimate), spent)| row(rule, estimate, *spent, by))
}

fn row(rule: &Rule, estimate: Estimate, spent: Spent, by: By) -> Row {
    let file = rule.about.source.as_ref().map_or("?", |source| source.name.as_str());
    let folder = || Path::new(file).parent().map_or(String::new(), |at| at.display().to_string());
    let Estimate { steps, links } = estimate;
    let dearest = links.into_iter().max_by(|one, other| one.steps.total_cmp(&other.steps));
    let (id, place) = match by {
        By::Rule => (Some(rule.id), format!("{file}:{}", rule.about.line)),
        By::File => (None, file.to_owned()),
        By::Set => (None, folder()),
    };
    let dearest = dearest.filter(|_| by == By::Rule);
    Row { id, place, rules: 1, steps, spent, share: 0.0, dearest }
}

impl Row {
    /// The same rule under another route, or another rule of the file or folder.
    fn add(&mut self, other: Self) {
        self.rules += if self.id.is_some() { 0 } else { other.rules };
        self.steps = if self.id.is_some() { self.steps } else { self.steps + other.steps };
        self.spent.add(&other.spent);
    }
}
