//! What happened: facts, and the metrics and logs that they move.
//!
//! Other rooms emit [`events`] and know nothing of counters or log lines; everything below is moved
//! by them. Nothing in here blocks its caller.

pub mod error_log;
pub mod events;
pub mod log;
pub mod logs;
pub mod metrics;
mod redaction;
mod refused;
mod function_events;
mod handshake_events;
mod rule_events;
mod script_events;

pub use metrics::{
    DictionaryReading, FunctionReading, OwnerReading, metrics_page, metrics_text, set_collections,
    set_dictionaries, set_functions, set_owners, set_tables,
};
pub use redaction::set_secrets;
