//! Rule sets: what is done with what they find, route by route; and what those beside would have done.

use std::sync::Arc;

use serde_json::{Value, json};

use super::rollouts::difference;
use super::{Admin, Answer, Asked, Reply};
use crate::policy::{RoutePlan, RouteRules, RulesBeside};

/// Differences that are told at the most.
const MOST_DIFFERENCES: usize = 100;

/// `GET /rules`
pub(super) fn list(admin: &Arc<Admin>, asked: &Arc<Asked>) -> Reply {
    let told = asked.known_query(&[]).map(|()| {
        let policy = admin.store.current();
        policy.plans.iter().map(route).collect::<Value>()
    });
    told.map_or_else(|refused| refused, |told| Answer::json(200, &told)).into()
}

/// `GET /rules/differences`
pub(super) fn differences(admin: &Arc<Admin>, asked: &Arc<Asked>) -> Reply {
    let told = asked.known_query(&["limit", "route"]).and_then(|()| {
        let most = asked.query_count("limit", 20, MOST_DIFFERENCES)?;
        let policy = admin.store.current();
        let beside =
            policy.plans.iter().filter_map(|plan| Some((plan, plan.rules_beside.as_ref()?)));
        let wanted = asked.query("route");
        let beside = beside.filter(|(plan, _)| wanted.is_none_or(|name| name == &*plan.name));
        let beside: Vec<&RulesBeside> = beside.map(|(_, beside)| beside).collect();
        if beside.is_empty() {
            let help = "`rules: { shadow: { files: [new/*.conf] } }` has a second one judge beside";
            return Err(Answer::error(404, "no rule set judges without effect there", help));
        }
        Ok(told(&beside, most))
    });
    told.map_or_else(|refused| refused, |told| Answer::json(200, &told)).into()
}

fn told(beside: &[&RulesBeside], most: usize) -> Value {
    let summaries = beside.iter().map(|one| one.contest.differences.summary());
    let summary = summaries.reduce(crate::functions::Summary::and).unwrap_or_default();
    let last = beside.iter().flat_map(|one| one.contest.differences.last(MOST_DIFFERENCES));
    let mut last: Vec<_> = last.collect();
    last.sort_by_key(|one| std::cmp::Reverse(one.at));
    json!({
        "summary": summary,
        "last": last.iter().take(most).map(difference).collect::<Vec<_>>(),
    })
}

fn route(plan: &RoutePlan) -> Value {
    let shadow = plan.rules_beside.as_ref().map(|beside| {
        json!({
            "mode": beside.mode.as_str(),
            "percent": beside.mode.percent(),
            "rules": beside.rules.count(),
            "differences": beside.contest.differences.summary(),
        })
    });
    json!({
        "route": plan.name,
        "engine": plan.rules.as_ref().map_or("off", |rules| rules.engine().as_str()),
        "rules": plan.rules.as_ref().map_or(0, RouteRules::count),
        "shadow": shadow,
    })
}
