//! The watchdog: one thread that suspends scripts whose slice is over, and ends those whose CPU time
//! is spent.
//!
//! Each worker thread has a [`Slot`]. The watchdog looks at all of them each millisecond; where a
//! script runs, it reads the CPU clock of that thread and looks again when the script's slice is
//! over. It sleeps when no script runs.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::{self, Thread};
use std::time::Duration;

use super::interrupt::Demand;
use super::slot::{NEVER, RUNNING, Slot, UNKNOWN, WHAT};
use super::thread_clock;

/// How often the watchdog looks; a budget is overrun by about two of them.
pub(super) const TICK: Duration = Duration::from_millis(1);

/// The shortest time between two looks.
const SHORTEST: Duration = Duration::from_micros(50);

/// How often it looks while calls are suspended: the next of them may begin at any time.
const ALERT: Duration = Duration::from_micros(100);

/// Looks without any script after which the watchdog sleeps.
const IDLE_LOOKS: u32 = 50;

/// CPU time after which a script ends that was asked to pause and cannot be suspended where it is,
/// unless it is the operator's own.
const PATIENCE: u64 = 1_000_000;

static SLOTS: Mutex<Vec<Watched>> = Mutex::new(Vec::new());
static ASLEEP: AtomicBool = AtomicBool::new(false);
static THREAD: OnceLock<Option<Thread>> = OnceLock::new();

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

/// What it saw.
struct Look {
    /// Whether any script ran since the last time.
    busy: bool,
    /// When it is to look again.
    again: Duration,
}

/// From now on this slot is looked at, until its thread is gone.
pub(super) fn enlist(slot: Arc<Slot>) {
    let watched = Watched { slot, word: 0, since: 0, raised: None, paused: 0 };
    SLOTS.lock().unwrap_or_else(PoisonError::into_inner).push(watched);
}

/// Sees to it that the watchdog is awake: a script runs.
pub(super) fn awake() {
    if !ASLEEP.load(Ordering::SeqCst) && THREAD.get().is_some() {
        return;
    }
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
    thread_clock::wake_in_time();
    let mut idle = 0;
    loop {
        let look = look_around();
        idle = if look.busy { 0 } else { idle + 1 };
        if idle < IDLE_LOOKS {
            thread::park_timeout(look.again);
            continue;
        }
        ASLEEP.store(true, Ordering::SeqCst);
        if look_around().busy {
            ASLEEP.store(false, Ordering::SeqCst);
        }
        while ASLEEP.load(Ordering::SeqCst) {
            thread::park();
        }
        idle = 0;
    }
}

fn look_around() -> Look {
    let mut slots = SLOTS.lock().unwrap_or_else(PoisonError::into_inner);
    slots.retain(|watched| !watched.slot.gone.load(Ordering::SeqCst));
    let mut around = Look { busy: false, again: TICK };
    for watched in slots.iter_mut() {
        let look = watched.look();
        around.busy |= look.busy;
        around.again = around.again.min(look.again);
    }
    around.again = around.again.max(SHORTEST);
    around
}

impl Watched {
    fn look(&mut self) -> Look {
        let word = self.slot.word.load(Ordering::SeqCst);
        let is_new = std::mem::replace(&mut self.word, word) != word;
        if word & WHAT != RUNNING {
            let waiting = self.slot.suspended.load(Ordering::Relaxed) > 0;
            return Look { busy: is_new || waiting, again: if waiting { ALERT } else { TICK } };
        }
        let now = self.slot.clock.now().as_nanos() as u64;
        let entered = self.slot.entered.load(Ordering::Relaxed);
        if is_new {
            self.since = if entered == UNKNOWN { now } else { entered };
            self.raised = None;
        }
        let used = now.saturating_sub(self.since);
        self.slot.seen.store(used, Ordering::Relaxed);
        Look { busy: true, again: self.judge(word, used, entered) }
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
            Slot::wall().saturating_sub(self.slot.started.load(Ordering::Relaxed))
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
