//! `moongate tokens`: who may use the admin API, and for what.

mod add;
mod file;
mod list;
mod remove;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::node;
use super::terminal;
use file::{Fault, File};

const EXAMPLES: &str = "\
Examples:
  moongate tokens add ops --role admin                   prints the token, once
  moongate tokens add ci --role publish --owner team-a --expires 90d
  moongate tokens list
  moongate tokens remove ci                              holds from the next request on

Roles, each with those before it:
  read       look at policy, metrics, functions, collections
  publish    store new versions and entries
  activate   put versions in force, take them back, reload
  admin      everything, the audit log too

A token goes with a request as `Authorization: Bearer …`, and with other commands in the variable
MOONGATE_TOKEN or a file that --token-file names. The file of tokens holds only their SHA-256.";

/// Make, list and remove tokens for the admin API
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Add(add::Arguments),
    List(list::Arguments),
    Remove(remove::Arguments),
}

/// Which file.
#[derive(Debug, Args)]
struct Place {
    /// The file of tokens; without it the one that the settings name, else tokens.yaml in the
    /// state folder
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// The settings; without it ./moongate.yaml, if it is there
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments) -> ExitCode {
    let done = match &arguments.command {
        Command::Add(arguments) => add::run(arguments),
        Command::List(arguments) => list::run(arguments),
        Command::Remove(arguments) => remove::run(arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Fault::Written(faults)) => terminal::faults(&faults),
        Err(Fault::Told(fault)) => terminal::refuse(&fault),
    }
}

impl Place {
    /// The file that holds for these settings.
    fn path(&self) -> PathBuf {
        if let Some(path) = &self.file {
            return path.clone();
        }
        let settings = node::settings(self.config.as_deref());
        settings.map_or_else(usual, |settings| settings.token_file())
    }

    fn open(&self) -> Result<File, Fault> {
        File::open(&self.path())
    }
}

/// Where a node without settings looks.
fn usual() -> PathBuf {
    Path::new(".moongate").join("tokens.yaml")
}
