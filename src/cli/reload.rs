//! `moongate reload`: a running node reads its files again, and says what came of it.

use std::process::ExitCode;

use clap::Args;

use super::node::{NodeError, Place, Sent};
use super::terminal;

/// Have a running node read its files again; a faulty one changes nothing, and says why
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    place: Place,
}

pub(super) fn run(arguments: &Arguments) -> ExitCode {
    match reload(&arguments.place) {
        Ok(told) => {
            terminal::say(&told);
            ExitCode::SUCCESS
        }
        Err(error) => terminal::fail(&error),
    }
}

fn reload(place: &Place) -> Result<String, NodeError> {
    let node = place.node()?;
    let said = node.ask("POST", "/policy/reload", Sent::default())?.json(&node)?;
    let changed = said.get("changed").and_then(serde_json::Value::as_bool) == Some(true);
    let generation = said.get("generation").and_then(serde_json::Value::as_u64).unwrap_or_default();
    let state = if changed { "is in force" } else { "stays: nothing changed" };
    Ok(format!("policy {generation} {state}\n"))
}
