//! Changes on their way to disk: written behind by one thread, many in one transaction.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::history::Record;
use super::key::Key;

/// Keys that may wait to be written. Past that the disk is slower than the changes: the collection
/// is then written whole, later, and no more of its keys wait.
const WAITING: usize = 500_000;

/// What is to be written.
#[derive(Debug)]
pub(super) enum Work {
    /// All entries of a collection in place of those on disk.
    Copy { id: u64 },
    /// A collection was declared, or its views changed.
    Declared { id: u64 },
    /// A collection is gone.
    Dropped { id: u64 },
    /// Entries were changed: they are written as they then are.
    Entries { id: u64, version: u64, keys: Vec<Key> },
    /// A change to remember, and the version before which all is forgotten.
    Record { id: u64, record: Box<Record>, floor: u64 },
}

/// What waits to be written.
#[derive(Default)]
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    called: Condvar,
}

#[derive(Default)]
struct Waiting {
    works: Vec<(Work, Ticket)>,
    keys: usize,
    /// Counters that were counted up since they were written.
    counted: HashMap<u64, HashSet<Key>>,
    /// Somebody writes; else all is in memory alone.
    kept: bool,
    closed: bool,
}

/// What a turn of the thread takes.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) works: Vec<(Work, Ticket)>,
    pub(super) counted: HashMap<u64, HashSet<Key>>,
    pub(super) closed: bool,
}

/// Tells when a change is kept on disk.
#[derive(Debug, Clone, Default)]
pub struct Ticket(Arc<Outcome>);

#[derive(Debug, Default)]
struct Outcome {
    kept: Mutex<Option<Result<Durability, String>>>,
    told: Condvar,
}

/// Where a change is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// On disk: a crash does not lose it.
    Disk,
    /// In memory: there is no state directory.
    Memory,
}

impl Ticket {
    /// Waits until the change is kept on disk, or the attempt failed. Blocks: not for a worker.
    ///
    /// # Errors
    /// Why it is not on disk. It is in force all the same, and is tried again.
    pub fn wait(&self) -> Result<Durability, String> {
        let mut kept = self.0.kept.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            match &*kept {
                Some(outcome) => return outcome.clone(),
                None => kept = self.0.told.wait(kept).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }

    pub(super) fn tell(&self, outcome: Result<Durability, String>) {
        let mut kept = self.0.kept.lock().unwrap_or_else(PoisonError::into_inner);
        *kept = Some(outcome);
        self.0.told.notify_all();
    }
}

impl Batch {
    pub(super) fn is_empty(&self) -> bool {
        self.works.is_empty() && self.counted.is_empty()
    }
}

impl Queue {
    /// From now on somebody writes. Before, work is done as soon as it is given.
    pub(super) fn keep(&self) {
        self.lock().kept = true;
    }

    /// Adds work.
    pub(super) fn push(&self, work: Work) -> Ticket {
        let ticket = Ticket::default();
        let mut waiting = self.lock();
        if !waiting.kept || waiting.closed {
            ticket.tell(Ok(Durability::Memory));
            return ticket;
        }
        let work = waiting.shorten(work);
        waiting.works.push((work, ticket.clone()));
        self.called.notify_one();
        ticket
    }

    /// A counter was counted up.
    pub(super) fn counted(&self, id: u64, key: &[u8]) {
        let mut waiting = self.lock();
        if !waiting.kept || waiting.closed {
            return;
        }
        let counted = waiting.counted.entry(id).or_default();
        if !counted.contains(key) {
            counted.insert(key.into());
        }
    }

    /// What waits, once there is any or so much time has passed.
    pub(super) fn take(&self, patience: Duration) -> Batch {
        let waiting = self.lock();
        let idle = |waiting: &mut Waiting| waiting.works.is_empty() && !waiting.closed;
        let waited = self.called.wait_timeout_while(waiting, patience, idle);
        let (mut waiting, _) = waited.unwrap_or_else(PoisonError::into_inner);
        waiting.keys = 0;
        let works = std::mem::take(&mut waiting.works);
        Batch { works, counted: HashMap::new(), closed: waiting.closed }
    }

    /// Counters that were counted up since this was asked last.
    pub(super) fn take_counted(&self) -> HashMap<u64, HashSet<Key>> {
        std::mem::take(&mut self.lock().counted)
    }

    /// What could not be written waits again, before all else.
    pub(super) fn put_back(&self, batch: Batch) {
        let mut waiting = self.lock();
        let later = std::mem::take(&mut waiting.works);
        for (work, ticket) in batch.works.into_iter().chain(later) {
            let work = waiting.shorten(work);
            waiting.works.push((work, ticket));
        }
        for (id, keys) in batch.counted {
            waiting.counted.entry(id).or_default().extend(keys);
        }
    }

    /// Waits so long, unless the queue is closed meanwhile.
    pub(super) fn rest(&self, time: Duration) {
        let open = |waiting: &mut Waiting| !waiting.closed;
        drop(self.called.wait_timeout_while(self.lock(), time, open));
    }

    /// Has the thread write what waits and end.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.called.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    /// Where too many keys wait, a collection is written whole.
    fn shorten(&mut self, work: Work) -> Work {
        let Work::Entries { id, keys, version } = work else { return work };
        self.keys += keys.len();
        if self.keys <= WAITING {
            return Work::Entries { id, keys, version };
        }
        let whole = |work: &Work| matches!(work, Work::Copy { id: other } if *other == id);
        if self.works.iter().any(|(work, _)| whole(work)) {
            return Work::Entries { id, version, keys: Vec::new() };
        }
        Work::Copy { id }
    }
}
