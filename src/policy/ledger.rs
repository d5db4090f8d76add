//! What each worker holds of each version of the operator's modules, and what calls came to.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use super::ModuleVersion;
use crate::functions::{Reading, Record};

/// What each worker holds of each version of the operator's modules: one for the process, the same
/// for all policies. Written by workers without a lock, read by whoever asks.
#[derive(Debug, Default)]
pub struct Ledger {
    versions: Mutex<Versions>,
}

/// By name and digest.
type Versions = BTreeMap<(Arc<str>, Arc<str>), Kept>;

#[derive(Debug)]
struct Kept {
    since: SystemTime,
    workers: BTreeMap<usize, Arc<Record>>,
}

/// What is on record of a version.
#[derive(Debug)]
pub struct Account {
    /// When a worker held it first.
    pub since: SystemTime,
    /// By worker.
    pub workers: Vec<(usize, Reading)>,
}

impl Ledger {
    /// A worker's record of a version, made if there is none.
    pub(super) fn record(&self, version: &ModuleVersion, worker: usize) -> Arc<Record> {
        let key = (version.name.clone(), version.digest.clone());
        let mut versions = self.lock();
        let none = || Kept { since: SystemTime::now(), workers: BTreeMap::new() };
        let kept = versions.entry(key).or_insert_with(none);
        kept.workers.entry(worker).or_default().clone()
    }

    /// What is on record of a version; none if no worker ever held it.
    pub fn of(&self, version: &ModuleVersion) -> Option<Account> {
        let versions = self.lock();
        let kept = versions.get(&(version.name.clone(), version.digest.clone()))?;
        let read = |(worker, record): (&usize, &Arc<Record>)| (*worker, record.read());
        Some(Account { since: kept.since, workers: kept.workers.iter().map(read).collect() })
    }

    /// Forgets all versions but these.
    pub fn keep<'a>(&self, wanted: impl Iterator<Item = &'a ModuleVersion>) {
        let wanted: Vec<_> = wanted.map(|one| (&one.name, &one.digest)).collect();
        self.lock().retain(|(name, digest), _| wanted.contains(&(name, digest)));
    }

    fn lock(&self) -> MutexGuard<'_, Versions> {
        self.versions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_that_is_no_longer_wanted_is_forgotten() {
        let version = |digest: &str| ModuleVersion {
            name: "m".into(),
            digest: digest.into(),
            origin: "m.lua".into(),
        };
        let (ledger, old, new) = (Ledger::default(), version("a"), version("b"));
        ledger.record(&old, 1).began(SystemTime::now());
        assert!(Arc::ptr_eq(&ledger.record(&old, 0), &ledger.record(&old, 0)));
        let account = ledger.of(&old).unwrap();
        let calls: Vec<_> = account.workers.iter().map(|(at, read)| (*at, read.calls)).collect();
        assert_eq!(calls, [(0, 0), (1, 1)]);
        assert!(ledger.of(&new).is_none());
        ledger.record(&new, 0);
        ledger.keep([&new].into_iter());
        assert!(ledger.of(&old).is_none() && ledger.of(&new).is_some());
    }
}
