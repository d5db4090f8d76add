//! The policy in force now, and how the last try to change it went.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use arc_swap::{ArcSwap, ArcSwapOption, Guard};

use super::{Policy, Tried};
use crate::functions::{Event, Happening, remember};
use crate::telemetry::events;

/// The only place that swaps anything.
pub struct PolicyStore {
    current: ArcSwap<Policy>,
    /// That of `current`, which every request asks for.
    generation: AtomicU64,
    tried: ArcSwapOption<Tried>,
    /// Whether a policy is tried: it hardly ever is.
    is_trying: AtomicBool,
    status: Mutex<Status>,
}

/// How the policy in force came to be.
#[derive(Debug, Clone)]
pub struct Status {
    /// Since when the policy is in force.
    pub since: SystemTime,
    /// From the first byte read to the last worker's word.
    pub took: Duration,
    /// How many workers said that they serve it.
    pub workers: usize,
    /// How many policies came in force after the first.
    pub swaps: u64,
    /// Whether it comes from the last good bundle, because the files on disk were at fault.
    pub restored: bool,
    /// The last bundle that was refused, if it was refused after the policy in force came.
    pub refused: Option<Refusal>,
    /// What became of policies that were tried, the last one last.
    pub history: Vec<Event>,
}

/// A bundle that was refused.
#[derive(Debug, Clone)]
pub struct Refusal {
    /// When.
    pub at: SystemTime,
    /// How many faults it has.
    pub faults: usize,
    /// Them, as a person reads them.
    pub report: String,
}

impl PolicyStore {
    /// A store whose first policy is in force at once.
    pub fn new(policy: Arc<Policy>, status: Status) -> Self {
        Self {
            generation: AtomicU64::new(policy.generation),
            current: ArcSwap::new(policy),
            tried: ArcSwapOption::empty(),
            is_trying: AtomicBool::new(false),
            status: Mutex::new(status),
        }
    }

    /// The policy in force now. An exchange takes it once and keeps it to its log line, so that
    /// one exchange is judged by one policy.
    pub fn current(&self) -> Arc<Policy> {
        self.current.load_full()
    }

    /// The number of the policy in force now.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Puts `next` in force for every exchange that begins from now on.
    pub fn swap(&self, next: Arc<Policy>, took: Duration) {
        let generation = next.generation;
        self.current.store(next);
        self.generation.store(generation, Ordering::Release);
        let mut status = self.lock();
        status.since = SystemTime::now();
        status.took = took;
        status.swaps += 1;
        status.restored = false;
        status.refused = None;
    }

    /// The policy that is tried.
    pub fn tried(&self) -> Guard<Option<Arc<Tried>>> {
        self.tried.load()
    }

    /// Whether there may be one: this is the cheaper question.
    pub fn is_trying(&self) -> bool {
        self.is_trying.load(Ordering::Acquire)
    }

    /// A policy that every worker prepared is tried from now on.
    pub fn begin_trial(&self, tried: Arc<Tried>) {
        let why = format!("canary {}", tried.candidate.mode.share());
        self.happened(&tried, Happening::Began, &why, &tried.candidate.by);
        self.tried.store(Some(tried));
        self.is_trying.store(true, Ordering::Release);
    }

    /// Nothing is tried any more; what was.
    pub fn end_trial(&self, what: Happening, why: &str, by: &str) -> Option<Arc<Tried>> {
        self.is_trying.store(false, Ordering::Release);
        let tried = self.tried.swap(None)?;
        self.happened(&tried, what, why, by);
        Some(tried)
    }

    fn happened(&self, tried: &Tried, what: Happening, why: &str, by: &str) {
        let digest = tried.candidate.digest.clone();
        events::PolicyRolled { digest: &digest, what: what.as_str(), why, by }.emit();
        let (at, why, by) = (SystemTime::now(), why.to_owned(), by.to_owned());
        remember(&mut self.lock().history, Event { at, what, digest, why, by });
    }

    /// Why a policy of this digest was given up, if that is what became of it last.
    pub fn given_up(&self, digest: &str) -> Option<String> {
        let status = self.lock();
        let last = status.history.iter().rev().find(|event| *event.digest == *digest)?;
        let given_up = matches!(last.what, Happening::Aborted | Happening::RolledBack);
        given_up.then(|| last.why.clone())
    }

    /// Remembers how many workers said that they serve the policy in force.
    pub fn acknowledged(&self, workers: usize) {
        self.lock().workers = workers;
    }

    /// Remembers why a bundle was refused; the policy in force stays.
    pub fn refuse(&self, refusal: Refusal) {
        self.lock().refused = Some(refusal);
    }

    /// The files are those of the policy in force again: whether one was refused before.
    pub fn forgive(&self) -> bool {
        self.lock().refused.take().is_some()
    }

    /// How the policy in force came to be.
    pub fn status(&self) -> Status {
        self.lock().clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Status> {
        self.status.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
