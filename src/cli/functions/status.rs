//! `moongate functions status`: which worker runs which version, since when, and what calls came to.

use std::time::Duration;

use clap::Args;
use serde_json::Value;

use super::super::table::Table;
use super::super::terminal;
use super::told::{self, Function, Version, Worker, moment_or_none};
use super::{Asking, Fault, look, path};
use crate::config;

const HEADS: &[&str] = &[
    "FUNCTION",
    "OWNER",
    "VERSION",
    "MODE",
    "WORKER",
    "HOLDS",
    "SINCE",
    "LAST CALL",
    "CALLS",
    "ERRORS",
    "REFUSED",
    "CPU s",
    "MEMORY",
    "PEAK",
    "LOADS",
    "COLD START",
    "KILLS",
];

/// Tell which worker holds which version of a function, since when, and what calls came to
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Only this function
    #[arg(value_name = "NAME")]
    name: Option<String>,
    #[command(flatten)]
    pub(super) asking: Asking,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Fault> {
    let node = arguments.asking.place.node()?;
    let said = match &arguments.name {
        Some(name) => Value::Array(vec![look(&node, &path(name, ""))?]),
        None => look(&node, "/functions")?,
    };
    arguments.asking.say(&said, || {
        let functions = told::functions(&said)?;
        if functions.is_empty() {
            terminal::tell("no functions; `moongate functions push hello.lua` makes one\n");
            return Ok(String::new());
        }
        Ok(text(&functions))
    })
}

/// A row for each worker of the version that serves, and for whoever knows of another.
fn text(functions: &[Function]) -> String {
    let mut table = Table::new(HEADS);
    for function in functions {
        let mut rows = 0;
        for version in &function.versions {
            let serves = function.active.as_ref() == Some(&version.digest);
            for worker in version.workers.iter().filter(|one| serves || one.is_known()) {
                table.row(row(function, version, worker));
                rows += 1;
            }
        }
        if rows == 0 {
            let none = || "-".to_owned();
            table.row([function.name.clone(), function.owner.clone(), none(), "off".to_owned()]);
        }
    }
    let trials: String = functions.iter().map(Function::trial).collect();
    if trials.is_empty() { table.text() } else { format!("{}\n{trials}", table.text()) }
}

fn row(function: &Function, version: &Version, worker: &Worker) -> [String; 17] {
    let cold = Duration::from_secs_f64(worker.cold_start_seconds.clamp(0.0, 1e6));
    [
        function.name.clone(),
        function.owner.clone(),
        version.title(),
        version.mode.clone(),
        worker.number.to_string(),
        if worker.holds { "yes" } else { "no" }.to_owned(),
        moment_or_none(worker.since.as_ref()),
        moment_or_none(worker.last_call.as_ref()),
        worker.calls.to_string(),
        worker.errors.to_string(),
        worker.refused.to_string(),
        format!("{:.3}", worker.cpu_seconds),
        size(worker.memory_bytes),
        size(worker.peak_bytes),
        worker.loads.to_string(),
        if worker.loads > 0 { format!("{cold:.1?}") } else { "-".to_owned() },
        worker.kills(),
    ]
}

/// In whole KiB: what a state holds is never less.
fn size(bytes: u64) -> String {
    config::size_text(bytes.next_multiple_of(1024))
}
