//! `moongate rules`: what rules there are, what they say, and where they come from.

mod install;

use std::process::ExitCode;

use clap::{Args, Subcommand};

const EXAMPLES: &str = "\
Examples:
  moongate rules install owasp-crs             the newest release, verified, into ./rules
  moongate rules install owasp-crs@4.20.0
  moongate rules install owasp-crs --from coreruleset-4.20.0-minimal.tar.gz";

/// List, search and describe rules; install releases of the OWASP Core Rule Set, verified
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Install(install::Arguments),
}

pub(super) fn run(arguments: &Arguments) -> ExitCode {
    match &arguments.command {
        Command::Install(arguments) => install::run(arguments),
    }
}
