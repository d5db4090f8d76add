//! What a worker thread and the watchdog say to each other about the script that runs.
//!
//! The slot's word is a number that grows with each poll of a script, and what goes on: beginning
//! and ending a poll are two atomic writes of it. The watchdog takes the word before it raises a
//! VM's interrupt, and the worker does not go on before it is given back.
#![allow(unsafe_code, reason = "raising an interrupt needs the promise that its VM is alive")]

use std::cell::Cell;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use mlua::Lua;

use super::bell::Bell;
use super::interrupt::{Demand, Interrupt};
use super::thread_clock::{ThreadClock, wall};
use super::watchdog::{self, TICK};

/// What the two low bits of a slot's word say.
pub(super) const IDLE: u64 = 0;
pub(super) const RUNNING: u64 = 1;
pub(super) const RAISING: u64 = 2;
pub(super) const ENDED: u64 = 3;
pub(super) const WHAT: u64 = 3;

/// A poll whose CPU time at its beginning is not known.
pub(super) const UNKNOWN: u64 = u64::MAX;
/// A slice that never ends.
pub(super) const NEVER: u64 = u64::MAX;

thread_local! {
    static MINE: Mine = Mine::new();
}

/// What a worker thread and the watchdog say to each other. Times are in nanoseconds.
pub(super) struct Slot {
    /// The poll's number, and what goes on.
    pub(super) word: AtomicU64,
    /// CPU time after which the script is ended.
    pub(super) left: AtomicU64,
    /// Time after which the script is suspended; [`NEVER`] if it is not.
    pub(super) slice: AtomicU64,
    /// When the poll began, by [`wall`].
    pub(super) started: AtomicU64,
    /// When its bell wakes the watchdog next, or did last, by [`wall`]; 0: it has none.
    pub(super) rings: AtomicU64,
    /// Whether the watchdog will not look before the bell is set again.
    pub(super) unwatched: AtomicBool,
    /// The thread's CPU time when the poll began, or [`UNKNOWN`].
    pub(super) entered: AtomicU64,
    /// The VM's interrupt. Its VM is alive while the word says that a script runs: the worker
    /// holds it, and does not go on while the word says [`RAISING`].
    pub(super) target: AtomicUsize,
    /// CPU time of this poll, as the watchdog saw it last.
    pub(super) seen: AtomicU64,
    /// Whether it may compute on for its whole budget where it cannot be suspended.
    pub(super) patient: AtomicBool,
    /// Calls of this thread that are suspended.
    pub(super) suspended: AtomicUsize,
    pub(super) clock: ThreadClock,
    /// The thread is over.
    pub(super) gone: AtomicBool,
}

/// The slot of this thread; it is given up with the thread.
struct Mine {
    slot: Arc<Slot>,
    bell: Option<Bell>,
    /// From when on a poll that begins puts the bell off, by [`wall`].
    put_off: Cell<u64>,
    /// The running script is leaving by its own wish.
    leaving: Cell<bool>,
    /// The running script was suspended: it is on its way out.
    suspended: Cell<bool>,
    /// The running script computed for too long where it could not be suspended.
    overstayed: Cell<bool>,
}

/// What a poll may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Allowance {
    /// CPU time after which the script is ended.
    pub(super) left: Duration,
    /// CPU time after which it is suspended; none if it may not be.
    pub(super) slice: Option<Duration>,
    /// Whether its CPU time is worth two looks at the clock.
    pub(super) exact: bool,
    /// Whether it may compute on for its whole budget where it cannot be suspended.
    pub(super) patient: bool,
}

/// One poll of a script. While it is there, the watchdog may suspend or end the script.
pub(super) struct Running<'vm> {
    interrupt: Interrupt,
    /// By [`wall`].
    started: u64,
    /// The thread's CPU time then, if that is known.
    entered: Option<Duration>,
    outer: Option<Outer>,
    over: bool,
    vm: PhantomData<&'vm Lua>,
}

/// The poll that this one runs inside of.
struct Outer {
    interrupt: Interrupt,
    left: u64,
    slice: u64,
    patient: bool,
    cut: bool,
    leaving: bool,
}

/// How a poll ended.
#[derive(Default)]
struct Stopped {
    cut: bool,
    suspended: bool,
    overstayed: bool,
}

/// What a poll took.
pub(super) struct Spent {
    /// From when to when it went on, by [`wall`].
    pub(super) from: u64,
    pub(super) to: u64,
    /// CPU time.
    pub(super) cpu: Duration,
    /// Whether the script was ended.
    pub(super) cut: bool,
    /// Whether the script was suspended: it wants to go on.
    pub(super) suspended: bool,
    /// Whether it was ended because it could not be suspended in time.
    pub(super) overstayed: bool,
}

