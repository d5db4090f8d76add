//! `moongate audit`: who changed what on a running node.

use std::process::ExitCode;

use clap::Args;
use serde_json::Value;

use super::node::{NodeError, Place, segment};
use super::terminal;

/// Show who changed what on a running node, or tried to: one JSON line each, the newest last
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// How many, at the most 1000
    #[arg(long, value_name = "N", default_value_t = 100)]
    limit: usize,
    /// From when on, such as 2026-03-01T12:00:00Z
    #[arg(long, value_name = "MOMENT")]
    since: Option<String>,
    #[command(flatten)]
    place: Place,
}

pub(super) fn run(arguments: &Arguments) -> ExitCode {
    match audit(arguments) {
        Ok(lines) => {
            terminal::say(&lines);
            ExitCode::SUCCESS
        }
        Err(error) => terminal::fail(&error),
    }
}

fn audit(arguments: &Arguments) -> Result<String, NodeError> {
    let since = arguments.since.as_deref().map(segment);
    let since = since.map(|since| format!("&since={since}")).unwrap_or_default();
    let path = format!("/audit?limit={}{since}", arguments.limit);
    let node = arguments.place.node()?;
    let entries = node.get(&path)?.json(&node)?;
    let entries = entries.as_array().map(Vec::as_slice).unwrap_or_default();
    Ok(entries.iter().map(line).collect())
}

/// JSON escapes what would command a terminal, but for those above ASCII.
fn line(entry: &Value) -> String {
    let text = entry.to_string();
    text.chars().filter(|letter| !letter.is_control()).chain(['\n']).collect()
}

#[cfg(test)]
mod tests {
    use super::line;

    #[test]
    fn an_entry_is_one_line_that_commands_no_terminal() {
        let entry = serde_json::json!({ "who": "a\n\u{1b}[2J\u{9b}" });
        assert_eq!(line(&entry), "{\"who\":\"a\\n\\u001b[2J\"}\n");
    }
}
