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
    set: RefCell<Vec<Option<Entry>>>,
    /// Places in `set` that are free.
    free: RefCell<Vec<usize>>,
}

/// Who is woken, and when; none: not for now.
struct Entry {
    deadline: Option<Instant>,
    waker: Waker,
}

/// A timer that is set, or rests.
#[derive(Debug)]
pub struct Timer {
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
    let due = |set: &mut Option<Entry>| {
        let is_due = |entry: &mut Entry| entry.deadline.is_some_and(|deadline| deadline <= now);
        set.take_if(is_due).map(|entry| entry.waker)
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
        let entry = Some(Entry { deadline: Some(deadline), waker: waker.clone() });
        let mut set = self.set.borrow_mut();
        let free = self.free.borrow_mut().pop();
        if let Some((place, empty)) = free.and_then(|place| Some((place, set.get_mut(place)?))) {
            *empty = entry;
            return place;
        }
        set.push(entry);
        set.len() - 1
    }

    /// When a timer of this limit is to wake; none where it is too short, or nobody ticks.
    fn deadline(&self, limit: Duration) -> Option<Instant> {
        let now = self.now.get().filter(|_| limit >= SHORTEST)?;
        // The last tick may be a tick ago.
        now.checked_add(limit)?.checked_add(TICK)
    }

    /// Has whoever waits by this place woken then.
    fn put(&self, place: usize, deadline: Instant, waker: &Waker) {
        let deadline = Some(deadline);
        match self.set.borrow_mut().get_mut(place) {
            Some(Some(entry)) => {
                entry.deadline = deadline;
                entry.waker.clone_from(waker);
            }
            Some(empty) => *empty = Some(Entry { deadline, waker: waker.clone() }),
            None => {}
        }
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
            let deadline = timers.deadline(limit)?;
            Some(Self { place: timers.set(deadline, context.waker()), deadline })
        })
    }

    /// Sets one that rests; false where the limit is too short for it, or nobody ticks.
    pub(super) fn set_again(&mut self, limit: Duration, context: &Context<'_>) -> bool {
        let Some(deadline) = TIMERS.with(|timers| timers.deadline(limit)) else { return false };
        self.deadline = deadline;
        TIMERS.with(|timers| timers.put(self.place, deadline, context.waker()));
        true
    }

    /// Nobody waits any more; it can be set again.
    pub(super) fn rest(&self) {
        TIMERS.with(|timers| {
            if let Some(Some(entry)) = timers.set.borrow_mut().get_mut(self.place) {
                entry.deadline = None;
            }
        });
    }

    /// Whether its time is over; if not, the task is woken when it is.
    pub(super) fn poll(&self, context: &Context<'_>) -> Poll<()> {
        if about_now() >= self.deadline {
            return Poll::Ready(());
        }
        TIMERS.with(|timers| timers.put(self.place, self.deadline, context.waker()));
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
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

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
    fn a_timer_that_rests_wakes_nobody_until_it_is_set_again() {
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(woken.clone());
        let context = Context::from_waker(&waker);
        let start = Instant::now();
        TIMERS.with(|timers| timers.now.set(Some(start)));
        let mut timer = Timer::set(SHORTEST, &context).unwrap();
        timer.rest();
        wake(start + 2 * SHORTEST);
        assert_eq!(woken.0.load(Ordering::Relaxed), 0);
        assert!(timer.set_again(SHORTEST, &context) && timer.poll(&context).is_pending());
        for times in [1, 1] {
            wake(start + 2 * SHORTEST);
            assert_eq!(woken.0.load(Ordering::Relaxed), times);
        }
        assert!(timer.set_again(SHORTEST, &context));
        drop(timer);
        wake(start + 3 * SHORTEST);
        assert_eq!((woken.0.load(Ordering::Relaxed), set()), (1, 0));
    }

    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
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
