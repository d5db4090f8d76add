//! `moongate functions activate`, `rollback`, `deactivate`, `remove`: which version serves.

use clap::Args;
use serde_json::Value;

use super::super::node::segment;
use super::super::terminal;
use super::{Asking, Fault, ask, path, told};

/// Have a version serve
#[derive(Debug, Args)]
pub(super) struct Activate {
    /// The function
    #[arg(value_name = "NAME")]
    name: String,
    /// The version's digest, or the beginning of it; without it the newest
    #[arg(long, value_name = "DIGEST")]
    version: Option<String>,
    #[command(flatten)]
    pub(super) asking: Asking,
}

/// Have the version serve that served before, or another
#[derive(Debug, Args)]
pub(super) struct Rollback {
    /// The function
    #[arg(value_name = "NAME")]
    name: String,
    /// That version: its digest, or the beginning of it
    #[arg(long, value_name = "DIGEST")]
    to: Option<String>,
    #[command(flatten)]
    pub(super) asking: Asking,
}

/// Have no version serve; all are kept
#[derive(Debug, Args)]
pub(super) struct Deactivate {
    /// The function
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    pub(super) asking: Asking,
}

/// Remove a function with all its versions
#[derive(Debug, Args)]
pub(super) struct Remove {
    /// The function
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    pub(super) asking: Asking,
}

pub(super) fn activate(arguments: &Activate) -> Result<(), Fault> {
    let deed = with_query("/activate", "version", arguments.version.as_deref());
    change(&arguments.asking, "POST", &arguments.name, &deed)
}

pub(super) fn rollback(arguments: &Rollback) -> Result<(), Fault> {
    let deed = with_query("/rollback", "to", arguments.to.as_deref());
    change(&arguments.asking, "POST", &arguments.name, &deed)
}

pub(super) fn deactivate(arguments: &Deactivate) -> Result<(), Fault> {
    change(&arguments.asking, "POST", &arguments.name, "/deactivate")
}

pub(super) fn remove(arguments: &Remove) -> Result<(), Fault> {
    let node = arguments.asking.place.node()?;
    let said = ask(&node, "DELETE", &path(&arguments.name, ""))?;
    if arguments.asking.json && !said.is_null() {
        terminal::say(&format!("{said:#}\n"));
    }
    terminal::tell(&format!("{} is removed\n", arguments.name));
    Ok(())
}

fn with_query(deed: &str, name: &str, value: Option<&str>) -> String {
    value.map_or_else(|| deed.to_owned(), |value| format!("{deed}?{name}={}", segment(value)))
}

fn change(asking: &Asking, method: &str, name: &str, deed: &str) -> Result<(), Fault> {
    let node = asking.place.node()?;
    let said = ask(&node, method, &path(name, deed))?;
    asking.say(&said, || state(&said))
}

/// How it is now.
fn state(said: &Value) -> Result<String, Fault> {
    let function = told::function(said)?;
    Ok(match (function.serving(), &function.route) {
        (Some(version), Some(route)) => {
            format!("{}: version {} serves {route}\n", function.name, version.title())
        }
        _ => format!("{}: no version serves\n", function.name),
    })
}
