//! The watchdog: one thread that ends scripts whose CPU time is spent.
//!
//! Each worker thread has a [`Slot`] with one word: a number that grows with each poll of a script,
//! and whether one runs. Starting and ending a poll is two atomic writes. The watchdog looks at the
//! slots each millisecond; where it sees the same poll again, it reads the CPU clock of that thread
//! and raises the VM's interrupt once what was left of the budget is spent. It sleeps when no
//! script runs.
#![allow(unsafe_code, reason = "raising an interrupt needs the promise that its VM is alive")]

use std::cell::Cell;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use mlua::Lua;

use super::interrupt::Interrupt;
use super::thread_clock::ThreadClock;

/// How often the watchdog looks; a budget is overrun by about two of them.
const TICK: Duration = Duration::from_millis(1);

/// Ticks without any script after which the watchdog sleeps.
const IDLE_TICKS: u32 = 50;

/// What the two low bits of a slot's word say.
const IDLE: u64 = 0;
const RUNNING: u64 = 1;
const RAISING: u64 = 2;
const RAISED: u64 = 3;
const PHASE: u64 = 3;

static SLOTS: Mutex<Vec<Arc<Slot>>> = Mutex::new(Vec::new());
static ASLEEP: AtomicBool = AtomicBool::new(false);
static THREAD: OnceLock<Option<Thread>> = OnceLock::new();

thread_local! {
    static MINE: Mine = Mine::new();
}

/// What a worker thread and the watchdog say to each other.
struct Slot {
    /// The poll's number, and what is going on.
    word: AtomicU64,
    /// What is left of the budget, in nanoseconds.
    left: AtomicU64,
    /// The VM's interrupt. Its VM is alive while the word says that a script runs: the worker
    /// holds it, and does not go on before a [`RAISING`] is [`RAISED`].
    target: AtomicUsize,
    /// CPU time of this poll in nanoseconds, as the watchdog saw it last.
    seen: AtomicU64,
    /// The watchdog's own notes: the word that it saw last, and the thread's clock then.
    noted: AtomicU64,
    since: AtomicU64,
    clock: ThreadClock,
    /// The thread is over.
    gone: AtomicBool,
}

/// The slot of this thread; it is given up with the thread.
struct Mine {
    slot: Arc<Slot>,
    /// The running script is leaving by its own wish.
    leaving: Cell<bool>,
}

/// One poll of a script. While it is there, the watchdog may end the script.
pub(super) struct Running<'vm> {
    interrupt: Interrupt,
    started: Instant,
    outer: Option<Outer>,
    over: bool,
    vm: PhantomData<&'vm Lua>,
}

/// The poll that this one runs inside of.
struct Outer {
    interrupt: Interrupt,
    left: u64,
    cut: bool,
    leaving: bool,
}

/// What a poll took.
pub(super) struct Spent {
    /// CPU time.
    pub(super) cpu: Duration,
    /// Whether the watchdog ended it.
    pub(super) cut: bool,
}

/// A script of `lua` begins or goes on; it may use `left` CPU time until it is over.
pub(super) fn watch(_lua: &Lua, interrupt: Interrupt, left: Duration) -> Running<'_> {
    MINE.with(|mine| {
        let outer = mine.interrupted();
        mine.start(interrupt, left.as_nanos() as u64);
        Running { interrupt, started: Instant::now(), outer, over: false, vm: PhantomData }
    })
}

/// Ends the script that runs on this thread at its next safepoint, as its own wish.
pub(super) fn leave() {
    MINE.with(|mine| {
        if mine.slot.word.load(Ordering::Relaxed) & PHASE == IDLE {
            return;
        }
        mine.leaving.set(true);
        let interrupt = Interrupt::at(mine.slot.target.load(Ordering::Relaxed));
        // SAFETY: a script runs on this thread, so its VM is alive.
        unsafe { interrupt.raise() };
    });
}

/// Whether the script that runs on this thread is to end; for native loops that take long.
pub(super) fn is_over() -> bool {
    MINE.with(|mine| {
        mine.leaving.get() || mine.slot.word.load(Ordering::Relaxed) & PHASE >= RAISING
    })
}

