//! `moongate reload`: a running node reads its files again, and says what came of it.

use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use super::gates::Gates;
use super::node::{NodeError, Place, Sent};
use super::terminal;

/// Have a running node read its files again; a faulty one changes nothing, and says why
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Try them for this share of the clients first, in percent: 0.01 to 100
    #[arg(long, value_name = "PERCENT")]
    canary: Option<f64>,
    /// What a client is known by: `address`, `cookie:NAME`, `header:NAME`
    #[arg(long, value_name = "WHAT", default_value = "address", requires = "canary")]
    sticky: String,
    #[command(flatten)]
    gates: Gates,
    #[command(flatten)]
    place: Place,
}

pub(super) fn run(arguments: &Arguments) -> ExitCode {
    match reload(arguments) {
        Ok(told) => {
            terminal::say(&told);
            ExitCode::SUCCESS
        }
        Err(error) => terminal::fail(&error),
    }
}

fn reload(arguments: &Arguments) -> Result<String, NodeError> {
    let node = arguments.place.node()?;
    let said = arguments.canary.map(|percent| {
        let (sticky, gates) = (&arguments.sticky, arguments.gates.told());
        json!({ "percent": percent, "sticky": sticky, "gates": gates }).to_string()
    });
    let body = said.as_ref().map(|said| ("application/json", said.as_bytes()));
    let said = node.ask("POST", "/policy/reload", Sent { body, ..Sent::default() })?.json(&node)?;
    let is = |key: &str| said.get(key).and_then(serde_json::Value::as_bool) == Some(true);
    let generation = said.get("generation").and_then(serde_json::Value::as_u64).unwrap_or_default();
    let state = match (is("tried"), is("changed")) {
        (true, _) => "is tried: `moongate policy status` tells how it stands",
        (false, true) => "is in force",
        (false, false) => "stays: nothing changed",
    };
    Ok(format!("policy {generation} {state}\n"))
}
