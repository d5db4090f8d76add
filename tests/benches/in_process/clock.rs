//! CPU time of this thread: what others do on the machine does not count.

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

/// CPU time that `work` takes on this thread.
pub fn cpu(work: impl FnOnce()) -> Duration {
    let before = now();
    work();
    now().saturating_sub(before)
}

fn now() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).expect("Linux has this clock").into()
}
