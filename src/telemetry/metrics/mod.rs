//! Every metric in one list: name, help text, type, labels, buckets. `docs/metrics.md` is made of it.
//!
//! A new metric is one entry here, and an event that moves it.

mod family;
mod handles;
mod label;
mod page;
mod parted;
mod process;
mod rules;
mod scrape;

use std::sync::LazyLock;

use prometheus::{Counter, Gauge, Histogram, IntCounter, IntGauge, Registry};

pub use family::{Family, Kind};
pub(super) use handles::{domain, function, module, owner, phase, route, upstream};
pub(super) use label::NONE;
pub use label::{Label, Values};
pub use page::metrics_page;
pub(super) use rules::{cost_of_exchange, inspected, rule_phase, rules_of_exchange, verdicts};
pub use scrape::{
    DictionaryReading, FunctionReading, OwnerReading, metrics_text, set_collections,
    set_dictionaries, set_functions, set_owners, set_tables,
};

use family::Registered;
use label::{
    ADMIN_ENDPOINT, ADMIN_METHOD, ADMIN_STATUS, BUDGET_LIMIT, BUDGET_OUTCOME, BUDGET_PART, CLASS,
    COLLECTION, COME_BY, CONNECTION, DENIED, DICTIONARY, DIRECTION, DOMAIN, ERROR, FUNCTION,
    HANDSHAKE, KILL, LIMIT, LOG, LOSS, LUA_PHASE, MODULE, OUTCOME, OWNER, OWNER_LIMIT, PEER, PHASE,
    REASON, ROLLOUT, ROUTE, RULE_OUTCOME, RULE_PHASE, SEVERITY, TARGET, UPSTREAM, VERDICT, VERSION,
    WORKER,
};
use parted::Parted;

/// What is known of one metric before anything happened.
#[derive(Debug)]
pub struct About {
    /// `moongate_*`, ending in its base unit.
    pub name: &'static str,
    /// One sentence.
    pub help: &'static str,
    /// How it moves.
    pub kind: Kind,
    /// In the order in which values are given.
    pub labels: &'static [Label],
    /// Upper bounds of a histogram's buckets; empty for the others.
    pub buckets: &'static [f64],
}

/// Buckets of whole requests and upstreams, in seconds.
const REQUEST_SECONDS: &[f64] = &[
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
    60.0,
];
/// Buckets of phases, in seconds: most take microseconds.
const PHASE_SECONDS: &[f64] =
    &[0.000_01, 0.000_05, 0.000_1, 0.000_5, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0];
/// Buckets of anomaly scores: the Core Rule Set's thresholds are 4 and 5, one critical match is 5.
const SCORES: &[f64] = &[0.0, 2.0, 3.0, 4.0, 5.0, 10.0, 15.0, 20.0, 30.0, 50.0, 100.0];
/// Buckets of work, in bytes: a plain request takes tens of thousands.
const WORK_BYTES: &[f64] = &[1e3, 1e4, 3e4, 1e5, 3e5, 1e6, 3e6, 1e7, 3e7, 1e8, 3e8, 1e9];
/// Buckets of what is spent by what may be spent.
const SHARES: &[f64] = &[0.0001, 0.001, 0.003, 0.01, 0.03, 0.1, 0.25, 0.5, 0.75, 1.0];
/// Buckets of policy swaps, in seconds.
const SWAP_SECONDS: &[f64] = &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

