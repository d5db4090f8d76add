//! `moongate rules`: what rules there are, what they say and cost, and where they come from.

mod cost;
mod describe;
mod differences;
mod install;
mod list;
mod show;

use std::process::ExitCode;

use clap::{Args, Subcommand};

const EXAMPLES: &str = "\
Examples:
  moongate rules list --rules /usr/share/modsecurity-crs --upstream http://127.0.0.1:3000
  moongate rules search sql union
  moongate rules show 942100
  moongate rules describe @detectSQLi
  moongate rules cost --corpus requests.jsonl --top 10
  moongate rules install owasp-crs             the newest release, verified, into ./rules
  moongate rules install owasp-crs@4.20.0
  moongate rules install owasp-crs --from coreruleset-4.20.0-minimal.tar.gz";

/// List, search and describe rules, and what they cost; install releases of the OWASP Core Rule
/// Set, verified
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    List(list::Arguments),
    Search(list::Search),
    Show(show::Arguments),
    Cost(cost::Arguments),
    Describe(describe::Arguments),
    Differences(differences::Arguments),
    Install(install::Arguments),
}

pub(super) fn run(arguments: &Arguments) -> ExitCode {
    match &arguments.command {
        Command::List(arguments) => list::run(arguments),
        Command::Search(arguments) => list::search(arguments),
        Command::Show(arguments) => show::run(arguments),
        Command::Cost(arguments) => cost::run(arguments),
        Command::Describe(arguments) => describe::run(arguments),
        Command::Differences(arguments) => differences::run(arguments),
        Command::Install(arguments) => install::run(arguments),
    }
}