/// A script of `lua` begins or goes on; it may use what is allowed until the poll is over.
pub(super) fn watch(_lua: &Lua, interrupt: Interrupt, allowed: Allowance) -> Running<'_> {
    MINE.with(|mine| {
        let outer = mine.put_aside();
        let started = wall();
        let entered = allowed.exact.then(|| mine.slot.clock.now());
        let slice = allowed.slice.map_or(NEVER, |slice| slice.as_nanos() as u64);
        mine.slot.patient.store(allowed.patient, Ordering::Relaxed);
        mine.start(interrupt, started, entered, allowed.left.as_nanos() as u64, slice);
        Running { interrupt, started, entered, outer, over: false, vm: PhantomData }
    })
}

/// Ends the script that runs on this thread at its next safepoint, as its own wish.
pub(super) fn leave() {
    MINE.with(|mine| {
        if mine.slot.word.load(Ordering::Relaxed) & WHAT == IDLE {
            return;
        }
        mine.leaving.set(true);
        let interrupt = Interrupt::at(mine.slot.target.load(Ordering::Relaxed));
        // SAFETY: a script runs on this thread, so its VM is alive.
        unsafe { interrupt.raise(Demand::Cut) };
    });
}

/// Whether the script that runs on this thread is to end; for native loops that take long.
pub(super) fn is_over() -> bool {
    let ended = MINE.with(|mine| mine.slot.word.load(Ordering::Relaxed) & WHAT == ENDED);
    ended || is_ending()
}

/// Whether the script that runs on this thread ends for another reason than its budget: it leaves,
/// or could not be suspended in time.
pub(super) fn is_ending() -> bool {
    MINE.with(|mine| mine.leaving.get() || mine.overstayed.get())
}

/// The script that runs on this thread is about to be suspended, and is left alone until its poll
/// is over; false if it already is on its way out.
pub(super) fn suspend() -> bool {
    MINE.with(|mine| {
        let interrupt = Interrupt::at(mine.slot.target.load(Ordering::Relaxed));
        // SAFETY: a script runs on this thread, so its VM is alive.
        unsafe { interrupt.clear() };
        !mine.suspended.replace(true)
    })
}

/// Whether the script that runs on this thread was suspended: it is on its way out.
pub(super) fn is_suspended() -> bool {
    MINE.with(|mine| mine.suspended.get())
}

/// The script that runs on this thread could not be suspended in time: from now on it is ended.
pub(super) fn overstay() {
    MINE.with(|mine| {
        mine.overstayed.set(true);
        let interrupt = Interrupt::at(mine.slot.target.load(Ordering::Relaxed));
        // SAFETY: a script runs on this thread, so its VM is alive.
        unsafe { interrupt.raise(Demand::Cut) };
    });
}

/// So many calls of this thread are suspended. The more, the shorter the slices: the next poll sets the
/// bell for its own.
pub(super) fn tell_suspended(calls: usize) {
    let _ = MINE.try_with(|mine| {
        if mine.slot.suspended.swap(calls, Ordering::Relaxed) < calls {
            mine.put_off.set(0);
        }
    });
}

