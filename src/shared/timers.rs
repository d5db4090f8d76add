//! Timers of one thread that cost next to nothing to set and to drop, and are a tick late at most: for
//! the limits of seconds that every read and write has and hardly any meets.

use std::cell::{Cell, RefCell};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

/// How often timers are looked at.
const TICK: Duration = Duration::from_millis(50);
/// Limits below this are too short for such timers.
const SHORTEST: Duration = Duration::from_secs(1);

thread_local! {
    static TIMERS: Timers = const { Timers::new() };
}

/// The timers of a thread.
struct Timers {
    /// The time of the last tick; none: nobody ticks on this thread.
    now: Cell<Option<Instant>>,
    set: RefCell<Vec<Option<(Instant, Waker)>>>,
    /// Places in `set` that are free.
    free: RefCell<Vec<usize>>,
}

/// A timer that is set.
pub(super) struct Timer {
    place: usize,
    deadline: Instant,
}

/// Makes this thread's timers go, as long as it runs.
pub async fn tick() {
    let _ends = Ends;
    loop {
        let now = Instant::now();
        TIMERS.with(|timers| timers.now.set(Some(now)));
        wake(now);
        tokio::time::sleep(TICK).await;
    }
}

/// The time, which is late by a tick at most where this thread's timers go.
pub fn about_now() -> Instant {
    TIMERS.with(|timers| timers.now.get()).unwrap_or_else(Instant::now)
}

struct Ends;

impl Drop for Ends {
    fn drop(&mut self) {
        // From here on nobody would wake them: each looks at the clock itself.
        let _ = TIMERS.try_with(|timers| timers.now.set(None));
    }
}

/// Wakes whoever waited long enough.
fn wake(now: Instant) {
    let due = |set: &mut Option<(Instant, Waker)>| {
        set.take_if(|(deadline, _)| *deadline <= now).map(|(_, waker)| waker)
    };
    let wakers: Vec<Waker> =
        TIMERS.with(|timers| timers.set.borrow_mut().iter_mut().filter_map(due).collect());
    wakers.into_iter().for_each(Waker::wake);
}

impl Timers {
    const fn new() -> Self {
        Self { now: Cell::new(None), set: RefCell::new(Vec::new()), free: RefCell::new(Vec::new()) }
    }

    fn set(&self, deadline: Instant, waker: &Waker) -> usize {
        let (mut set, entry) = (self.set.borrow_mut(), Some((deadline, waker.clone())));
        let free = self.free.borrow_mut().pop();
        if let Some((place, empty)) = free.and_then(|place| Some((place, set.get_mut(place)?))) {
            *empty = entry;
            return place;
        }
        set.push(entry);
        set.len() - 1
    }

    fn clear(&self, place: usize) {
        if let Some(entry) = self.set.borrow_mut().get_mut(place) {
            *entry = None;
            self.free.borrow_mut().push(place);
        }
    }
}

impl Timer {
    /// Sets a timer; none where the limit is too short for it, or nobody ticks.
    pub(super) fn set(limit: Duration, context: &Context<'_>) -> Option<Self> {
        TIMERS.with(|timers| {
            let now = timers.now.get().filter(|_| limit >= SHORTEST)?;
            // The last tick may be a tick ago.
            let deadline = now.checked_add(limit)?.checked_add(TICK)?;
            Some(Self { place: timers.set(deadline, context.waker()), deadline })
        })
    }

    /// Whether its time is over; if not, the task is woken when it is.
    pub(super) fn poll(&self, context: &Context<'_>) -> Poll<()> {
        if about_now() >= self.deadline {
            return Poll::Ready(());
        }
        TIMERS.with(|timers| match timers.set.borrow_mut().get_mut(self.place) {
            Some(Some((_, waker))) => waker.clone_from(context.waker()),
            Some(empty) => *empty = Some((self.deadline, context.waker().clone())),
            None => {}
        });
        Poll::Pending
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        let _ = TIMERS.try_with(|timers| timers.clear(self.place));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set() -> usize {
        TIMERS.with(|timers| timers.set.borrow().iter().flatten().count())
    }

    async fn waits(limit: Duration) -> Duration {
        let started = Instant::now();
        let mut timer = None;
        std::future::poll_fn(|context| {
            timer
                .get_or_insert_with(|| Timer::set(limit, context).expect("somebody ticks"))
                .poll(context)
        })
        .await;
        started.elapsed()
    }

    #[tokio::test]
    async fn a_timer_is_never_early_and_leaves_nothing_behind() {
        let both = async { tokio::join!(waits(SHORTEST), waits(SHORTEST + TICK)) };
        // In this order: a timer is set only where somebody ticks.
        let (short, long) = tokio::select! {
            biased;
            () = tick() => unreachable!("it ticks for ever"),
            both = both => both,
        };
        assert!(short >= SHORTEST && long >= SHORTEST + TICK, "{short:?} {long:?}");
        assert_eq!(set(), 0, "a timer stayed");
    }

    #[test]
    fn a_timer_that_is_dropped_leaves_its_place_to_the_next() {
        let context = Context::from_waker(Waker::noop());
        assert!(Timer::set(SHORTEST, &context).is_none(), "nobody ticks");
        TIMERS.with(|timers| timers.now.set(Some(Instant::now())));
        assert!(Timer::set(TICK, &context).is_none(), "too short");
        let first = Timer::set(SHORTEST, &context).unwrap();
        let place = first.place;
        drop(first);
        assert_eq!(Timer::set(SHORTEST, &context).unwrap().place, place);
        assert_eq!(set(), 0);
    }
}
