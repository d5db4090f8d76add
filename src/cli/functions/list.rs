//! `moongate functions list`: what there is, and which version of it serves.

use clap::Args;

use super::super::table::Table;
use super::super::terminal;
use super::told::{self, Function, moment};
use super::{Asking, Fault, look};

/// List the functions of a node
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Only those of this owner
    #[arg(long, value_name = "OWNER")]
    owner: Option<String>,
    #[command(flatten)]
    pub(super) asking: Asking,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Fault> {
    let node = arguments.asking.place.node()?;
    let mut said = look(&node, "/functions")?;
    if let (Some(owner), Some(list)) = (&arguments.owner, said.as_array_mut()) {
        list.retain(|one| one["owner"] == owner.as_str());
    }
    arguments.asking.say(&said, || {
        let functions = told::functions(&said)?;
        if functions.is_empty() {
            terminal::tell("no functions; `moongate functions push hello.lua` makes one\n");
            return Ok(String::new());
        }
        Ok(table(&functions))
    })
}

fn table(functions: &[Function]) -> String {
    let mut table =
        Table::new(&["NAME", "OWNER", "ROUTE", "SERVES", "SINCE", "VERSIONS", "MESSAGE"]);
    for one in functions {
        let (serving, newest) = (one.serving(), one.versions.first());
        let shown = serving.or(newest);
        table.row([
            one.name.clone(),
            one.owner.clone(),
            shown.map_or_else(String::new, |version| version.route.clone()),
            serving.map_or_else(|| "-".to_owned(), told::Version::title),
            moment(&one.since),
            one.versions.len().to_string(),
            shown.map_or_else(String::new, |version| version.message.clone()),
        ]);
    }
    table.text()
}
