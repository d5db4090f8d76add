//! Bells that wake the watchdog: each worker thread has one, and puts it off as long as its scripts are
//! short. To put it off is one system call in half a millisecond, far less than to be woken.

use std::sync::LazyLock;
use std::thread;
use std::time::Duration;

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};

/// All bells. None where the system has none to give: then who listens wakes after the longest time that
/// it may sleep.
static ALL: LazyLock<Option<Epoll>> =
    LazyLock::new(|| Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).ok());

/// Rings once, after a while.
pub(super) struct Bell(TimerFd);

impl Bell {
    /// One that does not ring yet; none if the system has none to give.
    pub(super) fn hung() -> Option<Self> {
        let flags = TimerFlags::TFD_CLOEXEC | TimerFlags::TFD_NONBLOCK;
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, flags).ok()?;
        // One that rings again is heard again, whether or not anybody looked at it before.
        let heard = EpollEvent::new(EpollFlags::EPOLLIN | EpollFlags::EPOLLET, 0);
        ALL.as_ref()?.add(&timer, heard).ok()?;
        Some(Self(timer))
    }

    /// From now on it is to ring after this time (which is not zero), and not before; whether it will.
    pub(super) fn ring_after(&self, time: Duration) -> bool {
        let expiration = Expiration::OneShot(TimeSpec::from_duration(time));
        self.0.set(expiration, TimerSetTimeFlags::empty()).is_ok()
    }
}

/// Waits until any bell rings.
pub(super) fn listen(longest: Duration) {
    let mut rang = [EpollEvent::empty()];
    let heard = ALL.as_ref().map(|all| all.wait(&mut rang, EpollTimeout::NONE));
    if !matches!(heard, Some(Ok(_))) {
        thread::park_timeout(longest);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn a_bell_that_is_put_off_rings_later_and_once() {
        let bell = Bell::hung().expect("there is one");
        let began = Instant::now();
        for _ in 0..5 {
            assert!(bell.ring_after(Duration::from_millis(20)));
            thread::park_timeout(Duration::from_millis(2));
        }
        assert_eq!(bell.0.get().map(|set| set.is_some()), Ok(true));
        // Others' bells may ring meanwhile.
        while bell.0.get().is_ok_and(|set| set.is_some_and(|set| !is_over(set))) {
            listen(Duration::from_millis(1));
        }
        assert!(began.elapsed() >= Duration::from_millis(28), "{:?}", began.elapsed());
    }

    fn is_over(set: Expiration) -> bool {
        matches!(set, Expiration::OneShot(left) if Duration::from(left).is_zero())
    }
}
