//! How long calls took, counted without a lock: eight buckets for each doubling, so that a time read
//! back is at most an eighth too long.

use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// Buckets: microseconds up to 67 s; what took longer is in the last.
const BUCKETS: usize = 200;
/// Buckets for each doubling, as a power of two.
const FINENESS: u32 = 3;

/// How long calls took, as they end.
pub struct Histogram([AtomicU32; BUCKETS]);

/// What a [`Histogram`] says at one moment, or several of them together.
#[derive(Clone, PartialEq, Eq)]
pub struct Times(Vec<u64>);

impl Default for Histogram {
    fn default() -> Self {
        Self([const { AtomicU32::new(0) }; BUCKETS])
    }
}

impl Default for Times {
    fn default() -> Self {
        Self(vec![0; BUCKETS])
    }
}

impl Histogram {
    /// One more call.
    pub(super) fn note(&self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        if let Some(count) = self.0.get(bucket(micros)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// What it says now.
    pub(super) fn read(&self) -> Times {
        Times(self.0.iter().map(|count| count.load(Ordering::Relaxed).into()).collect())
    }
}

impl Times {
    /// How many calls there were.
    pub fn count(&self) -> u64 {
        self.0.iter().sum()
    }

    /// The time within which so many of a hundred calls ended; none if there were none.
    pub fn percentile(&self, percent: u64) -> Option<Duration> {
        let wanted = (self.count() * percent).div_ceil(100).max(1);
        let mut seen = 0;
        let at = self.0.iter().position(|count| {
            seen += count;
            seen >= wanted
        })?;
        Some(Duration::from_micros(upper(at)))
    }

    /// These and those.
    pub(super) fn add(&mut self, other: &Self) {
        for (count, more) in self.0.iter_mut().zip(&other.0) {
            *count += more;
        }
    }

    /// These without those that were there before.
    pub(super) fn since(&self, before: &Self) -> Self {
        let pairs = self.0.iter().zip(&before.0);
        Self(pairs.map(|(now, then)| now.saturating_sub(*then)).collect())
    }
}

impl fmt::Debug for Histogram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.read().fmt(f)
    }
}

impl fmt::Debug for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} calls, p99 {:?}", self.count(), self.percentile(99))
    }
}

fn bucket(micros: u64) -> usize {
    let fine = 1 << FINENESS;
    if micros < fine {
        return micros as usize;
    }
    let doubling = micros.ilog2();
    let within = (micros >> (doubling - FINENESS)) & (fine - 1);
    let at = u64::from(doubling - FINENESS + 1) * fine + within;
    (at as usize).min(BUCKETS - 1)
}

/// The longest time that is counted in a bucket, in microseconds.
fn upper(bucket: usize) -> u64 {
    let fine = 1_u64 << FINENESS;
    let bucket = bucket as u64;
    if bucket < fine {
        return bucket;
    }
    let shift = bucket / fine - 1;
    ((fine + bucket % fine + 1) << shift) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_back_at_most_an_eighth_too_long() {
        for micros in (0..200).chain([999, 1000, 1024, 5_000, 123_456, 60_000_000]) {
            let read = upper(bucket(micros));
            assert!(read >= micros && read - micros <= micros / 8, "{micros}: {read}");
        }
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn percentiles_are_of_what_came_since() {
        let histogram = Histogram::default();
        assert_eq!(histogram.read().percentile(99), None);
        (0..50).for_each(|_| histogram.note(Duration::from_secs(1)));
        let before = histogram.read();
        (0..99).for_each(|_| histogram.note(Duration::from_micros(5)));
        histogram.note(Duration::from_micros(7));
        let since = histogram.read().since(&before);
        assert_eq!(since.count(), 100);
        assert_eq!(since.percentile(99), Some(Duration::from_micros(5)));
        assert_eq!(since.percentile(100), Some(Duration::from_micros(7)));
    }
}
