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

/// Nanoseconds on a clock that only goes on, the same for all threads.
pub(super) fn wall() -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `now` is a place to write to; this clock is always there.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut now) };
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// From now on the calling thread wakes when its time is over: not up to 50 microseconds later, and not
/// after the slice of whoever has its core, which is some milliseconds. It asks for short slices of its
/// own, and whoever does so goes first (Linux from 6.12 on; before, and where it is refused, it waits as
/// before).
pub(super) fn wake_in_time() {
    // SAFETY: it is made of numbers, for which zero says: as for any thread.
    let mut attributes: libc::sched_attr = unsafe { std::mem::zeroed() };
    attributes.size = size_of::<libc::sched_attr>() as u32;
    attributes.sched_runtime = OWN_SLICE;
    // SAFETY: the first takes a number, in nanoseconds; the second reads what it is given, which says
    // how long it is, and keeps nothing of it.
    unsafe {
        libc::prctl(libc::PR_SET_TIMERSLACK, 1000_u64);
        libc::syscall(libc::SYS_sched_setattr, 0, &raw const attributes, 0);
    }
}

/// Nanoseconds after which it lets others go on; the least that Linux takes.
const OWN_SLICE: u64 = 100_000;

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
