//! What each worker holds of each function, and what calls came to: written by workers without a
//! lock, read by whoever asks.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::Name;
use super::histogram::{Histogram, Times};
use crate::script::{ScriptError, ScriptErrorKind};

/// Bytes of an error's words that are kept.
const LONGEST_ERROR: usize = 512;

/// One worker's account of one version of a function.
#[derive(Debug, Default)]
pub struct Record {
    held: AtomicBool,
    since: AtomicU64,
    last_call: AtomicU64,
    calls: AtomicU64,
    errors: AtomicU64,
    blocks: AtomicU64,
    refused: AtomicU64,
    cpu: AtomicU64,
    memory: AtomicU64,
    peak: AtomicU64,
    loads: AtomicU64,
    cold_start: AtomicU64,
    killed_cpu: AtomicU64,
    killed_memory: AtomicU64,
    killed_response: AtomicU64,
    killed_wait: AtomicU64,
    wall_times: Histogram,
    cpu_times: Histogram,
    last_error: Mutex<Option<LastError>>,
}

/// Why a call came to no good end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastError {
    /// When it ended.
    pub at: SystemTime,
    /// The kind, as in metrics.
    pub kind: ScriptErrorKind,
    /// In words.
    pub message: Arc<str>,
}

/// What a [`Record`] says at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// Whether the worker holds it loaded.
    pub held: bool,
    /// Since when it does, or when it last did.
    pub since: Option<SystemTime>,
    /// The last call's beginning.
    pub last_call: Option<SystemTime>,
    /// Calls that began.
    pub calls: u64,
    /// Those that came to no good end.
    pub errors: u64,
    /// Those that refused the request.
    pub blocks: u64,
    /// Calls that did not begin, because as many ran as may.
    pub refused: u64,
    /// CPU time of all calls.
    pub cpu: Duration,
    /// Bytes of its state after the last call; 0 if it is not held.
    pub memory: u64,
    /// The most that it was.
    pub peak: u64,
    /// How often it was loaded.
    pub loads: u64,
    /// How long the last load took.
    pub cold_start: Duration,
    /// Calls that were ended, by why.
    pub kills: [(&'static str, u64); 4],
    /// Wall time of the calls that ended.
    pub wall_times: Times,
    /// CPU time of the calls that ended.
    pub cpu_times: Times,
    /// Why the last call that failed did.
    pub last_error: Option<LastError>,
}

/// What the calls of a version came to, on all workers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Calls that ended.
    pub ended: u64,
    /// Those that came to no good end.
    pub errors: u64,
    /// Those that refused the request.
    pub blocks: u64,
    /// Those that were ended for what they cost.
    pub kills: u64,
    /// Wall time of each.
    pub wall: Times,
    /// CPU time of each.
    pub cpu: Times,
}

impl Counts {
    /// Those of one more record.
    pub fn add(&mut self, read: &Reading) {
        self.ended += read.wall_times.count();
        self.errors += read.errors;
        self.blocks += read.blocks;
        self.kills += read.kills.iter().map(|(_, count)| count).sum::<u64>();
        self.wall.add(&read.wall_times);
        self.cpu.add(&read.cpu_times);
    }

    /// The share of them that came to no good end: 0 to 1.
    pub fn error_share(&self) -> f64 {
        self.share(self.errors)
    }

    /// The share of them that refused the request: 0 to 1.
    pub fn block_share(&self) -> f64 {
        self.share(self.blocks)
    }

    fn share(&self, count: u64) -> f64 {
        if self.ended == 0 { 0.0 } else { count as f64 / self.ended as f64 }
    }

    /// These without those that were there before.
    #[must_use]
    pub fn since(&self, before: &Self) -> Self {
        Self {
            ended: self.ended.saturating_sub(before.ended),
            errors: self.errors.saturating_sub(before.errors),
            blocks: self.blocks.saturating_sub(before.blocks),
            kills: self.kills.saturating_sub(before.kills),
            wall: self.wall.since(&before.wall),
            cpu: self.cpu.since(&before.cpu),
        }
    }
}

impl Record {
    /// It was loaded.
    pub fn loaded(&self, took: Duration, memory: usize) {
        self.held.store(true, Ordering::Relaxed);
        self.since.store(micros(SystemTime::now()), Ordering::Relaxed);
        self.loads.fetch_add(1, Ordering::Relaxed);
        self.cold_start.store(nanos(took), Ordering::Relaxed);
        self.remember(memory);
    }

    /// It was let go.
    pub fn unloaded(&self) {
        self.held.store(false, Ordering::Relaxed);
        self.memory.store(0, Ordering::Relaxed);
    }

