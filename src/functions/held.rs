//! A function that a worker holds loaded.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use super::Function;
use super::holder::Reach;
use super::ledger::Record;
use super::rollout::Mode;
use super::version::Version;
use crate::config::Owner;
use crate::script::{Handler, State};
use crate::shared::Dictionaries;

/// A function that is loaded.
pub struct Held {
    pub(super) version: Arc<Version>,
    /// Whether what it writes is withheld.
    pub(super) withheld: bool,
    pub(super) dictionaries: Arc<Dictionaries>,
    /// What its owner may have.
    pub(super) terms: Arc<Owner>,
    pub(super) state: Rc<State>,
    pub(super) handler: Handler,
    pub(super) record: Arc<Record>,
    pub(super) last_call: Cell<Instant>,
}

impl Held {
    /// Whether what it was loaded with is what it would be now.
    pub(super) fn is_as_granted(&self, terms: &Arc<Owner>, reach: Reach<'_>) -> bool {
        let spec = self.state.spec();
        (Arc::ptr_eq(&self.terms, terms) || self.terms == *terms)
            && Arc::ptr_eq(&spec.tables, reach.tables)
            && Arc::ptr_eq(&spec.secrets.kept, reach.secrets)
    }

    /// Whether a function as it is now may call it.
    pub(super) fn is_wanted(&self, function: &Function) -> bool {
        let digest = &self.version.facts.digest;
        let live = function.active.as_ref() == Some(digest);
        let tried = function.candidate.as_ref().filter(|one| one.digest == *digest);
        match (self.withheld, tried.map(|one| one.mode)) {
            (false, Some(Mode::Canary(_))) | (true, Some(Mode::Sample(_) | Mode::Shadow)) => true,
            (withheld, _) => live && !withheld,
        }
    }

    /// Its state goes when the last call of it ends; `others` are those of its function that stay.
    pub(super) fn retire(&self, others: &[Rc<Self>]) {
        self.state.retire();
        let version = |one: &Rc<Self>| Arc::ptr_eq(&one.version, &self.version);
        if !others.iter().any(version) {
            self.record.unloaded();
        }
    }
}
