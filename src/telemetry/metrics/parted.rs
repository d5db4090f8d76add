//! Metrics of which each thread has a part of its own, added up when somebody asks.
//!
//! To move one's own part is a load and a store. What all threads move together takes an instruction that
//! locks, and mostly its cache line from another core: for what moves with each request that is much.

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prometheus::core::{Collector, Desc};
use prometheus::proto::{self, MetricFamily, MetricType};

use super::About;
use super::family::{Instrument, Kind};

/// A metric of which each thread has a part, besides what all have together.
#[derive(Clone)]
pub struct Parted<M> {
    together: M,
    bounds: &'static [f64],
    parts: Arc<Mutex<Parts>>,
}

#[derive(Default)]
struct Parts {
    there: Vec<Arc<Part>>,
    /// Of threads that ended, or have no need of theirs any more.
    gone: Totals,
}

/// A thread's part of a metric. Only that thread writes it.
pub struct Part {
    bounds: &'static [f64],
    /// By bucket; the last one is of what is above all bounds. None of a counter.
    counts: Box<[AtomicU64]>,
    /// The sum, by its bits.
    sum: AtomicU64,
}

/// The parts of several threads together.
#[derive(Default)]
struct Totals {
    counts: Vec<u64>,
    sum: f64,
}

impl Part {
    /// So much more.
    #[inline]
    pub(crate) fn add(&self, more: f64) {
        let sum = f64::from_bits(self.sum.load(Ordering::Relaxed)) + more;
        self.sum.store(sum.to_bits(), Ordering::Relaxed);
    }

    /// One more of this size.
    #[inline]
    pub(crate) fn observe(&self, size: f64) {
        let bucket = self.bounds.iter().take_while(|bound| size > **bound).count();
        if let Some(count) = self.counts.get(bucket) {
            count.store(count.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
        }
        self.add(size);
    }
}

impl Totals {
    fn add(&mut self, part: &Part) {
        self.counts.resize(part.counts.len(), 0);
        for (total, count) in self.counts.iter_mut().zip(&part.counts) {
            *total += count.load(Ordering::Relaxed);
        }
        self.sum += f64::from_bits(part.sum.load(Ordering::Relaxed));
    }
}

impl<M> Parted<M> {
    /// A part for the calling thread.
    pub(crate) fn part(&self) -> Arc<Part> {
        let buckets = if self.bounds.is_empty() { 0 } else { self.bounds.len() + 1 };
        let counts = (0..buckets).map(|_| AtomicU64::new(0)).collect();
        let part = Arc::new(Part { bounds: self.bounds, counts, sum: AtomicU64::new(0) });
        self.parts().there.push(part.clone());
        part
    }

    fn parts(&self) -> MutexGuard<'_, Parts> {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn totals(&self) -> Totals {
        let Parts { there, gone } = &mut *self.parts();
        // Whoever has it alone sees all that the thread wrote before it let go.
        for part in there.extract_if(.., |part| Arc::get_mut(part).is_some()) {
            gone.add(&part);
        }
        let mut totals = Totals { counts: gone.counts.clone(), sum: gone.sum };
        for part in there {
            totals.add(part);
        }
        totals
    }
}

impl<M> Deref for Parted<M> {
    type Target = M;

    fn deref(&self) -> &M {
        &self.together
    }
}

impl<M: Collector> Collector for Parted<M> {
    fn desc(&self) -> Vec<&Desc> {
        self.together.desc()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let (mut families, totals) = (self.together.collect(), self.totals());
        for family in &mut families {
            let kind = family.get_field_type();
            for metric in family.mut_metric() {
                if kind == MetricType::HISTOGRAM {
                    metric.set_histogram(histogram(metric.get_histogram(), &totals));
                } else {
                    let mut counter = proto::Counter::default();
                    counter.set_value(metric.get_counter().get_value() + totals.sum);
                    metric.set_counter(counter);
                }
            }
        }
        families
    }
}

/// A histogram, and what the parts say besides.
fn histogram(together: &proto::Histogram, parts: &Totals) -> proto::Histogram {
    let (mut buckets, mut below) = (together.get_bucket().to_vec(), 0);
    for (bucket, count) in buckets.iter_mut().zip(&parts.counts) {
        below += count;
        bucket.set_cumulative_count(bucket.cumulative_count() + below);
    }
    let mut all = proto::Histogram::default();
    all.set_bucket(buckets);
    all.set_sample_count(together.get_sample_count() + parts.counts.iter().sum::<u64>());
    all.set_sample_sum(together.get_sample_sum() + parts.sum);
    all
}

impl<M: Instrument> Instrument for Parted<M> {
    const KIND: Kind = M::KIND;

    fn create(about: &About, labels: HashMap<String, String>) -> prometheus::Result<Self> {
        let (together, parts) = (M::create(about, labels)?, Arc::default());
        Ok(Self { together, bounds: about.buckets, parts })
    }
}

#[cfg(test)]
mod tests {
    use prometheus::{Histogram, IntCounter, TextEncoder};

    use super::*;
    use crate::telemetry::metrics::LIST;

    fn made<M: Instrument>(name: &str) -> Parted<M> {
        let about = LIST.iter().find(|about| about.name == name);
        let labels = about.unwrap().labels.iter().map(|label| (label.name.into(), "x".into()));
        Parted::create(about.unwrap(), labels.collect()).unwrap()
    }

    fn shown(metric: &impl Collector) -> String {
        TextEncoder::new().encode_to_string(&metric.collect()).unwrap()
    }

    #[test]
    fn a_histogram_of_parts_is_the_one_that_all_would_have_together() {
        // At bounds, between them and beyond; their sum is exact in whatever order.
        let sizes = [0.0, 0.25, 0.375, 0.5, 60.0, 61.0, 1e9];
        let name = "moongate_request_duration_seconds";
        let (parted, whole) = (made::<Histogram>(name), made::<Histogram>(name));
        for size in sizes {
            whole.observe(size);
        }
        let (first, others) = sizes.split_at(3);
        parted.observe(first[0]);
        let own = parted.part();
        for size in &first[1..] {
            own.observe(*size);
        }
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let own = parted.part();
                for size in others {
                    own.observe(*size);
                }
            });
        });
        // Once with the part of a thread that ended, and once after it was taken over.
        assert_eq!([shown(&parted), shown(&parted)], [shown(&whole), shown(&whole)]);
        assert_eq!(parted.parts().there.len(), 1);
    }

    #[test]
    fn a_counter_of_parts_is_their_sum() {
        let counter = made::<IntCounter>("moongate_received_bytes_total");
        let parts = [counter.part(), counter.part()];
        counter.inc_by(5);
        for part in &parts {
            part.add(1000.0);
        }
        drop(parts);
        counter.part().add(1.0);
        assert!(shown(&counter).ends_with(" 2006\n"), "{}", shown(&counter));
    }
}
