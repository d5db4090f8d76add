//! A metric with labels: one child for each combination of values that occurred.
//!
//! The crate's own `*Vec` types find a child by a hash of its values laid end to end, so that
//! `("app1", "27.0.0.1")` and `("app", "127.0.0.1")` would be one child; here the values are the key.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError, RwLock};

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{Counter, Gauge, Histogram, HistogramOpts, IntCounter, IntGauge, Opts, Registry};

use super::{About, Values};

/// How a metric moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Up, from 0 at the start of the process.
    Counter,
    /// Up and down.
    Gauge,
    /// Counts by size.
    Histogram,
}

/// What can be counted with: a counter, a gauge, a histogram.
pub trait Instrument: Collector + Clone + 'static {
    /// How it moves.
    const KIND: Kind;
    /// One with these label values.
    fn create(about: &About, labels: HashMap<String, String>) -> prometheus::Result<Self>;
}

/// What can stand in the list of metrics.
pub trait Registered {
    /// How it moves.
    const KIND: Kind;
    /// Makes it known to the registry.
    fn register(about: &'static About, registry: &Registry) -> Self;
}

/// A metric with labels.
pub struct Family<M>(Arc<Children<M>>);

struct Children<M> {
    about: &'static About,
    desc: Desc,
    by_values: RwLock<BTreeMap<Vec<String>, M>>,
}

impl<M: Instrument> Family<M> {
    /// The child with these values, in the order of the labels; values past the bound of their
    /// label become `other`. Keep it where it is needed often.
    pub fn with(&self, values: &[&str]) -> M {
        debug_assert_eq!(values.len(), self.0.about.labels.len(), "{}", self.0.about.name);
        let labels = self.0.about.labels.iter();
        let key: Vec<String> =
            labels.zip(values).map(|(label, value)| label.bounded(value).to_owned()).collect();
        self.child(key)
    }

    /// The child with these values, if there is one.
    pub fn known(&self, values: &[&str]) -> Option<M> {
        let children = self.0.by_values.read().unwrap_or_else(PoisonError::into_inner);
        children.iter().find(|(key, _)| key.iter().eq(values)).map(|(_, child)| child.clone())
    }

    /// Forgets one child.
    pub fn remove(&self, values: &[&str]) {
        let mut children = self.0.by_values.write().unwrap_or_else(PoisonError::into_inner);
        children.retain(|key, _| !key.iter().eq(values));
    }

    /// Forgets all children.
    pub fn clear(&self) {
        self.0.by_values.write().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn child(&self, key: Vec<String>) -> M {
        let known = self.0.by_values.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(child) = known.get(&key) {
            return child.clone();
        }
        drop(known);
        let mut children = self.0.by_values.write().unwrap_or_else(PoisonError::into_inner);
        let about = self.0.about;
        children.entry(key).or_insert_with_key(|key| create(about, key)).clone()
    }

    /// Makes the children of small closed sets, so that they count from 0, not from their first 1.
    fn populate(&self) {
        let sets = self.0.about.labels.iter().map(|label| match label.values {
            Values::Closed(values) => Some(values),
            Values::Open(_) => None,
        });
        let Some(sets) = sets.collect::<Option<Vec<_>>>() else { return };
        let mut keys = vec![Vec::new()];
        for set in sets {
            keys =
                keys.iter().flat_map(|key| set.iter().map(|value| extended(key, value))).collect();
        }
        for key in keys {
            self.child(key);
        }
    }
}

fn extended(key: &[String], value: &str) -> Vec<String> {
    key.iter().cloned().chain([value.to_owned()]).collect()
}

fn create<M: Instrument>(about: &About, values: &[String]) -> M {
    let names = about.labels.iter().map(|label| label.name.to_owned());
    let labels = names.zip(values.iter().cloned()).collect();
    M::create(about, labels).expect("names of metrics and labels are constants that a test holds")
}

impl<M: Instrument> Collector for Family<M> {
    fn desc(&self) -> Vec<&Desc> {
        vec![&self.0.desc]
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let children = self.0.by_values.read().unwrap_or_else(PoisonError::into_inner);
        let mut families = children.values().flat_map(Collector::collect);
        let Some(mut first) = families.next() else { return Vec::new() };
        for mut family in families {
            first.mut_metric().append(&mut family.take_metric());
        }
        vec![first]
    }
}

impl<M: Instrument> Registered for Family<M> {
    const KIND: Kind = M::KIND;

    fn register(about: &'static About, registry: &Registry) -> Self {
        let names = about.labels.iter().map(|label| label.name.to_owned()).collect();
        let desc = Desc::new(about.name.to_owned(), about.help.to_owned(), names, HashMap::new());
        let desc = desc.expect("names of metrics and labels are constants that a test holds");
        let children = Children { about, desc, by_values: RwLock::default() };
        let family = Self(Arc::new(children));
        family.populate();
        enter(registry, Self(family.0.clone()));
        family
    }
}

impl<M: Instrument> Registered for M {
    const KIND: Kind = <M as Instrument>::KIND;

    fn register(about: &'static About, registry: &Registry) -> Self {
        let single: M = create(about, &[]);
        enter(registry, single.clone());
        single
    }
}

fn enter(registry: &Registry, collector: impl Collector + 'static) {
    registry.register(Box::new(collector)).expect("no name is in the list twice; a test holds it");
}

macro_rules! instrument {
    ($($type:ty: $kind:ident),*) => {$(
        impl Instrument for $type {
            const KIND: Kind = Kind::$kind;

            fn create(about: &About, labels: HashMap<String, String>) -> prometheus::Result<Self> {
                Self::with_opts(Opts::new(about.name, about.help).const_labels(labels))
            }
        }
    )*};
}
instrument!(Counter: Counter, Gauge: Gauge, IntCounter: Counter, IntGauge: Gauge);

impl Instrument for Histogram {
    const KIND: Kind = Kind::Histogram;

    fn create(about: &About, labels: HashMap<String, String>) -> prometheus::Result<Self> {
        let opts = HistogramOpts::new(about.name, about.help).const_labels(labels);
        Self::with_opts(opts.buckets(about.buckets.to_vec()))
    }
}

#[cfg(test)]
mod tests {
    use prometheus::{IntGauge, Registry};

    use super::{Family, Registered};
    use crate::telemetry::metrics::LIST;

    fn peers() -> Family<IntGauge> {
        let peers = LIST.iter().find(|about| about.name == "moongate_upstream_peer_healthy");
        Family::register(peers.unwrap(), &Registry::new())
    }

    #[test]
    fn values_that_read_the_same_end_to_end_are_two_children() {
        let peers = peers();
        peers.with(&["app1", "27.0.0.1:80"]).set(1);
        peers.with(&["app", "127.0.0.1:80"]).set(7);
        assert_eq!(peers.with(&["app1", "27.0.0.1:80"]).get(), 1);
    }

    #[test]
    fn a_removed_child_begins_anew() {
        let peers = peers();
        peers.with(&["app", "192.0.2.1:80"]).set(1);
        peers.remove(&["app", "192.0.2.1:80"]);
        assert_eq!(peers.with(&["app", "192.0.2.1:80"]).get(), 0);
    }
}
