//! A plan as one route uses it: what the settings say above the rules.

use std::sync::Arc;

use super::rules::placed;
use crate::config::{Engine, Exclusion, Rules};
use crate::detection::pattern::{Case, Pattern};
use crate::detection::{Plan, Profile, RuleChoice, RuleIndex, Target, TxSlot};
use crate::diagnostic::Diagnostic;

/// Members of `TX` by which the Core Rule Set (3 and 4) knows paranoia levels.
const PARANOIA: [&str; 4] = [
    "blocking_paranoia_level",
    "detection_paranoia_level",
    "executing_paranoia_level",
    "paranoia_level",
];
const INBOUND: &str = "inbound_anomaly_score_threshold";
const OUTBOUND: &str = "outbound_anomaly_score_threshold";

/// What a route runs.
#[derive(Debug, Clone)]
pub struct RouteRules {
    /// For most requests.
    every: Arc<Profile>,
    /// For those whose path begins so, longest first: what their exclusions leave.
    below: Vec<(Box<str>, Arc<Profile>)>,
}

impl RouteRules {
    /// What is run for a request with this path, normalized.
    pub fn profile(&self, path: &[u8]) -> &Arc<Profile> {
        let below = self.below.iter().find(|(prefix, _)| path.starts_with(prefix.as_bytes()));
        below.map_or(&self.every, |(_, profile)| profile)
    }

    /// Whether it depends on the path.
    pub fn knows_paths(&self) -> bool {
        !self.below.is_empty()
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
    let pinned = pinned(rules, plan, found);
    let resolved: Vec<Resolved<'_>> = rules
        .exclusions
        .iter()
        .filter_map(|exclusion| resolve(exclusion, plan, found))
        .collect();
    let profile = |path: Option<&str>| {
        let holds = |resolved: &&Resolved<'_>| match (resolved.path, path) {
            (None, _) => true,
            (Some(prefix), path) => path.is_some_and(|path| path.starts_with(prefix)),
        };
        Arc::new(excluding(plan, engine, &pinned, resolved.iter().filter(holds)))
    };
    // Of the prefixes that a path begins with, the longest begins with all others: one profile for
    // each prefix is enough.
    let mut prefixes: Vec<&str> = resolved.iter().filter_map(|resolved| resolved.path).collect();
    prefixes.sort_unstable_by_key(|prefix| std::cmp::Reverse((prefix.len(), *prefix)));
    prefixes.dedup();
    let below = prefixes.into_iter().map(|prefix| (prefix.into(), profile(Some(prefix))));
    Some(RouteRules { below: below.collect(), every: profile(None) })
}

/// An exclusion whose rules and targets are known.
struct Resolved<'a> {
    rules: Vec<RuleIndex>,
    targets: Vec<Target>,
    path: Option<&'a str>,
}

fn excluding<'a>(
    plan: &Arc<Plan>,
    engine: Engine,
    pinned: &[(TxSlot, Vec<u8>)],
    exclusions: impl Iterator<Item = &'a Resolved<'a>>,
) -> Profile {
    let (mut removed, mut removed_targets) = (Vec::new(), Vec::new());
    for exclusion in exclusions {
        if exclusion.targets.is_empty() {
            removed.extend(&exclusion.rules);
        }
        for rule in &exclusion.rules {
            removed_targets.extend(exclusion.targets.iter().map(|target| (*rule, target.clone())));
        }
    }
    removed.sort_unstable();
    removed.dedup();
    removed_targets.sort_by_key(|(rule, _)| *rule);
    Profile { plan: plan.clone(), engine, pinned: pinned.to_vec(), removed, removed_targets }
}

fn resolve<'a>(
    exclusion: &'a Exclusion,
    plan: &Plan,
    found: &mut Vec<Diagnostic>,
) -> Option<Resolved<'a>> {
    let mut unfit = |label: String| {
        let fault = Diagnostic::error("rules::exclusion", "this exclusion cannot be used");
        let (source, span) = &exclusion.named;
        let help = "write rules and targets as rule files do: `tag: attack-sqli`, `target: ARGS:comment`";
        found.push(fault.at(source, first_line(&source.text, *span), label).help(help));
    };
    let mut pattern = |text: &Option<String>| -> Result<Option<Pattern>, ()> {
        let Some(text) = text else { return Ok(None) };
        let pattern = Pattern::new(text.as_bytes(), Case::Differs);
        pattern.map(Some).map_err(|fault| unfit(fault.message))
    };
    let (tag, message) = (pattern(&exclusion.tag).ok()?, pattern(&exclusion.message).ok()?);
    let rules = RuleChoice { ids: exclusion.ids.clone(), tag, message }.of(plan);
    let targets = exclusion.targets.iter().map(|text| Target::named(text, plan));
    let targets = targets.collect::<Result<_, _>>().map_err(unfit).ok()?;
    if rules.is_empty() {
        let warning = Diagnostic::warning("rules::exclusion-unused", "this exclusion means no rule");
        let (source, span) = &exclusion.named;
        let help = "correct its `rule`, `tag` or `message`, or take it out";
        let span = first_line(&source.text, *span);
        found.push(warning.at(source, span, "no rule of this route is like that").help(help));
    }
    Some(Resolved { rules, targets, path: exclusion.path.as_deref() })
}

/// What the settings say of `TX`, where the rules know it.
fn pinned(rules: &Rules, plan: &Plan, found: &mut Vec<Diagnostic>) -> Vec<(TxSlot, Vec<u8>)> {
    let paranoia = rules.paranoia.map(u32::from);
    let mut pinned = Vec::new();
    for (setting, value, names) in [
        ("paranoia", paranoia, &PARANOIA[..]),
        ("thresholds.inbound", rules.thresholds.inbound, &[INBOUND]),
        ("thresholds.outbound", rules.thresholds.outbound, &[OUTBOUND]),
    ] {
        let Some(value) = value else { continue };
        let slots = names.iter().filter_map(|name| plan.slot(name.as_bytes()));
        let before = pinned.len();
        pinned.extend(slots.map(|slot| (slot, value.to_string().into_bytes())));
        if pinned.len() == before {
            let message = format!("`rules.{setting}` has no effect: no rule asks for it");
            let help = "it is for the Core Rule Set: name its folder with `crs`, or take the setting out";
            found.push(placed(
                Diagnostic::warning("rules::setting-unused", message).help(help),
                rules.sources.first().and_then(|source| source.named.as_ref()),
            ));
        }
    }
    pinned
}

/// Of several lines only the first is shown.
fn first_line(text: &str, span: crate::diagnostic::Span) -> crate::diagnostic::Span {
    let line = text.get(span.start..span.end).unwrap_or_default();
    let line = line.lines().next().unwrap_or_default().trim_end();
    crate::diagnostic::Span { start: span.start, end: span.start + line.len() }
}
