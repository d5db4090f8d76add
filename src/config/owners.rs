//! What owners of scripts may have, all that is theirs together.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::values;

/// The owner of what the settings themselves name; nothing is kept from it.
pub const OPERATOR: &str = "operator";

/// What each owner may have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owners {
    pub(super) named: BTreeMap<String, Arc<Owner>>,
    pub(super) others: Arc<Owner>,
    pub(super) operator: Arc<Owner>,
}

/// What one owner may have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// Turns that it gets where others with work to do get one; at least 1.
    pub weight: u32,
    /// Per cent of each worker's CPU time; none: as much as is there.
    pub cpu_share: Option<u32>,
    /// Bytes that its states may hold on each worker; none: any.
    pub memory: Option<usize>,
    /// Calls under way, on all workers together; none: any.
    pub concurrent: Option<usize>,
    /// Open connections, on all workers together; none: any.
    pub connections: Option<usize>,
    /// Bytes that a call may answer, whatever its function declares; none: what it declares.
    pub response: Option<u64>,
    /// Lines of the process's own log in a second; none: any.
    pub log_rate: Option<u32>,
    /// What its functions serve lies beneath one of these, as `/path` or `host/path`; none: anywhere.
    pub routes: Option<Vec<String>>,
    /// The shared dictionaries that its functions may declare; none: all.
    pub dictionaries: Option<Vec<String>>,
    /// The collections that its functions may declare, of those that grant themselves to it; none: all
    /// of these.
    pub collections: Option<Vec<String>>,
    /// Where its functions may declare to connect to; none: anywhere.
    pub hosts: Option<Vec<String>>,
}

impl Owners {
    /// What an owner may have.
    pub fn of(&self, name: &str) -> &Arc<Owner> {
        match name {
            OPERATOR => &self.operator,
            name => self.named.get(name).unwrap_or(&self.others),
        }
    }

    /// Those that the settings name, by name; the operator is not among them.
    pub fn named(&self) -> impl Iterator<Item = (&str, &Arc<Owner>)> {
        self.named.iter().map(|(name, owner)| (name.as_str(), owner))
    }
}

impl Default for Owners {
    fn default() -> Self {
        let (others, operator) = (Arc::default(), Arc::new(Owner::unbounded()));
        Self { named: BTreeMap::new(), others, operator }
    }
}

/// What an owner may have of whom the settings say nothing.
impl Default for Owner {
    fn default() -> Self {
        Self {
            memory: Some(1 << 30),
            concurrent: Some(10_000),
            connections: Some(1_000),
            log_rate: Some(50),
            dictionaries: Some(Vec::new()),
            ..Self::unbounded()
        }
    }
}

impl Owner {
    /// One from whom nothing is kept.
    pub(super) fn unbounded() -> Self {
        Self {
            weight: 1,
            cpu_share: None,
            memory: None,
            concurrent: None,
            connections: None,
            response: None,
            log_rate: None,
            routes: None,
            dictionaries: None,
            collections: None,
            hosts: None,
        }
    }

    /// Whether its functions may declare a shared dictionary.
    pub fn may_use_dictionary(&self, name: &str) -> bool {
        names(self.dictionaries.as_deref(), name)
    }

    /// Whether its functions may declare a collection that grants itself to it.
    pub fn may_use_collection(&self, name: &str) -> bool {
        names(self.collections.as_deref(), name)
    }

    /// Whether its functions may declare to connect to a place (`host:port`, `network:port`).
    pub fn may_reach(&self, place: &str) -> bool {
        let covers = |wide: &String| values::covers(wide, place);
        self.hosts.as_ref().is_none_or(|hosts| hosts.iter().any(covers))
    }
}

fn names(list: Option<&[String]>, name: &str) -> bool {
    list.is_none_or(|list| list.iter().any(|one| one == name))
}
