//! One function: its owner, its versions, which of them serves.

use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::time::SystemTime;

use super::rollout::{Candidate, Contest, Event};
use super::version::Version;
use super::{FunctionRoute, Name};

/// Versions that are kept; the oldest that does not serve makes room.
pub const MOST_VERSIONS: usize = 20;

/// One function.
#[derive(Debug, Clone)]
pub struct Function {
    /// Its name.
    pub name: Name,
    /// Whose it is.
    pub owner: Name,
    /// Its versions, the newest last; at least one.
    pub versions: Vec<Arc<Version>>,
    /// The digest of the one that serves; none: none does.
    pub active: Option<Arc<str>>,
    /// Those that served before, the last one last.
    pub before: Vec<Arc<str>>,
    /// Since when things are so.
    pub since: SystemTime,
    /// The version that is tried; never the one that serves.
    pub candidate: Option<Candidate>,
    /// What became of those that were tried, the last one last.
    pub history: Vec<Event>,
    /// How what was tried last compared.
    pub(super) last_tried: Option<Arc<Contest>>,
    /// When it goes by itself.
    pub expires: Option<SystemTime>,
    /// Calls at this moment, on all workers.
    pub running: Arc<AtomicU32>,
}

impl Function {
    /// The version that serves at a moment.
    pub fn serving(&self, now: SystemTime) -> Option<&Arc<Version>> {
        if self.expires.is_some_and(|end| end <= now) {
            return None;
        }
        self.version(self.active.as_deref()?)
    }

    /// The requests that it serves; none: it serves none.
    pub fn route(&self) -> Option<&FunctionRoute> {
        Some(&self.version(self.active.as_deref()?)?.facts.route)
    }

    /// A version by its digest, or by the beginning of it if no other begins so.
    pub fn version(&self, digest: &str) -> Option<&Arc<Version>> {
        let mut found = self.versions.iter().filter(|one| one.facts.digest.starts_with(digest));
        let first = found.next().filter(|_| !digest.is_empty())?;
        found.next().is_none().then_some(first)
    }

    /// Another version serves from now on, and nothing is tried any more.
    pub(super) fn activate(&mut self, digest: &Arc<str>, now: SystemTime) {
        self.end_rollout("a version was put in force");
        if self.active.as_ref() == Some(digest) {
            return;
        }
        let last = self.active.replace(digest.clone());
        self.before.retain(|known| known != digest);
        self.before.extend(last);
        self.since = now;
    }

    /// The version that served before the one that serves now.
    pub(super) fn previous(&self) -> Option<&Arc<str>> {
        self.before.last()
    }

    /// One more version; the oldest goes that neither serves nor did so last, nor is
    /// tried.
    pub(super) fn add(&mut self, version: Arc<Version>) {
        self.versions.push(version);
        let kept = |one: &Arc<Version>| {
            let digest = Some(&one.facts.digest);
            let tried = self.candidate.as_ref().map(|candidate| &candidate.digest);
            self.active.as_ref() == digest || self.before.last() == digest || tried == digest
        };
        if self.versions.len() > MOST_VERSIONS
            && let Some(oldest) = self.versions.iter().position(|one| !kept(one))
        {
            let gone = self.versions.remove(oldest);
            self.before.retain(|digest| *digest != gone.facts.digest);
        }
    }
}
