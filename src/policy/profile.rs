//! A plan as one route uses it: what the settings say above the rules.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::sync::Arc;

use super::rules::placed;
use crate::config::{Engine, ExcludedRules, Exclusion, Named, Rules};
use crate::detection::{self, Complaint, Plan, Profile, Script, Which};
use crate::diagnostic::{Diagnostic, Span};

/// Members of `TX` by which the Core Rule Set (3 and 4) knows paranoia levels.
const PARANOIA: [&str; 4] = [
    "blocking_paranoia_level",
    "detection_paranoia_level",
    "executing_paranoia_level",
    "paranoia_level",
];

/// What a route runs.
#[derive(Debug, Clone)]
pub struct RouteRules {
    /// For most requests.
    every: Arc<Profile>,
    /// For those whose path begins so, longest first: what their exclusions leave.
    below: Vec<(Box<str>, Arc<Profile>)>,
}

impl RouteRules {
    /// What is run for a request with this path, normalized; it is only asked for if that matters.
    pub fn profile<'p>(&self, path: impl FnOnce() -> Cow<'p, [u8]>) -> &Arc<Profile> {
        if self.below.is_empty() {
            return &self.every;
        }
        let path = path();
        let below = self.below.iter().find(|(prefix, _)| path.starts_with(prefix.as_bytes()));
        below.map_or(&self.every, |(_, profile)| profile)
    }

    /// What is done with what they find, where they do not say otherwise themselves.
    pub fn engine(&self) -> Engine {
        self.every.engine
    }

    /// How many rules there are.
    pub fn count(&self) -> usize {
        self.every.plan.rules.len()
    }

    /// Whether they are the same rules, whatever routes make of them.
    pub(super) fn has_plan_of(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.every.plan, &other.every.plan)
    }

    /// The Lua files that they call.
    pub fn scripts(&self) -> &[Script] {
        &self.every.plan.scripts
    }
}

/// What a route runs; none if its engine is off.
pub(super) fn route(
    rules: &Rules,
    plan: &Arc<Plan>,
    found: &mut Vec<Diagnostic>,
) -> Option<RouteRules> {
    let engine = rules.engine.or(plan.settings.engine).unwrap_or_default();
    if engine == Engine::Off {
        return None;
    }
    let presets = presets(rules);
    let mut profile = |path: Option<&str>| {
        let wanted = rules.exclusions.iter().filter(|exclusion| holds(exclusion, path));
        let single: Vec<_> = wanted.flat_map(single).collect();
        let exclusions: Vec<_> = single.iter().map(|(exclusion, _)| exclusion.clone()).collect();
        let (mut profile, complaints) = Profile::new(plan.clone(), engine, &presets, &exclusions);
        profile.budget = rules.budget;
        found.extend(complaints.into_iter().map(|complaint| {
            let at = complaint.exclusion.and_then(|index| single.get(index));
            told(complaint, at.map(|(_, named)| *named))
        }));
        Arc::new(profile)
    };
    // Of the prefixes that a path begins with, the longest begins with all others: one profile for
    // each prefix is enough.
    let mut prefixes: Vec<&str> =
        rules.exclusions.iter().filter_map(|exclusion| exclusion.path.as_deref()).collect();
    prefixes.sort_unstable_by_key(|prefix| Reverse((prefix.len(), *prefix)));
    prefixes.dedup();
    let below = prefixes.into_iter().map(|prefix| (prefix.into(), profile(Some(prefix))));
    Some(RouteRules { below: below.collect(), every: profile(None) })
}

/// Whether an exclusion is for requests whose path begins so; none: for those of every path.
fn holds(exclusion: &Exclusion, path: Option<&str>) -> bool {
    match (&exclusion.path, path) {
        (None, _) => true,
        (Some(prefix), path) => path.is_some_and(|path| path.starts_with(prefix)),
    }
}

/// One for each of its targets, and where it stands.
fn single(exclusion: &Exclusion) -> Vec<(detection::Exclusion, &Named)> {
    let which = match &exclusion.which {
        ExcludedRules::Ids(ids) => Which::Ids(ids.clone()),
        ExcludedRules::Message(pattern) => Which::Message(pattern.clone()),
        ExcludedRules::Tag(pattern) => Which::Tag(pattern.clone()),
    };
    let one = |target| (detection::Exclusion { which: which.clone(), target }, &exclusion.named);
    if exclusion.targets.is_empty() {
        return vec![one(None)];
    }
    exclusion.targets.iter().cloned().map(Some).map(one).collect()
}

fn told(complaint: Complaint, named: Option<&Named>) -> Diagnostic {
    let Complaint { fault, message, help, .. } = complaint;
    let told = if fault { Diagnostic::error } else { Diagnostic::warning };
    let diagnostic = told("rules::exclusion", message);
    let help = help.unwrap_or_else(|| "correct it, or take it out".to_owned());
    let named = named.map(|(source, span)| (source.clone(), first_line(&source.text, *span)));
    placed(diagnostic.help(help), named.as_ref())
}

/// What the settings say of `TX`.
fn presets(rules: &Rules) -> Vec<(String, String)> {
    let paranoia = PARANOIA.map(|name| (name, rules.paranoia.map(u32::from)));
    let thresholds = [
        ("inbound_anomaly_score_threshold", rules.thresholds.inbound),
        ("outbound_anomaly_score_threshold", rules.thresholds.outbound),
    ];
    let all = paranoia.into_iter().chain(thresholds);
    all.filter_map(|(name, value)| Some((name.to_owned(), value?.to_string()))).collect()
}

/// Of several lines only the first is shown.
fn first_line(text: &str, span: Span) -> Span {
    let line = text.get(span.start..span.end).unwrap_or_default();
    let line = line.lines().next().unwrap_or_default().trim_end();
    Span { start: span.start, end: span.start + line.len() }
}
