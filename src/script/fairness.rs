//! Whose script runs next on a worker: owners take turns, by the CPU time that they used.
//!
//! A call that was suspended waits in its owner's queue. Each owner has a clock that goes by the CPU
//! time of its scripts; the call that goes on is the first of the owner whose clock is furthest
//! behind. One call goes on at a time, and before it does the worker has polled its sockets and
//! timers. A call that begins runs at once, unless its owner is ahead of those that wait, or scripts
//! used a slice since the sockets were polled: then it waits too. So a neighbour waits for a slice or
//! two, whatever the others do, and an owner whose slice was too long pays it back.

use std::cell::{Cell, RefCell};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::future::Future;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use super::owner::{self, Account};
use super::slot;

/// The longest slice, where hardly anybody waits.
pub const LONGEST_SLICE: Duration = Duration::from_micros(500);

/// The shortest one, however many wait.
pub const SHORTEST_SLICE: Duration = Duration::from_micros(100);

/// How long a round of all that wait should take, as long as slices can shrink.
const ROUND: Duration = Duration::from_millis(1);

thread_local! {
    static TURNS: Turns = Turns::default();
}

/// The scripts of one worker that take turns.
#[derive(Default)]
struct Turns {
    owners: RefCell<HashMap<Arc<str>, Rc<Queue>>>,
    /// Owners with waiting calls, by how far their clocks were when they came in.
    order: RefCell<BinaryHeap<Reverse<Entry>>>,
    /// Calls that wait.
    waiting: Cell<usize>,
    /// A call is to go on, and did not yet.
    chosen: Cell<bool>,
    /// Where the clock of an owner begins that was idle, in nanoseconds.
    clock: Cell<u64>,
    /// What scripts used since the worker looked at its sockets last, in nanoseconds.
    used: Cell<u64>,
}

/// An owner's part in the turns.
pub(super) struct Queue {
    account: Rc<Account>,
    /// Nanoseconds of CPU time, by its weight, that it used; never behind [`Turns::clock`] when a
    /// call of it begins.
    clock: Cell<u64>,
    /// Its calls that wait.
    waiting: RefCell<VecDeque<Rc<Place>>>,
    number: usize,
}

/// An owner in the order of those that wait: by its clock, then by its number.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    clock: u64,
    number: usize,
    owner: Owner,
}

/// A queue that is no part of the order itself.
struct Owner(Rc<Queue>);

/// A call's place in its owner's queue.
struct Place {
    waker: RefCell<Waker>,
    state: Cell<Standing>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Waiting,
    /// It is this call's turn.
    Chosen,
    /// Its call was dropped.
    Gone,
}

/// What one call has to do with the turns.
pub(super) struct Turn {
    queue: Rc<Queue>,
    place: Option<Rc<Place>>,
    /// It runs because it was chosen from those that waited.
    chosen: bool,
}

/// The queue of an owner on this worker.
pub(super) fn queue_of(owner: &Arc<str>) -> Rc<Queue> {
    TURNS.with(|turns| {
        let mut owners = turns.owners.borrow_mut();
        let number = owners.len();
        let fresh = || {
            Rc::new(Queue {
                account: owner::account(owner),
                clock: Cell::new(turns.clock.get()),
                waiting: RefCell::default(),
                number,
            })
        };
        owners.entry(owner.clone()).or_insert_with(fresh).clone()
    })
}

/// How long a script may compute now until it is suspended.
pub(super) fn slice() -> Duration {
    TURNS.with(Turns::slice)
}

/// This thread looked at its sockets and timers: what scripts used so far keeps nobody waiting.
pub fn polled() {
    TURNS.with(|turns| turns.used.set(0));
}

/// Whether scripts of this thread used a slice since: who begins one now waits.
pub(super) fn is_slice_used() -> bool {
    TURNS.with(Turns::is_slice_used)
}

impl Queue {
    /// Whose it is.
    pub(super) fn account(&self) -> &Rc<Account> {
        &self.account
    }

    /// A script of it used so much.
    pub(super) fn charge(&self, cpu: Duration) {
        let used = cpu.as_nanos() as u64;
        self.account.charge(cpu);
        self.clock.set(self.clock.get() + used / u64::from(self.account.weight()));
        TURNS.with(|turns| turns.used.set(turns.used.get() + used));
    }
}

impl Turn {
    /// For a call of this owner that begins.
    pub(super) fn new(queue: Rc<Queue>) -> Self {
        Self { queue, place: None, chosen: false }
    }

    /// Whether the call may run now; else it is woken when it may.
    pub(super) fn has_come(&mut self, context: &Context<'_>) -> bool {
        let Some(place) = &self.place else {
            let admitted = TURNS.with(|turns| turns.admit(&self.queue));
            if !admitted {
                self.wait(context.waker());
            }
            return admitted;
        };
        if place.state.get() == Standing::Chosen {
            self.place = None;
            self.chosen = true;
            return true;
        }
        place.waker.borrow_mut().clone_from(context.waker());
        false
    }