    /// A call could not begin.
    pub(super) fn refused(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    /// A call begins.
    pub fn began(&self, now: SystemTime) {
        self.calls.fetch_add(1, Ordering::Relaxed);
        self.last_call.store(micros(now), Ordering::Relaxed);
    }

    /// The call that ended refused the request.
    pub fn blocked(&self) {
        self.blocks.fetch_add(1, Ordering::Relaxed);
    }

    /// A call ended; `wall` and `cpu` are what it took.
    pub fn ended(
        &self,
        failed: Option<ScriptErrorKind>,
        wall: Duration,
        cpu: Duration,
        memory: usize,
    ) {
        self.cpu.fetch_add(nanos(cpu), Ordering::Relaxed);
        self.cpu_times.note(cpu);
        self.wall_times.note(wall);
        self.remember(memory);
        let Some(kind) = failed else { return };
        self.errors.fetch_add(1, Ordering::Relaxed);
        let killed = match kind {
            ScriptErrorKind::Cpu => &self.killed_cpu,
            ScriptErrorKind::Memory => &self.killed_memory,
            ScriptErrorKind::Response => &self.killed_response,
            ScriptErrorKind::Wait => &self.killed_wait,
            _ => return,
        };
        killed.fetch_add(1, Ordering::Relaxed);
    }

    /// What a call failed of.
    pub fn failed(&self, error: &ScriptError) {
        let end = error.message.floor_char_boundary(LONGEST_ERROR.min(error.message.len()));
        let message = error.message.get(..end).unwrap_or_default().into();
        let last = LastError { at: SystemTime::now(), kind: error.kind, message };
        *self.last_error.lock().unwrap_or_else(PoisonError::into_inner) = Some(last);
    }

    /// Whether the worker holds it loaded.
    pub fn is_held(&self) -> bool {
        self.held.load(Ordering::Relaxed)
    }

    fn remember(&self, memory: usize) {
        self.memory.store(memory as u64, Ordering::Relaxed);
        self.peak.fetch_max(memory as u64, Ordering::Relaxed);
    }

    /// What it says now.
    pub fn read(&self) -> Reading {
        let number = |field: &AtomicU64| field.load(Ordering::Relaxed);
        let moment = |field: &AtomicU64| {
            let micros = number(field);
            (micros > 0).then(|| UNIX_EPOCH + Duration::from_micros(micros))
        };
        Reading {
            held: self.held.load(Ordering::Relaxed),
            since: moment(&self.since),
            last_call: moment(&self.last_call),
            calls: number(&self.calls),
            errors: number(&self.errors),
            blocks: number(&self.blocks),
            refused: number(&self.refused),
            cpu: Duration::from_nanos(number(&self.cpu)),
            memory: number(&self.memory),
            peak: number(&self.peak),
            loads: number(&self.loads),
            cold_start: Duration::from_nanos(number(&self.cold_start)),
            kills: [
                ("cpu", number(&self.killed_cpu)),
                ("memory", number(&self.killed_memory)),
                ("response", number(&self.killed_response)),
                ("wait", number(&self.killed_wait)),
            ],
            wall_times: self.wall_times.read(),
            cpu_times: self.cpu_times.read(),
            last_error: self.last_error.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }
}

/// What all workers together hold of a function.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Holding {
    /// Loaded states.
    pub states: u64,
    /// Bytes of them.
    pub memory: u64,
}

/// Every worker's records, by function and version.
#[derive(Debug, Default)]
pub struct Ledger {
    records: Mutex<Records>,
}

/// By function and digest: each worker's.
type Records = HashMap<Name, HashMap<Arc<str>, Vec<(usize, Arc<Record>)>>>;

impl Ledger {
    /// A worker's record of a version, made if there is none.
    pub(super) fn record(&self, name: &Name, digest: &Arc<str>, worker: usize) -> Arc<Record> {
        let mut records = self.lock();
        let of_version =
            records.entry(name.clone()).or_default().entry(digest.clone()).or_default();
        if let Some((_, record)) = of_version.iter().find(|(known, _)| *known == worker) {
            return record.clone();
        }
        let record = Arc::new(Record::default());
        of_version.push((worker, record.clone()));
        of_version.sort_by_key(|(worker, _)| *worker);
        record
    }

    /// What workers have on record of a version, by worker.
    pub fn of(&self, name: &Name, digest: &Arc<str>) -> Vec<(usize, Reading)> {
        let records = self.lock();
        let of_version = records.get(name).and_then(|versions| versions.get(digest));
        let read = |(worker, record): &(usize, Arc<Record>)| (*worker, record.read());
        of_version.into_iter().flatten().map(read).collect()
    }

    /// What all workers together hold of each function, of those that any holds.
    pub fn held(&self) -> Vec<(Name, Holding)> {
        let records = self.lock();
        let of = |versions: &HashMap<Arc<str>, Vec<(usize, Arc<Record>)>>| {
            let held = versions.values().flatten().filter(|(_, record)| record.is_held());
            held.fold(Holding::default(), |all, (_, record)| Holding {
                states: all.states + 1,
                memory: all.memory + record.memory.load(Ordering::Relaxed),
            })
        };
        let each = records.iter().map(|(name, versions)| (name.clone(), of(versions)));
        each.filter(|(_, held)| held.states > 0).collect()
    }

    /// What the calls of a version came to, on all workers.
    pub fn counts(&self, name: &Name, digest: &Arc<str>) -> Counts {
        let mut counts = Counts::default();
        for (_, read) in self.of(name, digest) {
            counts.add(&read);
        }
        counts
    }

    /// Forgets the versions of a function but these.
    pub(super) fn keep(&self, name: &Name, digests: &[Arc<str>]) {
        let mut records = self.lock();
        let Some(versions) = records.get_mut(name) else { return };
        versions.retain(|digest, _| digests.contains(digest));
        if versions.is_empty() {
            records.remove(name);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Records> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn micros(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
