//! Thread pools: what scripts have computed aside, on threads that serve no requests.
//!
//! A thread of a pool begins with the first work that nobody else is free for, and ends when there was
//! none for a while. It keeps one state, of the domain that it worked for last: states cannot go from
//! one thread to another, so there are never more of them than calls under way.

mod plain;
mod work;

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

pub use plain::{Plain, plain};
pub use work::{Outcome, Work};

use crate::config::{ThreadPool, ThreadPools};
use work::Bench;

/// How long a thread waits for work before it ends.
const IDLE: Duration = Duration::from_secs(30);

/// The thread pools of a policy.
#[derive(Debug, Default)]
pub struct Pools {
    named: BTreeMap<String, Arc<Pool>>,
    /// How many calls may be under way in all of them together.
    states: usize,
    busy: Arc<AtomicUsize>,
}

/// Leave to be under way; given back when it is dropped.
#[derive(Debug)]
pub struct Permit(Arc<AtomicUsize>);

/// Some threads, and the work that waits for them.
#[derive(Debug)]
pub struct Pool {
    name: String,
    settings: ThreadPool,
    queue: Mutex<Queue>,
    more: Condvar,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<Work>,
    threads: usize,
    idle: usize,
}

impl Pools {
    /// As the settings declare them. No thread begins before there is work for it.
    pub fn new(settings: &ThreadPools) -> Self {
        let pool = |(name, settings): (&String, &ThreadPool)| {
            (name.clone(), Arc::new(Pool::new(name.clone(), *settings)))
        };
        let named = settings.named.iter().map(pool).collect();
        Self { named, states: settings.states, busy: Arc::default() }
    }

    /// The pool of that name.
    pub fn find(&self, name: &str) -> Option<&Arc<Pool>> {
        self.named.get(name)
    }

    /// Leave for one more call to be under way, if there is room for its state.
    pub fn admit(&self) -> Option<Permit> {
        let room = |busy: usize| (busy < self.states).then_some(busy + 1);
        let order = Ordering::Relaxed;
        self.busy.fetch_update(order, order, room).ok().map(|_| Permit(self.busy.clone()))
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Pool {
    fn new(name: String, settings: ThreadPool) -> Self {
        Self { name, settings, queue: Mutex::default(), more: Condvar::new() }
    }

    /// What its work is called in metrics.
    pub fn label(&self) -> String {
        format!("thread_pool {}", self.name)
    }

    /// CPU time that one call may take.
    pub fn cpu(&self) -> Duration {
        self.settings.cpu
    }

    /// Has some work done by the next thread that is free.
    ///
    /// # Errors
    /// If as much waits as may, or a thread cannot be made.
    pub fn post(self: &Arc<Self>, work: Work) -> io::Result<()> {
        let mut queue = self.queue();
        if queue.waiting.len() >= self.settings.queue {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        if queue.idle <= queue.waiting.len() && queue.threads < self.settings.threads {
            let pool = self.clone();
            let name = format!("lua-{}", self.name);
            thread::Builder::new().name(name).spawn(move || pool.serve())?;
            queue.threads += 1;
        }
        queue.waiting.push_back(work);
        drop(queue);
        self.more.notify_one();
        Ok(())
    }

    /// One thread's life.
    fn serve(&self) {
        let _leaving = Leaving(self);
        let mut bench = Bench::default();
        while let Some(work) = self.next() {
            work.run(&mut bench);
        }
    }

    /// The next work; none if there was none for a while.
    fn next(&self) -> Option<Work> {
        let mut queue = self.queue();
        queue.idle += 1;
        let nothing = |queue: &mut Queue| queue.waiting.is_empty();
        let waited = self.more.wait_timeout_while(queue, IDLE, nothing);
        let (mut queue, _) = waited.unwrap_or_else(PoisonError::into_inner);
        queue.idle -= 1;
        queue.waiting.pop_front()
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A thread ends, however that came: another may begin in its place.
struct Leaving<'a>(&'a Pool);

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        self.0.queue().threads -= 1;
    }
}
