//! The CPU time of a thread, readable from another.
#![allow(unsafe_code, reason = "POSIX gives a thread's clock only through libc")]

use std::time::Duration;

/// The clock that counts one thread's CPU time.
#[derive(Debug, Clone, Copy)]
pub(super) struct ThreadClock(libc::clockid_t);

impl ThreadClock {
    /// The calling thread's.
    pub(super) fn mine() -> Self {
        let mut clock: libc::clockid_t = 0;
        // SAFETY: the calling thread exists, and `clock` is a place to write to.
        let failed = unsafe { libc::pthread_getcpuclockid(libc::pthread_self(), &raw mut clock) };
        Self(if failed == 0 { clock } else { libc::CLOCK_MONOTONIC })
    }

    /// The CPU time spent so far; zero if the thread is gone.
    pub(super) fn now(self) -> Duration {
        let mut spent = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: `spent` is a place to write to; a clock whose thread is gone is an error, not
        // undefined.
        let failed = unsafe { libc::clock_gettime(self.0, &raw mut spent) };
        if failed != 0 {
            return Duration::ZERO;
        }
        Duration::new(spent.tv_sec as u64, spent.tv_nsec as u32)
    }
}

/// From now on the calling thread wakes when its time is over, not up to 50 microseconds later.
pub(super) fn wake_in_time() {
    // SAFETY: it takes a number, in nanoseconds. Where it is refused, timers are as late as before.
    unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, 1000_u64) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_thread_reads_what_this_one_spent() {
        let clock = ThreadClock::mine();
        let before = clock.now();
        let mut sum = 0_u64;
        while clock.now().saturating_sub(before) < Duration::from_millis(5) {
            sum = sum.wrapping_mul(31).wrapping_add(1);
        }
        assert_ne!(sum, 0);
        let seen = std::thread::spawn(move || clock.now()).join().unwrap_or_default();
        assert!(seen.saturating_sub(before) >= Duration::from_millis(5), "{seen:?}");
    }
}
