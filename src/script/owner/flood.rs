//! So many log lines of an owner in a second; what is more is dropped, and told in one line.

use std::time::{Duration, Instant};

/// Lines of one owner.
#[derive(Debug, Default)]
pub(super) struct Flood {
    /// When the second began in which lines are counted.
    since: Option<Instant>,
    written: u32,
    dropped: u64,
}

/// What becomes of a line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Admitted {
    /// It is written; so many before it were not, of which nobody has been told.
    Written { dropped: u64 },
    /// It is one too many.
    Dropped,
}

impl Flood {
    /// One more line; `most` in a second are written.
    pub(super) fn admit(&mut self, most: u32, now: Instant) -> Admitted {
        let dropped = self.untold(now);
        if self.since.is_none_or(|since| is_over(since, now)) {
            (self.since, self.written) = (Some(now), 0);
        }
        if self.written >= most {
            self.dropped += dropped + 1;
            return Admitted::Dropped;
        }
        self.written += 1;
        Admitted::Written { dropped }
    }

    /// Lines that were dropped in a second that is over, told now.
    pub(super) fn untold(&mut self, now: Instant) -> u64 {
        let over = self.since.is_some_and(|since| is_over(since, now));
        if over { std::mem::take(&mut self.dropped) } else { 0 }
    }
}

fn is_over(since: Instant, now: Instant) -> bool {
    now.saturating_duration_since(since) >= Duration::from_secs(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_much_for_a_second_is_dropped_and_told_once() {
        let (mut flood, begin) = (Flood::default(), Instant::now());
        for _ in 0..3 {
            assert_eq!(flood.admit(3, begin), Admitted::Written { dropped: 0 });
        }
        assert_eq!(flood.admit(3, begin), Admitted::Dropped);
        assert_eq!(flood.admit(3, begin), Admitted::Dropped);
        assert_eq!(flood.untold(begin), 0, "the second is not over");
        let later = begin + Duration::from_secs(1);
        assert_eq!(flood.admit(3, later), Admitted::Written { dropped: 2 });
        assert_eq!(flood.untold(later + Duration::from_secs(9)), 0);
        assert_eq!(flood.admit(0, later + Duration::from_secs(2)), Admitted::Dropped);
    }
}