impl Running<'_> {
    /// The script came to an end, or waits, or was suspended.
    pub(super) fn end(mut self) -> Spent {
        let Stopped { cut, suspended, overstayed } = self.stop();
        let (from, to) = (self.started, wall());
        let cpu = MINE.with(|mine| self.cpu(&mine.slot, to));
        Spent { from, to, cpu, cut, suspended, overstayed }
    }

    fn cpu(&self, slot: &Slot, now: u64) -> Duration {
        if let Some(entered) = self.entered {
            return slot.clock.now().saturating_sub(entered);
        }
        let wall = Duration::from_nanos(now.saturating_sub(self.started));
        // Wall time is CPU time unless others had the core: the longer, the more it matters.
        if wall < 2 * TICK {
            return wall;
        }
        let seen = slot.seen.load(Ordering::Relaxed);
        wall.min(Duration::from_nanos(seen) + TICK)
    }

    fn stop(&mut self) -> Stopped {
        if std::mem::replace(&mut self.over, true) {
            return Stopped::default();
        }
        MINE.with(|mine| {
            let stopped = mine.stop(self.interrupt);
            if let Some(outer) = self.outer.take() {
                mine.resume(&outer);
            }
            stopped
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
        let bell = Bell::hung();
        let slot = Arc::new(Slot {
            word: AtomicU64::new(IDLE),
            left: AtomicU64::new(0),
            slice: AtomicU64::new(NEVER),
            started: AtomicU64::new(0),
            rings: AtomicU64::new(bell.is_some().into()),
            unwatched: AtomicBool::new(false),
            entered: AtomicU64::new(UNKNOWN),
            target: AtomicUsize::new(0),
            seen: AtomicU64::new(0),
            patient: AtomicBool::new(true),
            suspended: AtomicUsize::new(0),
            clock: ThreadClock::mine(),
            gone: AtomicBool::new(false),
        });
        watchdog::enlist(slot.clone());
        Self {
            slot,
            bell,
            put_off: Cell::new(0),
            leaving: Cell::new(false),
            suspended: Cell::new(false),
            overstayed: Cell::new(false),
        }
    }

    fn start(
        &self,
        interrupt: Interrupt,
        started: u64,
        entered: Option<Duration>,
        left: u64,
        slice: u64,
    ) {
        let slot = &self.slot;
        if started >= self.put_off.get() {
            self.ring_within(slice, started);
        }
        let entered = entered.map_or(UNKNOWN, |entered| entered.as_nanos() as u64);
        let idle = (slot.word.load(Ordering::Relaxed) | WHAT) + 1;
        slot.left.store(left, Ordering::Relaxed);
        slot.slice.store(slice, Ordering::Relaxed);
        slot.started.store(started, Ordering::Relaxed);
        slot.entered.store(entered, Ordering::Relaxed);
        slot.seen.store(0, Ordering::Relaxed);
        slot.target.store(interrupt.address(), Ordering::Relaxed);
        if left == 0 {
            slot.word.store(idle + ENDED, Ordering::SeqCst);
            // SAFETY: the caller holds the VM, and lets the script run in it next.
            return unsafe { interrupt.raise(Demand::Cut) };
        }
        slot.word.store(idle + RUNNING, Ordering::SeqCst);
        // The bell may have rung before the word said that there is something to look at.
        if slot.unwatched.load(Ordering::SeqCst) {
            self.ring_within(slice, started);
        }
    }

    /// Has the watchdog woken when a poll that begins now took a tick, or half as long again as its slice of
    /// so many nanoseconds where others wait, and not before. One that begins in the second half of that
    /// time puts it off: so the watchdog looks at each within that time, and at none that is over by then.
    /// (To look when the slice is over would be to suspend more often what is about to end.)
    #[cold]
    fn ring_within(&self, slice: u64, now: u64) {
        self.slot.unwatched.store(false, Ordering::SeqCst);
        let tick = TICK.as_nanos() as u64;
        let others_wait = self.slot.suspended.load(Ordering::Relaxed) > 0;
        let time = if others_wait { slice.saturating_add(slice / 2).min(tick) } else { tick };
        let rings =
            self.bell.as_ref().is_some_and(|bell| bell.ring_after(Duration::from_nanos(time)));
        self.put_off.set(now + time / 2);
        self.slot.rings.store(if rings { now + time } else { 0 }, Ordering::SeqCst);
    }

    /// Ends the poll that runs.
    fn stop(&self, interrupt: Interrupt) -> Stopped {
        let slot = &self.slot;
        let idle = slot.word.load(Ordering::Relaxed) & !WHAT;
        let (order, mut cut) = (Ordering::SeqCst, false);
        while let Err(word) = slot.word.compare_exchange(idle + RUNNING, idle, order, order) {
            if word & WHAT == ENDED {
                slot.word.store(idle, order);
                cut = true;
                break;
            }
            thread::yield_now(); // the watchdog is between two instructions
        }
        let overstayed = self.overstayed.take();
        cut |= overstayed;
        self.leaving.set(false);
        // SAFETY: `Running` borrows the VM.
        if unsafe { interrupt.is_raised() } {
            // SAFETY: as above.
            unsafe { interrupt.clear() };
        }
        Stopped { cut, suspended: self.suspended.take(), overstayed }
    }

    /// Puts a poll that is going on aside, if there is one.
    fn put_aside(&self) -> Option<Outer> {
        let word = self.slot.word.load(Ordering::SeqCst);
        if word & WHAT == IDLE {
            return None;
        }
        let interrupt = Interrupt::at(self.slot.target.load(Ordering::Relaxed));
        let left = self.slot.left.load(Ordering::Relaxed);
        let slice = self.slot.slice.load(Ordering::Relaxed);
        let patient = self.slot.patient.load(Ordering::Relaxed);
        let leaving = self.leaving.get();
        let cut = self.stop(interrupt).cut;
        Some(Outer { interrupt, left, slice, patient, cut, leaving })
    }

    /// Goes on with a poll that was put aside. Its clock starts again: what it had used is lost,
    /// at most once for each script that it runs in another state.
    fn resume(&self, outer: &Outer) {
        let left = if outer.cut { 0 } else { outer.left };
        self.slot.patient.store(outer.patient, Ordering::Relaxed);
        self.start(outer.interrupt, wall(), None, left, outer.slice);
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

impl Slot {
    /// Raises the interrupt of the poll that `word` stands for, unless that is over.
    pub(super) fn raise(&self, word: u64, demand: Demand) {
        let base = word - RUNNING;
        let order = Ordering::SeqCst;
        if self.word.compare_exchange(word, base + RAISING, order, order).is_err() {
            return;
        }
        let interrupt = Interrupt::at(self.target.load(Ordering::Relaxed));
        // SAFETY: the script's thread keeps the VM until the word says something else.
        unsafe { interrupt.raise(demand) };
        let after = if demand == Demand::Cut { ENDED } else { RUNNING };
        self.word.store(base + after, order);
    }
}
