//! What is in force, since when, on how many workers; and what was refused last.

use std::sync::Arc;
use std::time::SystemTime;

use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::{Admin, Answer, Asked, Reply, Wish, rollouts};
use crate::policy::PolicyStore;

/// `GET /policy`.
pub(super) fn describe(admin: &Arc<Admin>, _: &Arc<Asked>) -> Reply {
    Answer::json(200, &description(&admin.store)).into()
}

/// `POST /policy/reload`.
pub(super) fn reload(_: &Arc<Admin>, asked: &Arc<Asked>) -> Reply {
    match rollouts::terms(asked) {
        Ok(terms) => Reply::Policy(Wish::Reload(terms)),
        Err(refused) => refused.into(),
    }
}

/// `POST /policy/promote`.
pub(super) fn promote(_: &Arc<Admin>, asked: &Arc<Asked>) -> Reply {
    Reply::Policy(Wish::Promote(asked.who.name.clone()))
}

/// `POST /policy/abort`.
pub(super) fn abort(_: &Arc<Admin>, asked: &Arc<Asked>) -> Reply {
    Reply::Policy(Wish::Abort(asked.who.name.clone()))
}

/// `GET /upstreams`.
pub(super) fn upstreams(admin: &Arc<Admin>, _: &Arc<Asked>) -> Reply {
    Answer::json(200, &peers(&admin.store)).into()
}

fn description(store: &PolicyStore) -> Value {
    let policy = store.current();
    let status = store.status();
    let refused = status.refused.map(|refusal| {
        json!({ "at": stamp(refusal.at), "faults": refusal.faults, "report": refusal.report })
    });
    let modules: Vec<Value> = policy
        .domains
        .iter()
        .map(|domain| json!({ "domain": domain.name, "digest": domain.digest }))
        .collect();
    let routes: Vec<&str> = policy.config.routes.iter().map(|route| route.name.as_str()).collect();
    json!({
        "generation": policy.generation,
        "digest": policy.digest,
        "since": stamp(status.since),
        "took_seconds": status.took.as_secs_f64(),
        "workers": status.workers,
        "swaps": status.swaps,
        "restored_from_last_good": status.restored,
        "domains": modules,
        "routes": routes,
        "refused": refused,
        "candidate": store.tried().as_ref().map(|tried| rollouts::tried(tried)),
        "history": rollouts::events(&status.history),
    })
}

fn peers(store: &PolicyStore) -> Value {
    let peers = store.current().upstreams.status();
    let peers = peers.into_iter().map(|peer| {
        json!({
            "upstream": peer.upstream,
            "peer": peer.peer,
            "healthy": peer.healthy,
            "in_flight": peer.in_flight,
            "fails": peer.fails,
        })
    });
    Value::Array(peers.collect())
}

pub(super) fn stamp(at: SystemTime) -> String {
    OffsetDateTime::from(at).format(&Rfc3339).unwrap_or_default()
}
