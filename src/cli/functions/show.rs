//! `moongate functions show`: one function with all its versions, or the text of one of them.

use std::fmt::Write as _;

use clap::Args;

use super::super::node::segment;
use super::super::table::Table;
use super::super::terminal;
use super::told::{self, Function, moment};
use super::{Asking, Fault, look, path};

/// Show a function and its versions, or the text of a version
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The function
    #[arg(value_name = "NAME")]
    name: String,
    /// Show this version's text: its digest, or the beginning of it
    #[arg(long, value_name = "DIGEST")]
    version: Option<String>,
    #[command(flatten)]
    pub(super) asking: Asking,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Fault> {
    let node = arguments.asking.place.node()?;
    if let Some(digest) = &arguments.version {
        let of_version = format!("/versions/{}", segment(digest));
        let answered = node.get(&path(&arguments.name, &of_version))?;
        terminal::say(&String::from_utf8_lossy(&answered.body));
        return Ok(());
    }
    let said = look(&node, &path(&arguments.name, ""))?;
    arguments.asking.say(&said, || Ok(text(&told::function(&said)?)))
}

fn text(function: &Function) -> String {
    let mut text = format!("{} of {}\n", function.name, function.owner);
    let _ = match (function.serving(), &function.route) {
        (Some(version), Some(route)) => writeln!(
            text,
            "serves      {route} with version {} since {}, {} calls now",
            version.title(),
            moment(&function.since),
            function.running
        ),
        _ => writeln!(text, "serves      nothing since {}", moment(&function.since)),
    };
    if let Some(expires) = &function.expires {
        let _ = writeln!(text, "goes        {}", moment(expires));
    }
    if let Some(version) = function.serving().or(function.versions.first()) {
        let _ = writeln!(text, "declares    {}", version.declares);
    }
    text.push('\n');
    text.push_str(&versions(function));
    if !function.history.is_empty() {
        text.push('\n');
        text.push_str(&history(function));
    }
    text
}

/// What is tried, and what became of what was.
fn history(function: &Function) -> String {
    let mut table = Table::new(&["AT", "VERSION", "WHAT", "BY", "WHY"]);
    for event in &function.history {
        table.row([
            moment(&event.at),
            function.title_of(&event.digest),
            event.what.clone(),
            event.by.clone(),
            event.why.clone(),
        ]);
    }
    match &function.candidate {
        Some(_) => format!("{}\n{}", function.trial(), table.text()),
        None => table.text(),
    }
}

fn versions(function: &Function) -> String {
    let mut table = Table::new(&["VERSION", "MODE", "PUSHED", "BY", "BYTES", "ROUTE", "MESSAGE"]);
    for version in &function.versions {
        table.row([
            version.title(),
            version.mode.clone(),
            moment(&version.at),
            version.author.clone(),
            version.bytes.to_string(),
            version.route.clone(),
            version.message.clone(),
        ]);
    }
    table.text()
}
