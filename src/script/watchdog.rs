//! The watchdog: one thread that suspends scripts whose slice is over, and ends those whose CPU time
//! is spent.
//!
//! Each worker thread has a [`Slot`], and a bell that wakes the watchdog a millisecond after a script
//! began (one and a half slices, where others wait), unless that was over and others began since. Where a script still runs then, the watchdog reads
//! the CPU clock of that thread, and looks again when the script's slice is over. It sleeps while scripts
//! are short.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, Once, PoisonError};
use std::thread;
use std::time::Duration;

use super::bell::{self, Bell};
use super::interrupt::Demand;
use super::slot::{NEVER, RUNNING, Slot, UNKNOWN, WHAT};
use super::thread_clock;

/// How long after a script began the watchdog looks at it at the latest, and how often then; a budget is
/// overrun by about two of them.
pub(super) const TICK: Duration = Duration::from_millis(1);

/// The shortest time between two looks.
const SHORTEST: Duration = Duration::from_micros(50);

/// How often it looks at a script that is to pause, and, where there are no bells, while calls wait.
const ALERT: Duration = Duration::from_micros(100);

/// CPU time after which a script ends that was asked to pause and cannot be suspended where it is,
/// unless it is the operator's own.
const PATIENCE: u64 = 1_000_000;

static SLOTS: Mutex<Vec<Watched>> = Mutex::new(Vec::new());
static THREAD: Once = Once::new();

/// A slot, and the watchdog's own notes about it.
struct Watched {
    slot: Arc<Slot>,
    /// The word that it saw last.
    word: u64,
    /// The thread's CPU time when it saw that first, or when the poll began if that is known.
    since: u64,
    /// What it raised for that word.
    raised: Option<Demand>,
    /// The script's CPU time when it was asked to pause.
    paused: u64,
}

/// From now on this slot is looked at, until its thread is gone.
pub(super) fn enlist(slot: Arc<Slot>) {
    let watched = Watched { slot, word: 0, since: 0, raised: None, paused: 0 };
    SLOTS.lock().unwrap_or_else(PoisonError::into_inner).push(watched);
    THREAD.call_once(|| {
        // Where there can be no such thread, budgets end calls only between two of their polls.
        let _ = thread::Builder::new().name("lua-watchdog".into()).spawn(keep_watch);
    });
}

fn keep_watch() {
    thread_clock::wake_in_time();
    let own = Bell::hung();
    loop {
        match (look_around(), &own) {
            (None, Some(_)) => bell::listen(TICK),
            (Some(again), Some(own)) if own.ring_after(again) => bell::listen(again),
            (again, _) => thread::park_timeout(again.unwrap_or(TICK)),
        }
    }
}

/// Looks at all slots; when to look again if no bell rings before.
fn look_around() -> Option<Duration> {
    let mut slots = SLOTS.lock().unwrap_or_else(PoisonError::into_inner);
    slots.retain(|watched| !watched.slot.gone.load(Ordering::SeqCst));
    let again = slots.iter_mut().filter_map(Watched::look).min();
    again.map(|again| again.max(SHORTEST))
}

impl Watched {
    /// When it is to be looked at again if its bell does not ring before.
    fn look(&mut self) -> Option<Duration> {
        if self.slot.word.load(Ordering::SeqCst) & WHAT != RUNNING && !self.is_watched() {
            self.slot.unwatched.store(true, Ordering::SeqCst);
        }
        // A script that began meanwhile sees that, or is seen here.
        match self.watch() {
            None if self.slot.rings.load(Ordering::SeqCst) == 0 => Some(self.tick()),
            again => again,
        }
    }

    /// How often it is looked at where it has no bell: the next poll may begin at any time.
    fn tick(&self) -> Duration {
        if self.slot.suspended.load(Ordering::SeqCst) > 0 { ALERT } else { TICK }
    }

    /// Whether its bell is still to ring.
    fn is_watched(&self) -> bool {
        self.slot.rings.load(Ordering::SeqCst) > thread_clock::wall()
    }

    /// Looks at the script that runs; when to look at it again if its bell does not ring before.
    fn watch(&mut self) -> Option<Duration> {
        let word = self.slot.word.load(Ordering::SeqCst);
        let is_new = std::mem::replace(&mut self.word, word) != word;
        if word & WHAT != RUNNING {
            return None;
        }
        let now = self.slot.clock.now().as_nanos() as u64;
        let entered = self.slot.entered.load(Ordering::Relaxed);
        if is_new {
            self.since = if entered == UNKNOWN { now } else { entered };
            self.raised = None;
        }
        let used = now.saturating_sub(self.since);
        self.slot.seen.store(used, Ordering::Relaxed);
        let again = self.judge(word, used, entered);
        // Those that were suspended before are watched from their beginning.
        let is_early = self.raised.is_none() && entered == UNKNOWN && self.is_watched();
        (!is_early).then_some(again)
    }

    /// What a script that used so much CPU time is to do; when to look at it again.
    fn judge(&mut self, word: u64, used: u64, entered: u64) -> Duration {
        let left = self.slot.left.load(Ordering::Relaxed);
        let slice = self.slot.slice.load(Ordering::Relaxed);
        if used >= left {
            self.slot.raise(word, Demand::Cut);
            return TICK;
        }
        if slice == NEVER {
            return Duration::from_nanos(left - used).min(TICK);
        }
        // Too early is no harm here: what was not seen from its beginning goes by the wall.
        let lasted = if entered == UNKNOWN {
            thread_clock::wall().saturating_sub(self.slot.started.load(Ordering::Relaxed))
        } else {
            used
        };
        match self.raised {
            None if lasted < slice => return Duration::from_nanos(slice - lasted),
            None => {
                self.paused = used;
                self.raise(word, Demand::Pause);
            }
            // From when it was asked to pause: whoever was not asked in time has done nothing wrong.
            Some(Demand::Pause) if used.saturating_sub(self.paused) >= PATIENCE => {
                if !self.slot.patient.load(Ordering::Relaxed) {
                    self.raise(word, Demand::GiveWay);
                }
            }
            Some(_) => {}
        }
        ALERT
    }

    fn raise(&mut self, word: u64, demand: Demand) {
        self.raised = Some(demand);
        self.slot.raise(word, demand);
    }
}
