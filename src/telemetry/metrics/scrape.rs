//! The text that Prometheus reads, and the readings that are taken for it.

use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::Duration;

use prometheus::TextEncoder;

use super::{REGISTRY, metrics, process};
use crate::shared::{CollectionStatistics, TableStatistics};

/// What a shared dictionary holds now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DictionaryReading {
    /// As declared.
    pub name: String,
    /// Bytes held.
    pub bytes: u64,
    /// Bytes that it may hold.
    pub capacity: u64,
    /// Entries held.
    pub entries: u64,
    /// Entries given up to make room, since the start of the process.
    pub evictions: u64,
}

type Dictionaries = Box<dyn Fn() -> Vec<DictionaryReading> + Send>;

/// Where dictionaries are read. The lock also keeps two scrapes apart.
static DICTIONARIES: LazyLock<Mutex<Option<Dictionaries>>> = LazyLock::new(Mutex::default);

/// Says where shared dictionaries are read at each scrape; it takes the place of the one before.
/// `read` must be quick and must not scrape.
pub fn set_dictionaries(read: impl Fn() -> Vec<DictionaryReading> + Send + 'static) {
    *DICTIONARIES.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(read));
}

type Collections = Box<dyn Fn() -> CollectionStatistics + Send>;

/// Where the rules' collections are read.
static COLLECTIONS: LazyLock<Mutex<Option<Collections>>> = LazyLock::new(Mutex::default);

/// Says where the rules' collections are read at each scrape, as for [`set_dictionaries`].
pub fn set_collections(read: impl Fn() -> CollectionStatistics + Send + 'static) {
    *COLLECTIONS.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(read));
}

type Tables = Box<dyn Fn() -> Vec<TableStatistics> + Send>;

/// Where typed collections are read.
static TABLES: LazyLock<Mutex<Option<Tables>>> = LazyLock::new(Mutex::default);

/// Says where typed collections are read at each scrape, as for [`set_dictionaries`].
pub fn set_tables(read: impl Fn() -> Vec<TableStatistics> + Send + 'static) {
    *TABLES.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(read));
}

/// What workers hold of a function now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FunctionReading {
    /// Whose it is.
    pub owner: String,
    /// Its name.
    pub function: String,
    /// Workers that hold it.
    pub states: u64,
    /// Bytes of its states.
    pub bytes: u64,
}

type Functions = Box<dyn Fn() -> (u64, Vec<FunctionReading>) + Send>;

/// Where functions are read.
static FUNCTIONS: LazyLock<Mutex<Option<Functions>>> = LazyLock::new(Mutex::default);

/// Says where it is read at each scrape how many functions there are and which are held, as for
/// [`set_dictionaries`].
pub fn set_functions(read: impl Fn() -> (u64, Vec<FunctionReading>) + Send + 'static) {
    *FUNCTIONS.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(read));
}

/// What an owner's scripts came to, on all workers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OwnerReading {
    /// Whose.
    pub owner: String,
    /// Calls that ended.
    pub calls: u64,
    /// Those that came to no good end.
    pub errors: u64,
    /// CPU time.
    pub cpu: Duration,
    /// Calls under way.
    pub running: u64,
    /// Open connections.
    pub connections: u64,
    /// Bytes of its states.
    pub memory: u64,
    /// Log lines that were dropped.
    pub dropped_lines: u64,
}

type Owners = Box<dyn Fn() -> Vec<OwnerReading> + Send>;

/// Where owners are read.
static OWNERS: LazyLock<Mutex<Option<Owners>>> = LazyLock::new(Mutex::default);

/// Says where it is read at each scrape what owners' scripts came to, as for [`set_dictionaries`].
pub fn set_owners(read: impl Fn() -> Vec<OwnerReading> + Send + 'static) {
    *OWNERS.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(read));
}