    /// The call ran, and used so much. If it wants to go on, it is woken when it is its turn again.
    pub(super) fn ran(&mut self, cpu: Duration, goes_on: Option<&Waker>) {
        self.queue.charge(cpu);
        if let Some(waker) = goes_on {
            self.wait(waker);
        }
        if std::mem::take(&mut self.chosen) {
            TURNS.with(Turns::go_on);
        }
    }

    fn wait(&mut self, waker: &Waker) {
        let place = Rc::new(Place {
            waker: RefCell::new(waker.clone()),
            state: Cell::new(Standing::Waiting),
        });
        self.place = Some(place.clone());
        TURNS.with(|turns| turns.enter(&self.queue, place));
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let _ = TURNS.try_with(|turns| {
            let place = self.place.take().map(|place| place.state.replace(Standing::Gone));
            if place == Some(Standing::Waiting) {
                turns.count(turns.waiting.get() - 1);
            } else if place == Some(Standing::Chosen) || self.chosen {
                turns.go_on();
            }
        });
    }
}

impl Turns {
    /// Whether a call of this owner may run without having waited.
    fn admit(&self, queue: &Queue) -> bool {
        queue.clock.set(queue.clock.get().max(self.clock.get()));
        if self.is_slice_used() {
            return false;
        }
        if self.waiting.get() > 0 || self.chosen.get() {
            return queue.clock.get() <= self.clock.get() + self.slice().as_nanos() as u64;
        }
        self.clock.set(queue.clock.get());
        true
    }

    fn enter(&self, queue: &Rc<Queue>, place: Rc<Place>) {
        let mut waiting = queue.waiting.borrow_mut();
        if waiting.is_empty() {
            self.order.borrow_mut().push(Reverse(Entry::new(queue)));
        }
        waiting.push_back(place);
        drop(waiting);
        self.count(self.waiting.get() + 1);
        if !self.chosen.get() {
            self.choose();
        }
    }

    /// The call that was chosen had its turn, or gave it up.
    fn go_on(&self) {
        self.chosen.set(false);
        self.choose();
    }

    /// Chooses who is next. It is woken when sockets and timers were polled, unless there is still
    /// time in this slice.
    fn choose(&self) {
        let Some(place) = self.next() else { return };
        self.count(self.waiting.get() - 1);
        self.chosen.set(true);
        place.state.set(Standing::Chosen);
        let waker = place.waker.borrow();
        if !self.is_slice_used() {
            return waker.wake_by_ref();
        }
        self.used.set(0);
        wake_after_polling(&waker);
    }

    /// The first call of the owner that is furthest behind.
    fn next(&self) -> Option<Rc<Place>> {
        let mut order = self.order.borrow_mut();
        while let Some(Reverse(Entry { clock, owner: Owner(queue), .. })) = order.pop() {
            if clock < queue.clock.get() {
                // It used more since it came in.
                order.push(Reverse(Entry::new(&queue)));
                continue;
            }
            let mut waiting = queue.waiting.borrow_mut();
            while waiting.front().is_some_and(|place| place.state.get() == Standing::Gone) {
                waiting.pop_front();
            }
            let Some(place) = waiting.pop_front() else { continue };
            if !waiting.is_empty() {
                order.push(Reverse(Entry::new(&queue)));
            }
            self.clock.set(self.clock.get().max(clock));
            return Some(place);
        }
        None
    }

    fn is_slice_used(&self) -> bool {
        self.used.get() >= self.slice().as_nanos() as u64
    }

    fn slice(&self) -> Duration {
        if self.waiting.get() == 0 {
            return LONGEST_SLICE;
        }
        let runnable = u32::try_from(self.waiting.get()).unwrap_or(u32::MAX).saturating_add(1);
        (ROUND / runnable).clamp(SHORTEST_SLICE, LONGEST_SLICE)
    }

    fn count(&self, waiting: usize) {
        self.waiting.set(waiting);
        slot::tell_suspended(waiting);
    }
}

impl Entry {
    fn new(queue: &Rc<Queue>) -> Self {
        Self { clock: queue.clock.get(), number: queue.number, owner: Owner(queue.clone()) }
    }
}

impl PartialEq for Owner {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Owner {}

impl PartialOrd for Owner {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Owner {
    fn cmp(&self, _: &Self) -> std::cmp::Ordering {
        std::cmp::Ordering::Equal
    }
}

/// A task that wakes itself is polled again before its runtime looks at sockets and timers, dozens of
/// times; one that tokio's own `yield_now` wakes is not.
pub(super) fn wake_after_polling(waker: &Waker) {
    let yielding = pin!(tokio::task::yield_now());
    let _ = yielding.poll(&mut Context::from_waker(waker));
}
