//! Owners: what they may have, and what their scripts came to.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Value, json};

use super::{Admin, Answer, Asked, Reply};
use crate::config::{OPERATOR, Owner, size_text};
use crate::script::{OwnerTotals, owner_totals};

/// `GET /owners`
pub(super) fn list(admin: &Arc<Admin>, asked: &Arc<Asked>) -> Reply {
    let (admin, asked) = (admin.clone(), asked.clone());
    Reply::aside(move || match asked.known_query(&[]) {
        Ok(()) => Answer::json(200, &told(&admin, &asked)),
        Err(refused) => refused,
    })
}

/// Everybody who has functions, or is named in the settings, or whose scripts ran.
fn told(admin: &Admin, asked: &Asked) -> Value {
    let settings = admin.store.current().config.owners.clone();
    let mut functions = BTreeMap::<String, usize>::new();
    for function in admin.functions.current().iter() {
        *functions.entry(function.owner.to_string()).or_default() += 1;
    }
    let totals: BTreeMap<String, OwnerTotals> =
        owner_totals().into_iter().map(|totals| (totals.owner.clone(), totals)).collect();
    let named = settings.named().map(|(name, _)| name.to_owned());
    let mut owners: BTreeSet<String> = named.chain([OPERATOR.to_owned()]).collect();
    owners.extend(functions.keys().chain(totals.keys()).cloned());
    let seen = owners.into_iter().filter(|owner| asked.who.may_touch(owner));
    let each = seen.map(|owner| {
        let count = functions.get(&owner).copied().unwrap_or_default();
        let none = OwnerTotals::default();
        tell(&owner, count, settings.of(&owner), totals.get(&owner).unwrap_or(&none))
    });
    Value::Array(each.collect())
}

fn tell(owner: &str, functions: usize, may: &Owner, totals: &OwnerTotals) -> Value {
    json!({
        "owner": owner,
        "functions": functions,
        "calls": totals.calls,
        "errors": totals.errors,
        "cpu_seconds": totals.cpu.as_secs_f64(),
        "running": totals.running,
        "connections": totals.connections,
        "memory_bytes": totals.memory,
        "peak_bytes": totals.peak,
        "kills": counts(totals.kills),
        "refused": counts(totals.refused),
        "dropped_log_lines": totals.dropped_lines,
        "may": {
            "weight": may.weight,
            "cpu_share": may.cpu_share,
            "memory": may.memory.map(|bytes| size_text(bytes as u64)),
            "concurrent": may.concurrent,
            "connections": may.connections,
            "response": may.response.map(size_text),
            "log_rate": may.log_rate,
            "routes": may.routes,
            "dictionaries": may.dictionaries,
            "collections": may.collections,
            "hosts": may.hosts,
        },
    })
}

/// Reasons that there were, with how often.
fn counts(all: [(&'static str, u64); 4]) -> BTreeMap<&'static str, u64> {
    all.into_iter().filter(|(_, count)| *count > 0).collect()
}
