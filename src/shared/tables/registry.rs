//! Which collections there are: read without waiting, changed by one at a time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;

use super::table::Table;

/// All collections.
#[derive(Default)]
pub(super) struct Registry {
    tables: ArcSwap<Named>,
    changes: Mutex<Registered>,
}

type Named = HashMap<Arc<str>, Arc<Table>>;

/// What only one at a time changes.
#[derive(Default)]
pub(super) struct Registered {
    /// The last number that a collection was given.
    pub(super) last_id: u64,
}

impl Registry {
    /// Sets them all.
    pub(super) fn fill(&self, tables: Vec<Arc<Table>>) {
        self.change().last_id = tables.iter().map(|table| table.id()).max().unwrap_or(0);
        let named = tables.into_iter().map(|table| (table.name().clone(), table));
        self.tables.store(Arc::new(named.collect()));
    }

    pub(super) fn by_name(&self, name: &str) -> Option<Arc<Table>> {
        self.tables.load().get(name).cloned()
    }

    pub(super) fn by_id(&self, id: u64) -> Option<Arc<Table>> {
        self.tables.load().values().find(|table| table.id() == id).cloned()
    }

    /// Them all, by name.
    pub(super) fn all(&self) -> Vec<Arc<Table>> {
        let mut all: Vec<_> = self.tables.load().values().cloned().collect();
        all.sort_by(|one, other| one.name().cmp(other.name()));
        all
    }

    /// Who holds this may [`add`](Self::add) and [`remove`](Self::remove).
    pub(super) fn change(&self) -> MutexGuard<'_, Registered> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn add(&self, table: Arc<Table>) {
        let mut next = Named::clone(&self.tables.load());
        next.insert(table.name().clone(), table);
        self.tables.store(Arc::new(next));
    }

    pub(super) fn remove(&self, name: &str) -> Option<Arc<Table>> {
        let mut next = Named::clone(&self.tables.load());
        let removed = next.remove(name);
        self.tables.store(Arc::new(next));
        removed
    }

    /// Drops entries whose time is over.
    pub(super) fn sweep(&self) {
        for table in self.all() {
            table.sweep();
        }
    }
}
