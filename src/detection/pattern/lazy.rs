//! Automata whose states are made as values ask for them, in caches that each thread has for itself.
//!
//! A thread's caches take a bounded amount of memory together: the one that was used least recently
//! goes first. None of them is ever given up for another engine: where its cache is full it is
//! emptied, and the search goes on.

use std::cell::RefCell;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use regex_automata::hybrid::dfa::{Cache, Config, DFA};
use regex_automata::nfa::thompson::NFA;
use regex_automata::{Input, MatchKind};

use crate::detection::operators::Fault;

/// Bytes of one cache, about.
const CACHE_BYTES: usize = 512 << 10;
/// Bytes of all caches of a thread, at most.
const THREAD_BYTES: usize = 4 << 20;

/// An automaton.
#[derive(Debug)]
pub struct Lazy {
    states: DFA,
    place: Place,
}

impl Lazy {
    /// Of these states.
    ///
    /// # Errors
    /// If they are too many to be numbered.
    pub fn new(states: NFA, kind: MatchKind) -> Result<Self, Fault> {
        let config = Config::new()
            .match_kind(kind)
            .cache_capacity(CACHE_BYTES)
            .skip_cache_capacity_check(true);
        let states = DFA::builder().configure(config).build_from_nfa(states);
        let states =
            states.map_err(|error| Fault::new(format!("the expression cannot be run: {error}")))?;
        Ok(Self { states, place: Place::taken() })
    }

    /// Where a match ends.
    #[inline]
    pub fn run(&self, input: &Input<'_>) -> Option<usize> {
        // It fails only where it was told to give up, or asked for what it was not made for.
        let found = |cache: &mut Cache| self.states.try_search_fwd(cache, input).ok().flatten();
        CACHES.with_borrow_mut(|caches| caches.with(self, found)).flatten().map(|end| end.offset())
    }

    /// Where a match begins that ends where the input does.
    pub fn run_back(&self, input: &Input<'_>) -> Option<usize> {
        let found = |cache: &mut Cache| self.states.try_search_rev(cache, input).ok().flatten();
        CACHES
            .with_borrow_mut(|caches| caches.with(self, found))
            .flatten()
            .map(|start| start.offset())
    }
}

/// Where an automaton's caches stand in each thread's list. The next automaton that is made has the
/// place of one that is gone; `owner` tells them apart.
#[derive(Debug)]
struct Place {
    index: usize,
    owner: u64,
}

static OWNERS: AtomicU64 = AtomicU64::new(1);
static FREE: Mutex<Free> = Mutex::new(Free { indices: Vec::new(), next: 0 });

struct Free {
    indices: Vec<usize>,
    next: usize,
}

impl Place {
    fn taken() -> Self {
        let mut free = FREE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let index = free.indices.pop().unwrap_or_else(|| {
            free.next += 1;
            free.next - 1
        });
        Self { index, owner: OWNERS.fetch_add(1, Ordering::Relaxed) }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut free = FREE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        free.indices.push(self.index);
    }
}

thread_local! {
    static CACHES: RefCell<Caches> = const { RefCell::new(Caches::new()) };
}

/// A thread's caches.
struct Caches {
    all: Vec<Option<Box<Kept>>>,
    bytes: usize,
    /// Searches so far.
    now: u64,
}

struct Kept {
    owner: u64,
    cache: Cache,
    bytes: usize,
    used: u64,
}

impl Caches {
    const fn new() -> Self {
        Self { all: Vec::new(), bytes: 0, now: 0 }
    }

    #[inline]
    fn with<T>(&mut self, lazy: &Lazy, search: impl FnOnce(&mut Cache) -> T) -> Option<T> {
        let Place { index, owner } = lazy.place;
        if !matches!(self.all.get(index), Some(Some(kept)) if kept.owner == owner) {
            self.make(lazy);
        }
        self.now += 1;
        let kept = self.all.get_mut(index)?.as_mut()?;
        kept.used = self.now;
        let found = search(&mut kept.cache);
        let bytes = kept.cache.memory_usage();
        self.bytes = self.bytes + bytes - kept.bytes;
        kept.bytes = bytes;
        if self.bytes > THREAD_BYTES {
            self.drop_least(index);
        }
        Some(found)
    }

    #[cold]
    fn make(&mut self, lazy: &Lazy) {
        let Place { index, owner } = lazy.place;
        if self.all.len() <= index {
            self.all.resize_with(index + 1, || None);
        }
        self.forget(index);
        let cache = lazy.states.create_cache();
        let bytes = cache.memory_usage();
        self.bytes += bytes;
        if let Some(place) = self.all.get_mut(index) {
            *place = Some(Box::new(Kept { owner, cache, bytes, used: 0 }));
        }
    }

    fn forget(&mut self, index: usize) {
        let gone = self.all.get_mut(index).and_then(Option::take);
        self.bytes -= gone.map_or(0, |gone| gone.bytes);
    }

    /// Drops caches but that at `index`, until the rest are well within their bound.
    #[cold]
    fn drop_least(&mut self, index: usize) {
        let kept = self.all.iter().enumerate().filter(|(at, _)| *at != index);
        let mut by_use: Vec<(u64, usize)> =
            kept.filter_map(|(at, kept)| Some((kept.as_ref()?.used, at))).collect();
        by_use.sort_unstable();
        for (_, at) in by_use {
            if self.bytes <= THREAD_BYTES / 4 * 3 {
                break;
            }
            self.forget(at);
        }
    }
}
