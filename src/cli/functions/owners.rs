//! `moongate functions owners`: what owners' functions came to, all of an owner's together.

use std::collections::BTreeMap;

use clap::Args;
use serde::Deserialize;
use serde_json::Value;

use super::super::table::Table;
use super::{Asking, Fault, look};
use crate::config;

const HEADS: &[&str] = &[
    "OWNER",
    "FUNCTIONS",
    "CALLS",
    "ERRORS",
    "CPU s",
    "RUNNING",
    "CONNECTIONS",
    "MEMORY",
    "PEAK",
    "KILLS",
    "REFUSED",
    "LOG LINES DROPPED",
];

/// Tell what the functions of each owner came to, together
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    pub(super) asking: Asking,
}

/// An owner, as a node tells it.
#[derive(Debug, Deserialize)]
struct Owner {
    #[serde(rename = "owner")]
    name: String,
    functions: u64,
    calls: u64,
    errors: u64,
    cpu_seconds: f64,
    running: u64,
    connections: u64,
    memory_bytes: u64,
    peak_bytes: u64,
    kills: BTreeMap<String, u64>,
    refused: BTreeMap<String, u64>,
    dropped_log_lines: u64,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Fault> {
    let node = arguments.asking.place.node()?;
    let said = look(&node, "/owners")?;
    arguments.asking.say(&said, || text(&said))
}

fn text(said: &Value) -> Result<String, Fault> {
    let owners = Vec::<Owner>::deserialize(said)
        .map_err(|error| Fault::Told(format!("the node says something else: {error}")))?;
    let mut table = Table::new(HEADS);
    for owner in owners {
        table.row(row(owner));
    }
    Ok(table.text())
}

fn row(owner: Owner) -> [String; 12] {
    [
        owner.name,
        owner.functions.to_string(),
        owner.calls.to_string(),
        owner.errors.to_string(),
        format!("{:.3}", owner.cpu_seconds),
        owner.running.to_string(),
        owner.connections.to_string(),
        size(owner.memory_bytes),
        size(owner.peak_bytes),
        counts(&owner.kills),
        counts(&owner.refused),
        owner.dropped_log_lines.to_string(),
    ]
}

fn counts(all: &BTreeMap<String, u64>) -> String {
    let each: Vec<String> = all.iter().map(|(reason, count)| format!("{reason} {count}")).collect();
    if each.is_empty() { "-".to_owned() } else { each.join(", ") }
}

/// In whole KiB.
fn size(bytes: u64) -> String {
    config::size_text(bytes.next_multiple_of(1024))
}