macro_rules! metrics {
    ($($field:ident: $kind:ty = $name:literal, $help:literal, [$($label:expr),*], $buckets:expr;)*) => {
        /// A handle to each metric.
        pub struct Metrics {
            $(#[doc = $help] pub $field: $kind,)*
        }

        /// All of them, in the order in which they are documented.
        pub static LIST: &[&About] = &[$({
            static ABOUT: About = About {
                name: $name,
                help: $help,
                kind: <$kind as Registered>::KIND,
                labels: &[$($label),*],
                buckets: $buckets,
            };
            &ABOUT
        }),*];

        impl Metrics {
            fn register(registry: &Registry) -> Self {
                let mut list = LIST.iter().copied();
                let mut next = || list.next().expect("the list is made of the same entries");
                Self { $($field: <$kind as Registered>::register(next(), registry),)* }
            }
        }
    };
}

metrics! {
    requests: Family<Parted<IntCounter>> = "moongate_requests_total",
        "Exchanges that ended, refused heads among them.", [ROUTE, CLASS, VERDICT], &[];
    request_seconds: Family<Parted<Histogram>> = "moongate_request_duration_seconds",
        "From the first byte of a request head to the last of its response.", [ROUTE], REQUEST_SECONDS;
    received_bytes: Family<Parted<IntCounter>> = "moongate_received_bytes_total",
        "Bytes of request heads and bodies read from clients.", [ROUTE], &[];
    sent_bytes: Family<Parted<IntCounter>> = "moongate_sent_bytes_total",
        "Bytes of response bodies written to clients.", [ROUTE], &[];
    phase_seconds: Family<Parted<Histogram>> = "moongate_phase_duration_seconds",
        "What all handlers of a phase took for one exchange, waiting included.", [PHASE], PHASE_SECONDS;
    bodies_spooled: IntCounter = "moongate_bodies_spooled_total",
        "Request bodies that were too long for memory and went to disk.", [], &[];
    connections_open: IntGauge = "moongate_connections_open",
        "Client connections that are open now.", [], &[];
    connections: IntCounter = "moongate_connections_total",
        "Client connections that were accepted.", [], &[];
    connections_refused: Family<IntCounter> = "moongate_connections_refused_total",
        "Client connections that were refused before a byte was read, by the limit that was reached.",
        [LIMIT], &[];
    handshakes: Family<IntCounter> = "moongate_tls_handshakes_total",
        "TLS handshakes that ended, by what came of them.", [HANDSHAKE], &[];
    handshake_seconds: Histogram = "moongate_tls_handshake_seconds",
        "What TLS handshakes took, scripts and failures among them.", [], REQUEST_SECONDS;
    heads_refused: Family<IntCounter> = "moongate_heads_refused_total",
        "Request heads that the guard refused, by the reason.", [REASON], &[];
    upstream_tries: Family<IntCounter> = "moongate_upstream_tries_total",
        "Requests that were tried on a peer, by what came of it and whether the connection had served before.",
        [UPSTREAM, OUTCOME, CONNECTION], &[];
    upstream_head_seconds: Family<Histogram> = "moongate_upstream_head_seconds",
        "From the first byte to the upstream to the head of its response.", [UPSTREAM], REQUEST_SECONDS;
    upstream_seconds: Family<Histogram> = "moongate_upstream_response_seconds",
        "From the first byte to the upstream to the last of its response.", [UPSTREAM], REQUEST_SECONDS;
    peer_healthy: Family<IntGauge> = "moongate_upstream_peer_healthy",
        "1 where the peer is judged healthy, 0 where it is left out.", [UPSTREAM, PEER], &[];
    lua_calls: Family<Parted<IntCounter>> = "moongate_lua_calls_total",
        "Handlers that ran.", [MODULE, LUA_PHASE], &[];
    lua_cpu_seconds: Family<Parted<Counter>> = "moongate_lua_cpu_seconds_total",
        "CPU time of handlers.", [MODULE, LUA_PHASE], &[];
    lua_errors: Family<IntCounter> = "moongate_lua_errors_total",
        "Handlers that did not come to their end, kills among them.", [MODULE, LUA_PHASE, ERROR], &[];
    lua_kills: Family<IntCounter> = "moongate_lua_kills_total",
        "Handlers that were ended because their budget was spent, by the part of it.", [MODULE, KILL], &[];
    lua_memory_bytes: Family<IntGauge> = "moongate_lua_memory_bytes",
        "Memory that the state of a domain holds on a worker.", [DOMAIN, WORKER], &[];
    owner_cpu_seconds: Family<Counter> = "moongate_owner_cpu_seconds_total",
        "CPU time of an owner's scripts.", [OWNER], &[];
    owner_suspensions: Family<IntCounter> = "moongate_owner_suspensions_total",
        "Times that a script of an owner computed for a whole slice and was suspended.", [OWNER], &[];
    owner_kills: Family<IntCounter> = "moongate_owner_kills_total",
        "Scripts of an owner that were ended because their budget was spent, by the part of it.", [OWNER, KILL], &[];
    owner_refusals: Family<IntCounter> = "moongate_owner_refusals_total",
        "Calls and connections that were refused because their owner had as many as it may, by the limit.",
        [OWNER, OWNER_LIMIT], &[];
    owner_calls: Family<IntCounter> = "moongate_owner_calls_total",
        "Calls of an owner's scripts that ended.", [OWNER], &[];
    owner_errors: Family<IntCounter> = "moongate_owner_errors_total",
        "Calls of an owner's scripts that did not come to their end, kills among them.", [OWNER], &[];
    owner_calls_running: Family<IntGauge> = "moongate_owner_calls_running",
        "Calls of an owner's scripts that are under way.", [OWNER], &[];
    owner_connections: Family<IntGauge> = "moongate_owner_connections_open",
        "Connections that an owner's scripts hold open.", [OWNER], &[];
    owner_memory_bytes: Family<IntGauge> = "moongate_owner_memory_bytes",
        "Memory that an owner's states hold on all workers.", [OWNER], &[];
    owner_log_lines_lost: Family<IntCounter> = "moongate_owner_log_lines_dropped_total",
        "Log lines of an owner's scripts that were too many for a second and not written.",
        [OWNER], &[];
    functions: IntGauge = "moongate_functions",
        "Functions that this node has, those that do not serve too.", [], &[];
    function_calls: Family<IntCounter> = "moongate_function_calls_total",
        "Calls of functions that began.", [OWNER, FUNCTION], &[];
    function_cpu_seconds: Family<Counter> = "moongate_function_cpu_seconds_total",
        "CPU time of functions.", [OWNER, FUNCTION], &[];
    function_errors: Family<IntCounter> = "moongate_function_errors_total",
        "Calls of functions that did not come to their end, kills among them.",
        [OWNER, FUNCTION, ERROR], &[];
    function_kills: Family<IntCounter> = "moongate_function_kills_total",
        "Calls of functions that were ended because their budget was spent, by the part of it.",
        [OWNER, FUNCTION, KILL], &[];
    function_refused: Family<IntCounter> = "moongate_function_refused_total",
        "Calls of functions that did not begin, because as many ran as may.", [OWNER, FUNCTION], &[];
    function_cold_starts: Family<IntCounter> = "moongate_function_cold_starts_total",
        "States that workers made for functions.", [OWNER, FUNCTION], &[];
    function_cold_start_seconds: Family<Histogram> = "moongate_function_cold_start_seconds",
        "What making a state for a function took, its text read and compiled included.",
        [OWNER], PHASE_SECONDS;
    function_states: Family<IntGauge> = "moongate_function_states",
        "Workers that hold a state of the function.", [OWNER, FUNCTION], &[];
    function_memory_bytes: Family<IntGauge> = "moongate_function_memory_bytes",
        "Memory that the states of the function hold on all workers.", [OWNER, FUNCTION], &[];
    rule_matches: Family<IntCounter> = "moongate_rule_matches_total",
        "Rules that matched and are logged, by rule phase and severity.", [RULE_PHASE, SEVERITY], &[];
    rule_exchanges: Family<IntCounter> = "moongate_rule_exchanges_total",
        "Exchanges that rules judged, by what came of it.", [RULE_OUTCOME], &[];
    rule_phase_seconds: Family<Histogram> = "moongate_rule_phase_duration_seconds",
        "What the rules of a phase took for one exchange, waiting included.", [RULE_PHASE], PHASE_SECONDS;
    anomaly_score: Family<Histogram> = "moongate_anomaly_score",
        "Anomaly scores at the end of exchanges that rules judged.", [DIRECTION], SCORES;
    inspected_bytes: Family<IntCounter> = "moongate_inspected_bytes_total",
        "Bytes of bodies that rules looked into, those of responses decompressed.", [DIRECTION], &[];
    body_errors: Family<IntCounter> = "moongate_body_errors_total",
        "Bodies that rules could not read to their end in the format or coding that they claim.",
        [DIRECTION], &[];
    pattern_cuts: IntCounter = "moongate_pattern_cuts_total",
        "Searches of rules that were given up at their step limit; each counts as a match.", [], &[];
    rule_verdicts: Family<IntCounter> = "moongate_rule_verdicts_total",
        "Verdicts of rules on values: remembered from the same value before, or found.", [COME_BY], &[];
    rule_work: Histogram = "moongate_rule_work_bytes",
        "Bytes that rules looked at in one exchange, each as often as it was looked at.", [], WORK_BYTES;
    rule_budget_spent: Family<Histogram> = "moongate_rule_budget_spent_ratio",
        "What judging one exchange cost, by what it may cost.", [BUDGET_PART], SHARES;
    rule_budget_exceeded: Family<IntCounter> = "moongate_rule_budget_exceeded_total",
        "Exchanges that were to cost more than they may, by the part of the budget that was spent (`rule`: the share of one rule) and what became of them.",
        [BUDGET_LIMIT, BUDGET_OUTCOME], &[];
    collections: IntGauge = "moongate_collections",
        "What rules remember: one for each address, session and so on that is held.", [], &[];
    collections_bytes: IntGauge = "moongate_collections_bytes",
        "Bytes that the collections hold which rules remember.", [], &[];
    collection_evictions: IntCounter = "moongate_collection_evictions_total",
        "Collections that were given up before their time, to make room.", [], &[];
    table_entries: Family<IntGauge> = "moongate_collection_entries",
        "Entries of a typed collection; those whose time is over count until they are swept.",
        [COLLECTION], &[];
    table_bytes: Family<IntGauge> = "moongate_collection_bytes",
        "Bytes that the entries of a typed collection take, about.", [COLLECTION], &[];
    table_changes: Family<IntCounter> = "moongate_collection_changes_total",
        "Entries of a typed collection that were changed.", [COLLECTION], &[];
    process_log_lines_lost: IntCounter = "moongate_process_log_lines_dropped_total",
        "Lines of the process's own log (of scripts, and about trouble) that were too many for a second and not written.",
        [], &[];
    policy_generation: IntGauge = "moongate_policy_generation",
        "The number of the policy in force, from 1.", [], &[];
    policy_swaps: IntCounter = "moongate_policy_swaps_total",
        "Policies that came into force.", [], &[];
    policy_refused: IntCounter = "moongate_policy_refused_total",
        "Bundles that were refused; the last good policy stayed.", [], &[];
    policy_faults: IntGauge = "moongate_policy_faults",
        "Faults of the bundle that was refused last; 0 once a later one is in force.", [], &[];
    policy_swapped_at: Gauge = "moongate_policy_last_swap_timestamp_seconds",
        "When the policy in force came into force, in seconds since 1970.", [], &[];
    policy_swap_seconds: Histogram = "moongate_policy_swap_duration_seconds",
        "From the first byte of a bundle read to the last worker's word.", [], SWAP_SECONDS;
    log_lines: Family<IntCounter> = "moongate_log_lines_total",
        "Lines that access logs and event log handed to their targets.", [LOG, TARGET], &[];
    log_lines_lost: Family<IntCounter> = "moongate_log_lines_dropped_total",
        "Lines of access logs and event log that were lost: more than the queue holds, or the target failed.",
        [LOG, TARGET, LOSS], &[];
    dictionary_bytes: Family<IntGauge> = "moongate_dictionary_bytes",
        "Bytes that a shared dictionary holds.", [DICTIONARY], &[];
    dictionary_capacity_bytes: Family<IntGauge> = "moongate_dictionary_capacity_bytes",
        "Bytes that a shared dictionary may hold.", [DICTIONARY], &[];
    dictionary_entries: Family<IntGauge> = "moongate_dictionary_entries",
        "Entries of a shared dictionary.", [DICTIONARY], &[];
    dictionary_evictions: Family<IntCounter> = "moongate_dictionary_evictions_total",
        "Entries that a shared dictionary gave up before their time, to make room.", [DICTIONARY], &[];
    admin_requests: Family<IntCounter> = "moongate_admin_requests_total",
        "Requests on the admin address, by what was asked and answered.",
        [ADMIN_METHOD, ADMIN_ENDPOINT, ADMIN_STATUS], &[];
    admin_denied: Family<IntCounter> = "moongate_admin_denied_total",
        "Requests on the admin address that were denied, by the reason.", [DENIED], &[];
    function_rollouts: Family<IntCounter> = "moongate_function_rollouts_total",
        "What became of versions of functions that were tried.", [ROLLOUT], &[];
    policy_rollouts: Family<IntCounter> = "moongate_policy_rollouts_total",
        "What became of policies that were tried.", [ROLLOUT], &[];
    build: Family<IntGauge> = "moongate_build_info",
        "Always 1; its label says which build runs.", [VERSION], &[];
    process_cpu_seconds: Counter = "moongate_process_cpu_seconds_total",
        "CPU time of the process, user and system.", [], &[];
    process_memory_bytes: IntGauge = "moongate_process_resident_memory_bytes",
        "Memory of the process that is in RAM.", [], &[];
    process_files: IntGauge = "moongate_process_open_fds",
        "File descriptors that are open.", [], &[];
    process_max_files: IntGauge = "moongate_process_max_fds",
        "File descriptors that may be open.", [], &[];
    process_threads: IntGauge = "moongate_process_threads",
        "Threads of the process.", [], &[];
    process_started_at: Gauge = "moongate_process_start_time_seconds",
        "When the process began, in seconds since 1970.", [], &[];
}

static REGISTRY: LazyLock<Registry> = LazyLock::new(Registry::new);
static METRICS: LazyLock<Metrics> = LazyLock::new(|| Metrics::register(&REGISTRY));

/// The process's metrics.
pub fn metrics() -> &'static Metrics {
    &METRICS
}

#[cfg(test)]
mod tests {
    use super::{Kind, LIST, Values};

    #[test]
    fn names_follow_the_rules_of_prometheus() {
        for about in LIST {
            let name = about.name;
            assert!(name.starts_with("moongate_"), "{name}");
            assert_eq!(name.ends_with("_total"), about.kind == Kind::Counter, "{name}");
            assert_eq!(about.buckets.is_empty(), about.kind != Kind::Histogram, "{name}");
            assert!(about.help.ends_with('.'), "{name}: help is a sentence");
            assert!(about.buckets.is_sorted(), "{name}");
        }
    }

    #[test]
    fn no_name_is_there_twice() {
        let mut names: Vec<_> = LIST.iter().map(|about| about.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), LIST.len());
    }

    #[test]
    fn every_closed_set_has_members() {
        for label in LIST.iter().flat_map(|about| about.labels) {
            assert!(!matches!(label.values, Values::Closed([])), "{}", label.name);
        }
    }
}
