//! A bounded queue of lines between any threads and one writer.
//!
//! A push locks, appends and leaves; the writer takes everything there is at once. It is woken for
//! the first line only and then gathers for a while, so that a busy process does not pay a wake-up
//! for each line.

use std::mem;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;

/// A bounded queue of lines.
pub(in crate::telemetry) struct Queue {
    capacity: usize,
    /// So many lines end the gathering early.
    batch: usize,
    /// How long the writer gathers from the first line on.
    gather: Duration,
    state: Mutex<State>,
    /// For the writer: there is something to do.
    wake: Condvar,
    /// For those who flush: all is done.
    idle: Condvar,
}

#[derive(Default)]
struct State {
    lines: Vec<Bytes>,
    /// Whether the writer has lines in hand.
    busy: bool,
    /// Whether somebody waits for all to be written.
    hurry: bool,
    reopen: bool,
    closed: bool,
}

/// What the writer is to do now.
pub(in crate::telemetry) struct Turn {
    /// Write these.
    pub(in crate::telemetry) lines: Vec<Bytes>,
    /// Open anew first.
    pub(in crate::telemetry) reopen: bool,
    /// It is the last one.
    pub(in crate::telemetry) last: bool,
}

impl Queue {
    /// An empty queue for so many lines.
    pub(in crate::telemetry) fn new(capacity: usize, batch: usize, gather: Duration) -> Self {
        let batch = batch.clamp(1, capacity.max(1));
        let (wake, idle) = (Condvar::new(), Condvar::new());
        Self { capacity, batch, gather, state: Mutex::default(), wake, idle }
    }

    /// Appends a line; false if there is no room for it.
    pub(in crate::telemetry) fn push(&self, line: Bytes) -> bool {
        let mut state = self.lock();
        if state.lines.len() >= self.capacity {
            return false;
        }
        state.lines.push(line);
        let length = state.lines.len();
        drop(state);
        if length == 1 || length == self.batch {
            self.wake.notify_one();
        }
        true
    }

    /// For the writer: all lines, as soon as there are some (or something else is to do).
    pub(in crate::telemetry) fn take(&self) -> Turn {
        let mut state = self.lock();
        state.busy = false;
        if state.lines.is_empty() {
            state.hurry = false;
            self.idle.notify_all();
        }
        let has_work = |state: &mut State| !state.lines.is_empty() || state.reopen || state.closed;
        state = self
            .wake
            .wait_while(state, |state| !has_work(state))
            .unwrap_or_else(PoisonError::into_inner);
        let gathers = |state: &mut State| {
            state.lines.len() < self.batch && !state.hurry && !state.reopen && !state.closed
        };
        (state, _) = self
            .wake
            .wait_timeout_while(state, self.gather, gathers)
            .unwrap_or_else(PoisonError::into_inner);
        state.busy = true;
        Turn {
            lines: mem::take(&mut state.lines),
            reopen: mem::take(&mut state.reopen),
            last: state.closed,
        }
    }

    /// For the writer: waits before it tries again; false if it was told to end meanwhile.
    pub(in crate::telemetry) fn pause(&self, pause: Duration) -> bool {
        let state = self.lock();
        let (state, _) = self
            .wake
            .wait_timeout_while(state, pause, |state| !state.closed)
            .unwrap_or_else(PoisonError::into_inner);
        !state.closed
    }

    /// Waits until every line is written; false if `until` came first.
    pub(in crate::telemetry) fn flush(&self, until: Instant) -> bool {
        let mut state = self.lock();
        state.hurry = true;
        self.wake.notify_one();
        let is_at_work = |state: &mut State| state.busy || !state.lines.is_empty();
        let within = until.saturating_duration_since(Instant::now());
        let (_state, waited) = self
            .idle
            .wait_timeout_while(state, within, is_at_work)
            .unwrap_or_else(PoisonError::into_inner);
        !waited.timed_out()
    }

    /// Tells the writer to open its target anew.
    pub(in crate::telemetry) fn reopen(&self) {
        self.lock().reopen = true;
        self.wake.notify_one();
    }

    /// Tells the writer to write what there is and end.
    pub(in crate::telemetry) fn close(&self) {
        self.lock().closed = true;
        self.wake.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use bytes::Bytes;

    use super::Queue;

    #[test]
    fn a_line_past_the_capacity_is_not_taken() {
        let queue = Queue::new(2, 2, Duration::ZERO);
        assert!(queue.push(Bytes::from_static(b"1")) && queue.push(Bytes::from_static(b"2")));
        assert!(!queue.push(Bytes::from_static(b"3")));
        assert_eq!(queue.take().lines, ["1", "2"]);
        assert!(queue.push(Bytes::from_static(b"4")));
    }

    #[test]
    fn a_flush_waits_for_lines_that_the_writer_has_in_hand() {
        let queue = Queue::new(2, 2, Duration::ZERO);
        queue.push(Bytes::from_static(b"1"));
        assert_eq!(queue.take().lines.len(), 1);
        assert!(!queue.flush(Instant::now() + Duration::from_millis(20)));
    }

    #[test]
    fn a_flush_cuts_the_gathering_short() {
        let queue = Queue::new(10, 10, Duration::from_secs(60));
        std::thread::scope(|scope| {
            scope.spawn(|| while !queue.take().last {});
            queue.push(Bytes::from_static(b"1"));
            assert!(queue.flush(Instant::now() + Duration::from_secs(10)));
            queue.close();
        });
    }
}
