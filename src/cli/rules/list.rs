//! `moongate rules list` and `search`: one line for each rule that the settings load.

use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;

use super::super::settings::Settings;
use super::super::terminal;
use crate::detection::{Plan, Rule, Text, TextPart};
use crate::policy::{self, Origin};

/// List the rules that the settings load: id, phase, paranoia level, severity, message, place
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    settings: Settings,
}

/// List the rules in whose id, message, tags or file all of these words are found
#[derive(Debug, Args)]
pub(super) struct Search {
    /// Words, in any case
    #[arg(value_name = "WORD", required = true)]
    words: Vec<String>,
    #[command(flatten)]
    settings: Settings,
}

pub(super) fn run(arguments: &Arguments) -> ExitCode {
    print(&arguments.settings, "list", |_| true)
}

pub(super) fn search(arguments: &Search) -> ExitCode {
    let words: Vec<String> = arguments.words.iter().map(|word| word.to_lowercase()).collect();
    print(&arguments.settings, "search", |rule| {
        let text = searchable(rule).to_lowercase();
        words.iter().all(|word| text.contains(word))
    })
}

/// The distinct rule sets that the settings load; faults are told and end it.
pub(super) fn plans(settings: &Settings, command: &str) -> Result<Vec<Arc<Plan>>, ExitCode> {
    let (path, overrides) = settings.resolve(&format!("rules {command}"));
    let built = policy::build(path.as_deref(), &overrides, Origin::Disk, None);
    let Some(policy) = built.policy else { return Err(terminal::faults(&built.diagnostics)) };
    Ok(policy.rulesets.iter().map(|ruleset| ruleset.plan.clone()).collect())
}

fn print(settings: &Settings, command: &str, wanted: impl Fn(&Rule) -> bool) -> ExitCode {
    let plans = match plans(settings, command) {
        Ok(plans) => plans,
        Err(code) => return code,
    };
    let rules = plans.iter().flat_map(|plan| &plan.rules).filter(|rule| wanted(rule));
    let lines: Vec<String> = rules.map(line).collect();
    let all: usize = plans.iter().map(|plan| plan.rules.len()).sum();
    for line in &lines {
        terminal::say(line);
    }
    terminal::say(&format!("{} of {all} rules\n", lines.len()));
    ExitCode::SUCCESS
}

fn line(rule: &Rule) -> String {
    let about = &rule.about;
    let level = about.paranoia.map_or("-".to_owned(), |level| level.to_string());
    let severity = about.severity.map_or("-", crate::transaction::Severity::as_str);
    let message = about.message.as_ref().map(written).unwrap_or_default();
    format!(
        "{:>8}  phase {}  PL {level:1}  {severity:<9}  {message}  ({})\n",
        rule.id,
        rule.phase.number(),
        place(rule)
    )
}

/// `file:line`.
pub(super) fn place(rule: &Rule) -> String {
    let name = rule.about.source.as_ref().map_or("?", |source| source.name.as_str());
    format!("{name}:{}", rule.about.line)
}

fn searchable(rule: &Rule) -> String {
    let about = &rule.about;
    let tags: Vec<String> = about.tags.iter().map(written).collect();
    let message = about.message.as_ref().map(written).unwrap_or_default();
    format!("{} {message} {} {}", rule.id, tags.join(" "), place(rule))
}

/// A text as its author sees it; what is filled in at run time is shown as dots.
pub(super) fn written(text: &Text) -> String {
    let part = |part: &TextPart| match part {
        TextPart::Fixed(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        TextPart::OfRule(_) | TextPart::Unknown(_) | TextPart::Value(_) => "…".to_owned(),
    };
    text.parts.iter().map(part).collect()
}
