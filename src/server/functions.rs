//! The functions of this node: read from its state folder, and taken away when their time is over.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::functions::FunctionStore;
use crate::functions::Grants;
use crate::policy::PolicyStore;
use crate::script::{self, OwnerTotals};
use crate::telemetry::{self, FunctionReading, OwnerReading, events};

/// How often it is looked whether the time of a function is over.
const EXPIRY: Duration = Duration::from_secs(1);

/// The functions that were pushed to this node before; without a folder none is kept.
pub(super) fn open(state: Option<&Path>) -> Arc<FunctionStore> {
    let (store, faults) = FunctionStore::open(state.map(|state| state.join("functions")));
    for fault in &faults {
        events::Trouble { what: fault, next: "this function does not serve; push it again" }.emit();
    }
    let store = Arc::new(store);
    tell(&store);
    store
}

/// What owners may have is what the policy in force says, whenever it is asked.
pub(super) fn grant(functions: &FunctionStore, policies: Arc<PolicyStore>) {
    functions.grant(move || {
        let policy = policies.current();
        Grants {
            owners: policy.config.owners.clone(),
            secrets: policy.config.secrets.clone(),
            dictionaries: policy.config.lua.shared_dict.keys().cloned().collect(),
            tables: policy.tables.clone(),
        }
    });
}

/// What owners' scripts came to is read at each scrape.
pub(super) fn tell_owners() {
    let reading = |totals: OwnerTotals| OwnerReading {
        owner: totals.owner,
        calls: totals.calls,
        errors: totals.errors,
        cpu: totals.cpu,
        running: totals.running,
        connections: totals.connections,
        memory: totals.memory,
        dropped_lines: totals.dropped_lines,
    };
    telemetry::set_owners(move || script::owner_totals().into_iter().map(reading).collect());
}

/// Takes functions away when their time is over.
pub(super) async fn expire(store: Arc<FunctionStore>) {
    loop {
        tokio::time::sleep(EXPIRY).await;
        if store.current().expired(SystemTime::now()).next().is_none() {
            continue;
        }
        let store = store.clone();
        // Their folders are removed: a disk may take its time.
        let gone = tokio::task::spawn_blocking(move || store.expire(SystemTime::now())).await;
        for name in gone.unwrap_or_default() {
            events::FunctionExpired { name: name.as_str() }.emit();
        }
    }
}

/// What workers hold of functions is read at each scrape.
fn tell(store: &Arc<FunctionStore>) {
    let store = store.clone();
    telemetry::set_functions(move || {
        let registry = store.current();
        let held = store.ledger.held().into_iter().filter_map(|(name, held)| {
            let owner = registry.get(name.as_str())?.owner.to_string();
            let (states, bytes) = (held.states, held.memory);
            Some(FunctionReading { owner, function: name.to_string(), states, bytes })
        });
        (registry.len() as u64, held.collect())
    });
}
