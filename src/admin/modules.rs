//! The operator's modules: which version runs where and how far it counts, who holds it since when.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::functions::{stamp, worker_told};
use super::{Admin, Answer, Asked, Reply};
use crate::config::HandlerMode;
use crate::functions::{Contest, Difference, Summary};
use crate::policy::{AttachedModule, ModuleVersion, Policy};

/// Differences that are told at the most.
const MOST_DIFFERENCES: usize = 100;

/// `GET /modules`
pub(super) fn list(admin: &Arc<Admin>, asked: &Arc<Asked>) -> Reply {
    let told = asked.known_query(&[]).map(|()| told(admin, |_| true));
    told.map_or_else(|refused| refused, |told| Answer::json(200, &told)).into()
}

/// `GET /modules/{name}`
pub(super) fn show(admin: &Arc<Admin>, asked: &Arc<Asked>) -> Reply {
    let name = asked.param("name");
    let told = asked.known_query(&[]).and_then(|()| {
        let told = told(admin, |known| known == name);
        let found = told.as_array().is_some_and(|told| !told.is_empty());
        found.then_some(told).ok_or_else(|| unknown(name))
    });
    told.map_or_else(|refused| refused, |told| Answer::json(200, &told)).into()
}

/// `GET /modules/{name}/differences`
pub(super) fn differences(admin: &Arc<Admin>, asked: &Arc<Asked>) -> Reply {
    let policy = admin.store.current();
    let told = asked.known_query(&["limit", "route"]).and_then(|()| {
        let most = asked.query_count("limit", 20, MOST_DIFFERENCES)?;
        let named = named(&policy, asked.param("name"))?;
        let contests = contests(&policy, named.iter().flatten().copied());
        if contests.is_empty() {
            let message = format!("`{}` runs nowhere without effect", asked.param("name"));
            let help = "`mode: shadow` or `mode: sample 5%` beside `module:` has it run so";
            return Err(Answer::error(404, message, help));
        }
        Ok(json!({
            "summary": summary(&contests),
            "last": last(&contests, asked.query("route"), most),
        }))
    });
    told.map_or_else(|refused| refused, |told| Answer::json(200, &told)).into()
}

/// The versions of the policy in force, and those that only the one that is tried has.
fn told(admin: &Admin, is_wanted: impl Fn(&str) -> bool) -> Value {
    let current = admin.store.current();
    let own = versions(&current);
    let is_own = |of: &[&AttachedModule]| {
        own.iter().any(|known| {
            known.first().map(|one| &one.version) == of.first().map(|one| &one.version)
        })
    };
    let wanted = |of: &Vec<&AttachedModule>| of.iter().all(|one| is_wanted(&one.version.name));
    let in_force = own.iter().filter(|of| wanted(of)).map(|of| tell(&current, of, None));
    let mut told: Vec<Value> = in_force.collect();
    if let Some(tried) = &*admin.store.tried() {
        let others = versions(&tried.policy).into_iter().filter(|of| !is_own(of) && wanted(of));
        let share = Some(f64::from(tried.candidate.mode.share()));
        told.extend(others.map(|of| tell(&tried.policy, &of, share)));
    }
    Value::Array(told)
}

fn unknown(name: &str) -> Answer {
    Answer::error(404, format!("no module `{name}` is attached"), "GET /modules lists them")
}

/// The entries of each version, by its name and digest.
fn versions(policy: &Policy) -> Vec<Vec<&AttachedModule>> {
    let mut versions: BTreeMap<(&str, &str), Vec<&AttachedModule>> = BTreeMap::new();
    for attached in &policy.modules {
        let ModuleVersion { name, digest, .. } = &attached.version;
        versions.entry((name, digest)).or_default().push(attached);
    }
    versions.into_values().collect()
}

fn named<'a>(policy: &'a Policy, name: &str) -> Result<Vec<Vec<&'a AttachedModule>>, Answer> {
    let mut versions = versions(policy);
    versions.retain(|of| of.iter().all(|attached| *attached.version.name == *name));
    if versions.is_empty() {
        return Err(unknown(name));
    }
    Ok(versions)
}

/// All that is known of a version, which is attached at least once. `share`: the percent of clients
/// that its policy is tried for.
fn tell(policy: &Policy, attached: &[&AttachedModule], share: Option<f64>) -> Value {
    let Some(first) = attached.first() else { return Value::Null };
    let ModuleVersion { name, digest, origin } = &first.version;
    let account = policy.ledger.of(&first.version);
    let workers = account.iter().flat_map(|account| &account.workers);
    let workers: Vec<Value> = workers.map(|(worker, read)| worker_told(*worker, read)).collect();
    let contests = contests(policy, attached.iter().copied());
    json!({
        "name": name,
        "digest": digest,
        "origin": origin,
        "since": account.as_ref().map(|account| stamp(account.since)),
        "attached": attached.iter().map(|one| place(one, share)).collect::<Vec<_>>(),
        "workers": workers,
        "differences": (!contests.is_empty()).then(|| summary(&contests)),
    })
}

fn place(attached: &AttachedModule, share: Option<f64>) -> Value {
    let counts = share.filter(|_| attached.mode == HandlerMode::Enforce);
    json!({
        "route": attached.route,
        "owner": attached.owner,
        "mode": counts.map_or(attached.mode.as_str(), |_| "canary"),
        "percent": counts.unwrap_or_else(|| attached.mode.percent()),
        "phases": attached.phases.iter().map(|phase| phase.as_str()).collect::<Vec<_>>(),
    })
}

/// What was compared, of each handler that runs without effect once.
fn contests<'a>(
    policy: &'a Policy,
    attached: impl Iterator<Item = &'a AttachedModule>,
) -> Vec<&'a Arc<Contest>> {
    let steps = attached.flat_map(|attached| &attached.steps);
    let contests = steps.filter_map(|id| policy.steps.get(*id)?.contest.as_ref());
    let mut once: Vec<&Arc<Contest>> = Vec::new();
    for contest in contests {
        if !once.iter().any(|known| Arc::ptr_eq(known, contest)) {
            once.push(contest);
        }
    }
    once
}

fn summary(contests: &[&Arc<Contest>]) -> Summary {
    contests.iter().fold(Summary::default(), |all, one| all.and(one.differences.summary()))
}

/// The last ones of a route (none: of all), the newest first.
fn last(contests: &[&Arc<Contest>], route: Option<&str>, most: usize) -> Vec<Value> {
    let all = contests.iter().flat_map(|one| one.differences.last(MOST_DIFFERENCES));
    let is_of = |one: &Difference| route.is_none_or(|route| one.route.as_deref() == Some(route));
    let mut last: Vec<Difference> = all.filter(is_of).collect();
    last.sort_by_key(|one| std::cmp::Reverse(one.at));
    last.iter().take(most).map(super::rollouts::difference).collect()
}
