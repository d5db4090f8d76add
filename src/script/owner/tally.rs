//! What owners used and hold, on all workers: each worker counts for itself, whoever asks adds up.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::flood::Flood;
use crate::script::ScriptErrorKind;

/// The limits that make a call or a connection be refused, in this order in counts.
pub(super) const LIMITS: [&str; 4] = ["calls", "connections", "cpu", "memory"];
/// The reasons for which calls are ended, in this order in counts.
const KILLS: [ScriptErrorKind; 4] = [
    ScriptErrorKind::Cpu,
    ScriptErrorKind::Memory,
    ScriptErrorKind::Response,
    ScriptErrorKind::Wait,
];

/// What an owner's scripts came to, on all workers of this process since its start.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct OwnerTotals {
    /// Whose.
    pub owner: String,
    /// Calls that ended.
    pub calls: u64,
    /// Those that came to no good end.
    pub errors: u64,
    /// CPU time.
    pub cpu: Duration,
    /// Calls under way.
    pub running: u64,
    /// Connections that are open.
    pub connections: u64,
    /// Bytes that its states hold.
    pub memory: u64,
    /// The most that they held, worker by worker.
    pub peak: u64,
    /// Calls that were ended, by why.
    pub kills: [(&'static str, u64); 4],
    /// Calls and connections that were refused, by the limit.
    pub refused: [(&'static str, u64); 4],
    /// Log lines that were too many for a second.
    pub dropped_lines: u64,
}

/// One worker's counts of an owner. Only that worker writes them.
#[derive(Debug, Default)]
pub(super) struct Tally {
    calls: AtomicU64,
    errors: AtomicU64,
    cpu: AtomicU64,
    running: AtomicU64,
    connections: AtomicU64,
    memory: AtomicU64,
    peak: AtomicU64,
    kills: [AtomicU64; 4],
    refused: [AtomicU64; 4],
    dropped_lines: AtomicU64,
}

/// What an owner's limits on all workers are held against.
#[derive(Debug, Default)]
pub(super) struct Together {
    pub(super) calls: AtomicUsize,
    pub(super) connections: AtomicUsize,
    pub(super) flood: Mutex<Flood>,
}

/// An owner, and its counts by worker.
#[derive(Default)]
struct Known {
    together: Arc<Together>,
    tallies: Vec<Arc<Tally>>,
}

static OWNERS: Mutex<BTreeMap<Arc<str>, Known>> = Mutex::new(BTreeMap::new());

/// What all workers have in common of an owner, and this worker's counts.
pub(super) fn enlist(owner: &Arc<str>) -> (Arc<Together>, Arc<Tally>) {
    let mut owners = OWNERS.lock().unwrap_or_else(PoisonError::into_inner);
    let known = owners.entry(owner.clone()).or_default();
    let tally = Arc::<Tally>::default();
    known.tallies.push(tally.clone());
    (known.together.clone(), tally)
}

/// What each owner's scripts came to, by owner; those who never ran any are not among them.
pub fn owner_totals() -> Vec<OwnerTotals> {
    let owners = OWNERS.lock().unwrap_or_else(PoisonError::into_inner);
    owners.iter().map(|(owner, known)| total(owner, &known.tallies)).collect()
}

fn total(owner: &str, tallies: &[Arc<Tally>]) -> OwnerTotals {
    let sum = |count: fn(&Tally) -> &AtomicU64| -> u64 {
        tallies.iter().map(|tally| count(tally).load(Ordering::Relaxed)).sum()
    };
    let each = |counts: fn(&Tally) -> &[AtomicU64; 4], names: [&'static str; 4]| {
        let mut all = names.map(|name| (name, 0));
        for tally in tallies {
            for ((_, sum), count) in all.iter_mut().zip(counts(tally)) {
                *sum += count.load(Ordering::Relaxed);
            }
        }
        all
    };
    OwnerTotals {
        owner: owner.to_owned(),
        calls: sum(|one| &one.calls),
        errors: sum(|one| &one.errors),
        cpu: Duration::from_nanos(sum(|one| &one.cpu)),
        running: sum(|one| &one.running),
        connections: sum(|one| &one.connections),
        memory: sum(|one| &one.memory),
        peak: sum(|one| &one.peak),
        kills: each(|one| &one.kills, KILLS.map(ScriptErrorKind::as_str)),
        refused: each(|one| &one.refused, LIMITS),
        dropped_lines: sum(|one| &one.dropped_lines),
    }
}

impl Tally {
    /// A call began.
    pub(super) fn begun(&self) {
        add(&self.running, 1);
    }

    /// A call that began is over.
    pub(super) fn over(&self) {
        take_one(&self.running);
    }

    /// A connection was opened.
    pub(super) fn connected(&self) {
        add(&self.connections, 1);
    }

    /// A connection that was opened is closed.
    pub(super) fn disconnected(&self) {
        take_one(&self.connections);
    }

    /// A call ended so.
    pub(super) fn ended(&self, failed: Option<ScriptErrorKind>) {
        add(&self.calls, 1);
        let Some(kind) = failed else { return };
        add(&self.errors, 1);
        let kill = KILLS.iter().position(|known| *known == kind);
        if let Some(count) = kill.and_then(|at| self.kills.get(at)) {
            add(count, 1);
        }
    }

    /// A call or a connection was refused.
    pub(super) fn refused(&self, limit: &str) {
        let at = LIMITS.iter().position(|known| *known == limit);
        if let Some(count) = at.and_then(|at| self.refused.get(at)) {
            add(count, 1);
        }
    }

    /// A script used so much.
    pub(super) fn used(&self, cpu: Duration) {
        add(&self.cpu, u64::try_from(cpu.as_nanos()).unwrap_or(u64::MAX));
    }

    /// The owner's states on the worker hold so much now.
    pub(super) fn holds(&self, bytes: usize) {
        self.memory.store(bytes as u64, Ordering::Relaxed);
        if bytes as u64 > self.peak.load(Ordering::Relaxed) {
            self.peak.store(bytes as u64, Ordering::Relaxed);
        }
    }

    /// A log line was one too many.
    pub(super) fn dropped_line(&self) {
        add(&self.dropped_lines, 1);
    }
}

/// Only one thread writes a count.
fn add(count: &AtomicU64, more: u64) {
    count.store(count.load(Ordering::Relaxed).wrapping_add(more), Ordering::Relaxed);
}

/// As [`add`].
fn take_one(count: &AtomicU64) {
    count.store(count.load(Ordering::Relaxed).wrapping_sub(1), Ordering::Relaxed);
}