/// All metrics in Prometheus's text format, version 0.0.4.
pub fn metrics_text() -> String {
    let dictionaries = DICTIONARIES.lock().unwrap_or_else(PoisonError::into_inner);
    let readings = dictionaries.as_ref().map(|read| read()).unwrap_or_default();
    show_dictionaries(&readings);
    let collections = COLLECTIONS.lock().unwrap_or_else(PoisonError::into_inner);
    show_collections(&collections.as_ref().map(|read| read()).unwrap_or_default());
    let tables = TABLES.lock().unwrap_or_else(PoisonError::into_inner);
    show_tables(&tables.as_ref().map(|read| read()).unwrap_or_default());
    let functions = FUNCTIONS.lock().unwrap_or_else(PoisonError::into_inner);
    let (registered, held) = functions.as_ref().map(|read| read()).unwrap_or_default();
    show_functions(registered, &held);
    let owners = OWNERS.lock().unwrap_or_else(PoisonError::into_inner);
    show_owners(&owners.as_ref().map(|read| read()).unwrap_or_default());
    process::show();
    metrics().build.with(&[env!("CARGO_PKG_VERSION")]).set(1);
    let text = TextEncoder::new().encode_to_string(&REGISTRY.gather());
    text.unwrap_or_else(|fault| format!("# metrics cannot be shown: {fault}\n"))
}

fn show_dictionaries(readings: &[DictionaryReading]) {
    let all = metrics();
    for family in [&all.dictionary_bytes, &all.dictionary_capacity_bytes, &all.dictionary_entries] {
        family.clear();
    }
    all.dictionary_evictions.clear();
    for reading in readings {
        let name = [&*reading.name];
        all.dictionary_bytes.with(&name).set(gauge(reading.bytes));
        all.dictionary_capacity_bytes.with(&name).set(gauge(reading.capacity));
        all.dictionary_entries.with(&name).set(gauge(reading.entries));
        all.dictionary_evictions.with(&name).inc_by(reading.evictions);
    }
}

fn show_collections(held: &CollectionStatistics) {
    let all = metrics();
    all.collections.set(gauge(held.entries as u64));
    all.collections_bytes.set(gauge(held.bytes as u64));
    let told = all.collection_evictions.get();
    all.collection_evictions.inc_by(held.evictions.saturating_sub(told));
}

fn show_tables(readings: &[TableStatistics]) {
    let all = metrics();
    all.table_entries.clear();
    all.table_bytes.clear();
    all.table_changes.clear();
    for reading in readings {
        let name = [&*reading.name];
        all.table_entries.with(&name).set(gauge(reading.entries as u64));
        all.table_bytes.with(&name).set(gauge(reading.bytes as u64));
        all.table_changes.with(&name).inc_by(reading.changes);
    }
}

fn show_functions(registered: u64, held: &[FunctionReading]) {
    let all = metrics();
    all.functions.set(gauge(registered));
    all.function_states.clear();
    all.function_memory_bytes.clear();
    for reading in held {
        let labels = [&*reading.owner, &*reading.function];
        // Those past the bound of the labels are told together.
        all.function_states.with(&labels).add(gauge(reading.states));
        all.function_memory_bytes.with(&labels).add(gauge(reading.bytes));
    }
}

fn show_owners(readings: &[OwnerReading]) {
    let all = metrics();
    let counters = [&all.owner_calls, &all.owner_errors, &all.owner_log_lines_lost];
    let gauges = [&all.owner_calls_running, &all.owner_connections, &all.owner_memory_bytes];
    all.owner_cpu_seconds.clear();
    for family in counters {
        family.clear();
    }
    for family in gauges {
        family.clear();
    }
    for reading in readings {
        // Those past the bound of the label are told together.
        let owner = [&*reading.owner];
        all.owner_cpu_seconds.with(&owner).inc_by(reading.cpu.as_secs_f64());
        let counts = [reading.calls, reading.errors, reading.dropped_lines];
        for (family, count) in counters.iter().zip(counts) {
            family.with(&owner).inc_by(count);
        }
        let counts = [reading.running, reading.connections, reading.memory];
        for (family, count) in gauges.iter().zip(counts) {
            family.with(&owner).add(gauge(count));
        }
    }
}

fn gauge(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
