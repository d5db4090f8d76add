//! `moongate rules show`: a rule as it is written.

use std::process::ExitCode;

use clap::Args;

use super::super::settings::Settings;
use super::super::terminal;
use super::list::{place, plans};
use crate::detection::Rule;

/// Show a rule as it is written, its chain included
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The rule's id
    #[arg(value_name = "ID")]
    id: u64,
    #[command(flatten)]
    settings: Settings,
}

pub(super) fn run(arguments: &Arguments) -> ExitCode {
    let plans = match plans(&arguments.settings, "show") {
        Ok(plans) => plans,
        Err(code) => return code,
    };
    let rules: Vec<&Rule> =
        plans.iter().flat_map(|plan| &plan.rules).filter(|rule| rule.id == arguments.id).collect();
    if rules.is_empty() {
        return terminal::refuse(&format!(
            "no rule that the settings load has the id {}\n  = help: `moongate rules list` shows \
             those that are loaded",
            arguments.id
        ));
    }
    for rule in rules {
        terminal::say(&format!("# {}\n{}", place(rule), text(rule)));
    }
    ExitCode::SUCCESS
}

/// The lines of its directives, one for each link.
fn text(rule: &Rule) -> String {
    let Some(source) = &rule.about.source else { return String::new() };
    let lines = source.text.lines().skip((rule.about.line as usize).saturating_sub(1));
    let mut left = rule.links.len();
    let mut text = String::new();
    for line in lines {
        text += line;
        text.push('\n');
        let is_said = !line.trim().is_empty() && !line.trim_start().starts_with('#');
        if is_said && !line.trim_end().ends_with('\\') {
            left -= 1;
        }
        if left == 0 {
            break;
        }
    }
    text
}