impl Running<'_> {
    /// The script came to an end, or waits.
    pub(super) fn end(mut self) -> Spent {
        let cut = self.stop();
        let wall = self.started.elapsed();
        // Wall time is CPU time unless others had the core: the longer, the more it matters.
        let cpu = if wall < 2 * TICK {
            wall
        } else {
            let seen = MINE.with(|mine| mine.slot.seen.load(Ordering::Relaxed));
            wall.min(Duration::from_nanos(seen) + TICK)
        };
        Spent { cpu, cut }
    }

    fn stop(&mut self) -> bool {
        if std::mem::replace(&mut self.over, true) {
            return false;
        }
        MINE.with(|mine| {
            let cut = mine.stop(self.interrupt);
            if let Some(outer) = self.outer.take() {
                mine.resume(&outer);
            }
            cut
        })
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Mine {
    fn new() -> Self {
        let slot = Arc::new(Slot {
            word: AtomicU64::new(IDLE),
            left: AtomicU64::new(0),
            target: AtomicUsize::new(0),
            seen: AtomicU64::new(0),
            noted: AtomicU64::new(IDLE),
            since: AtomicU64::new(0),
            clock: ThreadClock::mine(),
            gone: AtomicBool::new(false),
        });
        SLOTS.lock().unwrap_or_else(PoisonError::into_inner).push(slot.clone());
        Self { slot, leaving: Cell::new(false) }
    }

    fn start(&self, interrupt: Interrupt, left: u64) {
        let slot = &self.slot;
        let word = (slot.word.load(Ordering::Relaxed) | PHASE) + 1 + RUNNING;
        slot.left.store(left, Ordering::Relaxed);
        slot.seen.store(0, Ordering::Relaxed);
        slot.target.store(interrupt.address(), Ordering::Relaxed);
        slot.word.store(word, Ordering::SeqCst);
        if ASLEEP.load(Ordering::SeqCst) || THREAD.get().is_none() {
            wake();
        }
    }

    /// Ends the poll that runs; whether the watchdog had ended it.
    fn stop(&self, interrupt: Interrupt) -> bool {
        let slot = &self.slot;
        let idle = slot.word.load(Ordering::Relaxed) & !PHASE;
        let word = idle + RUNNING;
        let ended = slot.word.compare_exchange(word, idle, Ordering::SeqCst, Ordering::SeqCst);
        let cut = ended.is_err();
        if cut {
            while slot.word.load(Ordering::SeqCst) & PHASE != RAISED {
                thread::yield_now(); // the watchdog is between two instructions
            }
            slot.word.store(idle, Ordering::SeqCst);
        }
        if self.leaving.take() || cut {
            // SAFETY: `Running` borrows the VM.
            unsafe { interrupt.clear() };
        }
        cut
    }

    /// Puts a poll that is going on aside, if there is one.
    fn interrupted(&self) -> Option<Outer> {
        let word = self.slot.word.load(Ordering::SeqCst);
        if word & PHASE == IDLE {
            return None;
        }
        let interrupt = Interrupt::at(self.slot.target.load(Ordering::Relaxed));
        let left = self.slot.left.load(Ordering::Relaxed);
        let leaving = self.leaving.get();
        let cut = self.stop(interrupt);
        Some(Outer { interrupt, left, cut, leaving })
    }

    /// Goes on with a poll that was put aside. Its clock starts again: what it had used is lost,
    /// at most once for each script that it runs in another state.
    fn resume(&self, outer: &Outer) {
        self.start(outer.interrupt, if outer.cut { 0 } else { outer.left });
        if outer.leaving {
            leave();
        }
    }
}

impl Drop for Mine {
    fn drop(&mut self) {
        self.slot.gone.store(true, Ordering::SeqCst);
    }
}

/// Starts the watchdog's thread, or wakes it.
fn wake() {
    let thread = THREAD.get_or_init(|| {
        let spawned = thread::Builder::new().name("lua-watchdog".into()).spawn(keep_watch);
        spawned.ok().map(|handle| handle.thread().clone())
    });
    if ASLEEP.swap(false, Ordering::SeqCst)
        && let Some(thread) = thread
    {
        thread.unpark();
    }
}

fn keep_watch() {
    let mut idle = 0;
    loop {
        idle = if look_around() { 0 } else { idle + 1 };
        if idle < IDLE_TICKS {
            thread::park_timeout(TICK);
            continue;
        }
        ASLEEP.store(true, Ordering::SeqCst);
        if look_around() {
            ASLEEP.store(false, Ordering::SeqCst);
        }
        while ASLEEP.load(Ordering::SeqCst) {
            thread::park();
        }
        idle = 0;
    }
}

/// Looks at all slots; whether any script ran since the last time.
fn look_around() -> bool {
    let mut slots = SLOTS.lock().unwrap_or_else(PoisonError::into_inner);
    slots.retain(|slot| !slot.gone.load(Ordering::SeqCst));
    let mut busy = false;
    for slot in slots.iter() {
        busy |= slot.look();
    }
    busy
}

impl Slot {
    fn look(&self) -> bool {
        let word = self.word.load(Ordering::SeqCst);
        if word & PHASE != RUNNING {
            return self.noted.swap(word, Ordering::Relaxed) != word;
        }
        let now = self.clock.now().as_nanos() as u64;
        if self.noted.swap(word, Ordering::Relaxed) != word {
            self.since.store(now, Ordering::Relaxed);
            self.seen.store(0, Ordering::Relaxed);
        }
        let used = now.saturating_sub(self.since.load(Ordering::Relaxed));
        self.seen.store(used, Ordering::Relaxed);
        if used >= self.left.load(Ordering::Relaxed) {
            self.raise(word);
        }
        true
    }

    fn raise(&self, word: u64) {
        let base = word - RUNNING;
        let ours =
            self.word.compare_exchange(word, base + RAISING, Ordering::SeqCst, Ordering::SeqCst);
        if ours.is_ok() {
            let interrupt = Interrupt::at(self.target.load(Ordering::Relaxed));
            // SAFETY: the script's thread keeps the VM until the word says `RAISED`.
            unsafe { interrupt.raise() };
            self.word.store(base + RAISED, Ordering::SeqCst);
        }
    }
}
