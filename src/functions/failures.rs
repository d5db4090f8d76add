//! Functions that could not be loaded: what is at fault is not compiled again for each request.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::holder::{Found, Place, Reach};
use super::version::Version;
use super::{Name, Registry};
use crate::config::{Owners, Secrets};
use crate::script::{ScriptError, ScriptErrorKind};
use crate::shared::Tables;

/// How long it is before a load is tried again that failed for the first time; twice as long with each.
const FIRST: Duration = Duration::from_millis(100);
/// The longest that it gets.
const LONGEST: Duration = Duration::from_secs(60);

/// The loads that failed on a worker.
#[derive(Default)]
pub(super) struct Failures(RefCell<HashMap<Name, Vec<Failure>>>);

struct Failure {
    version: Arc<Version>,
    withheld: bool,
    /// What it was granted: with other grants it may go well.
    granted: (Arc<Owners>, Arc<Secrets>, Arc<Tables>),
    error: ScriptError,
    /// When it is tried again; none: never, for its text does not compile.
    again: Option<Instant>,
    pause: Duration,
}

impl Failures {
    /// Why a function is not loaded now.
    pub(super) fn known(
        &self,
        found: &Found,
        reach: Reach<'_>,
        now: Instant,
    ) -> Option<ScriptError> {
        let failures = self.0.borrow();
        let failure = failures.get(&found.function.name)?.iter().find(|one| one.is_of(found))?;
        let waits = failure.is_as_granted(reach) && failure.again.is_none_or(|again| now < again);
        waits.then(|| failure.error.clone())
    }

    /// A load failed.
    pub(super) fn remember(
        &self,
        found: &Found,
        reach: Reach<'_>,
        error: &ScriptError,
        now: Instant,
    ) {
        let mut failures = self.0.borrow_mut();
        let of_function = failures.entry(found.function.name.clone()).or_default();
        let before = of_function.iter().position(|one| one.is_of(found));
        let before = before.map(|at| of_function.swap_remove(at));
        let pause = before.map_or(FIRST, |before| (before.pause * 2).min(LONGEST));
        let heals = error.kind != ScriptErrorKind::Syntax;
        of_function.push(Failure {
            version: found.version.clone(),
            withheld: found.place == Place::Beside,
            granted: (reach.owners.clone(), reach.secrets.clone(), reach.tables.clone()),
            error: error.clone(),
            again: heals.then(|| now + pause),
            pause,
        });
    }

    /// A load went well.
    pub(super) fn forget(&self, found: &Found) {
        let mut failures = self.0.borrow_mut();
        let Some(of_function) = failures.get_mut(&found.function.name) else { return };
        of_function.retain(|one| !one.is_of(found));
        if of_function.is_empty() {
            failures.remove(&found.function.name);
        }
    }

    /// Forgets versions that functions no longer have.
    pub(super) fn sweep(&self, registry: &Registry) {
        self.0.borrow_mut().retain(|name, of_function| {
            let function = registry.get(name.as_str());
            of_function.retain(|one| {
                let versions = function.iter().flat_map(|function| &function.versions);
                versions.into_iter().any(|known| Arc::ptr_eq(known, &one.version))
            });
            !of_function.is_empty()
        });
    }
}

impl Failure {
    fn is_of(&self, found: &Found) -> bool {
        let withheld = found.place == Place::Beside;
        Arc::ptr_eq(&self.version, &found.version) && self.withheld == withheld
    }

    fn is_as_granted(&self, reach: Reach<'_>) -> bool {
        let (owners, secrets, tables) = &self.granted;
        Arc::ptr_eq(owners, reach.owners)
            && Arc::ptr_eq(secrets, reach.secrets)
            && Arc::ptr_eq(tables, reach.tables)
    }
}
