//! `moongate rules cost`: what rules cost, estimated and measured, dearest first.

mod corpus;
mod replay;
mod rows;
mod table;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::super::settings::Settings;
use super::super::terminal;
use crate::policy::{self, Origin, Policy};
use rows::By;

const ABOUT_FIGURES: &str = "\
steps: an estimate, without any request: the bytes of an ordinary request that are run through the
  rule, weighed by what a byte costs its operator (docs/rules.md has the formula).
time:  measured: the requests of the corpus go through the engine, and then the tests of each rule
  over those of their values that have what every match needs. Name lookups and scripts are left out.

A corpus has one request a line, in JSON; docs/rules.md has the format. Lines of an access or event
log will do too, but they have no bodies.

Examples:
  moongate rules cost                                  the 20 dearest, by requests that are built in
  moongate rules cost --corpus requests.jsonl --top 5
  moongate rules cost --by file
  moongate rules cost --json | jq '.rows[0]'";

/// Tell what rules cost, dearest first: an estimate, and CPU time measured over recorded requests
#[derive(Debug, Args)]
#[command(after_help = ABOUT_FIGURES)]
pub(super) struct Arguments {
    /// Recorded requests, one JSON object a line; without it those that are built in, of an
    /// ordinary shop
    #[arg(long, value_name = "FILE")]
    corpus: Option<PathBuf>,
    /// How many rows are shown; 0: all
    #[arg(long, value_name = "N", default_value_t = 20)]
    top: usize,
    /// What a row is of
    #[arg(long, value_enum, default_value_t = By::Rule)]
    by: By,
    /// Print one JSON object, with all figures
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    settings: Settings,
}

pub(super) fn run(arguments: &Arguments) -> ExitCode {
    let policy = match policy(&arguments.settings) {
        Ok(policy) => policy,
        Err(code) => return code,
    };
    let corpus = match &arguments.corpus {
        None => corpus::ordinary(),
        Some(path) => match corpus::of_file(path) {
            Ok(corpus) => corpus,
            Err(faults) => return terminal::faults(&faults),
        },
    };
    let measured = replay::replay(&policy, &corpus);
    let rows = rows::rows(&policy, &measured, arguments.by);
    let report = table::Report {
        corpus: arguments.corpus.as_deref(),
        requests: measured.requests,
        whole: measured.whole,
        repeated: measured.repeated,
        rows: &rows,
        top: if arguments.top == 0 { rows.len() } else { arguments.top },
    };
    terminal::say(&if arguments.json { report.json() } else { report.text() });
    ExitCode::SUCCESS
}

fn policy(settings: &Settings) -> Result<Policy, ExitCode> {
    let (path, overrides) = settings.resolve("rules cost");
    let built = policy::build(path.as_deref(), &overrides, Origin::Disk, None);
    built.policy.ok_or_else(|| terminal::faults(&built.diagnostics))
}
