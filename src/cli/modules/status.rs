//! `moongate modules status`: which version runs where, how far it counts, who holds it.

use clap::Args;
use serde::Deserialize;
use serde_json::Value;

use super::super::functions::told::{Worker, moment, moment_or_none, short};
use super::super::functions::{Asking, Fault, look, strange};
use super::super::node::segment;
use super::super::table::Table;
use super::super::terminal;
use crate::config;

const PLACES: &[&str] = &["MODULE", "VERSION", "SINCE", "ROUTE", "OWNER", "MODE", "PHASES"];
const WORKERS: &[&str] = &[
    "MODULE",
    "VERSION",
    "WORKER",
    "HOLDS",
    "SINCE",
    "LAST CALL",
    "CALLS",
    "ERRORS",
    "REFUSALS",
    "CPU s",
    "MEMORY",
    "PEAK",
    "KILLS",
];

/// Tell which version of a module runs where, how far it counts, and what calls came to
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Only this module
    #[arg(value_name = "NAME")]
    name: Option<String>,
    #[command(flatten)]
    pub(super) asking: Asking,
}

/// A version of a module.
#[derive(Debug, Deserialize)]
struct Module {
    name: String,
    digest: String,
    since: Option<String>,
    attached: Vec<Attached>,
    workers: Vec<Worker>,
}

/// Where it is attached.
#[derive(Debug, Deserialize)]
struct Attached {
    route: Option<String>,
    owner: String,
    mode: String,
    percent: f64,
    phases: Vec<String>,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Fault> {
    let node = arguments.asking.place.node()?;
    let path = match &arguments.name {
        Some(name) => format!("/modules/{}", segment(name)),
        None => "/modules".to_owned(),
    };
    let said = look(&node, &path)?;
    arguments.asking.say(&said, || {
        let modules = read(&said)?;
        if modules.is_empty() {
            terminal::tell("no modules; `access: [{ module: NAME }]` in moongate.yaml names one\n");
            return Ok(String::new());
        }
        Ok(text(&modules))
    })
}

fn read(said: &Value) -> Result<Vec<Module>, Fault> {
    Vec::deserialize(said).map_err(|error| strange(&error))
}

fn text(modules: &[Module]) -> String {
    let (mut places, mut workers) = (Table::new(PLACES), Table::new(WORKERS));
    for module in modules {
        for attached in &module.attached {
            places.row(place(module, attached));
        }
        for worker in &module.workers {
            workers.row(row(module, worker));
        }
    }
    format!("{}\n{}", places.text(), workers.text())
}

fn place(module: &Module, attached: &Attached) -> [String; 7] {
    let mode = match attached.mode.as_str() {
        mode @ ("canary" | "sample") => format!("{mode} {}%", attached.percent),
        mode => mode.to_owned(),
    };
    [
        module.name.clone(),
        short(&module.digest).to_owned(),
        moment_or_none(module.since.as_ref()),
        attached.route.clone().unwrap_or_else(|| "(every)".to_owned()),
        attached.owner.clone(),
        mode,
        attached.phases.join(", "),
    ]
}

fn row(module: &Module, worker: &Worker) -> [String; 13] {
    // In whole KiB: what a state holds is never less.
    let size = |bytes: u64| config::size_text(bytes.next_multiple_of(1024));
    [
        module.name.clone(),
        short(&module.digest).to_owned(),
        worker.number.to_string(),
        if worker.holds { "yes" } else { "no" }.to_owned(),
        worker.since.as_deref().map_or_else(|| "-".to_owned(), moment),
        moment_or_none(worker.last_call.as_ref()),
        worker.calls.to_string(),
        worker.errors.to_string(),
        worker.blocks.to_string(),
        format!("{:.3}", worker.cpu_seconds),
        size(worker.memory_bytes),
        size(worker.peak_bytes),
        worker.kills(),
    ]
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{read, text};

    #[test]
    fn a_module_is_told_by_place_and_by_worker() {
        let worker = json!({ "worker": 1, "holds": true, "since": "2026-11-23T01:00:00.5Z",
            "last_call": null, "calls": 7, "errors": 1, "blocks": 2, "refused": 0,
            "cpu_seconds": 0.5, "memory_bytes": 1000, "peak_bytes": 2048, "loads": 1,
            "cold_start_seconds": 0.0, "kills": { "cpu": 1, "wait": 0 } });
        let place = |route: Option<&str>, mode: &str, percent: f64| {
            json!({ "route": route, "owner": "operator", "mode": mode, "percent": percent,
                "phases": ["access", "log"] })
        };
        let said = json!([{ "name": "limit", "digest": "0123456789abcdef",
            "since": "2026-11-23T01:00:00.5Z", "workers": [worker],
            "attached": [place(None, "enforce", 100.0), place(Some("shop"), "sample", 2.5)] }]);
        let text = text(&read(&said).unwrap());
        let lines: Vec<Vec<&str>> = text
            .lines()
            .map(|line| line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect())
            .collect();
        let since = "2026-11-23T01:00:00Z";
        let version = "0123456789ab";
        assert_eq!(
            lines[1],
            ["limit", version, since, "(every)", "operator", "enforce", "access, log"]
        );
        assert_eq!(lines[2][3..6], ["shop", "operator", "sample 2.5%"]);
        assert_eq!(
            lines[5][2..],
            ["1", "yes", since, "-", "7", "1", "2", "0.500", "1KiB", "2KiB", "cpu 1"]
        );
    }
}
