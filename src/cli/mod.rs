//! The command line, one file a command.

mod audit;
mod check;
mod completions;
mod demo;
mod differing;
pub mod docs;
mod functions;
mod gates;
mod import;
mod modules;
pub mod node;
mod policy;
mod reload;
mod rules;
mod run;
mod settings;
mod table;
mod terminal;
mod tokens;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

/// What the operator wrote has faults.
const FAULTS: u8 = 1;

const FIRST_STEPS: &str = "\
First steps:
  moongate demo                                     a small shop behind Moongate, to try things on
  moongate run --upstream http://127.0.0.1:3000     protect an application with the defaults
  moongate check -c moongate.yaml                   tell every fault in it, start nothing

Exit codes: 0 done, 1 faults in what you wrote (configuration, scripts, addresses), 2 usage";

/// A web application firewall: a reverse proxy with OpenResty's nine Lua phases, changed while it
/// runs without losing a request.
#[derive(Debug, Parser)]
#[command(name = "moongate", version, after_help = FIRST_STEPS, max_term_width = 100)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

/// Every command.
#[derive(Debug, Subcommand)]
enum Command {
    Demo(demo::Arguments),
    Functions(functions::Arguments),
    Modules(modules::Arguments),
    Policy(policy::Arguments),
    Rules(rules::Arguments),
    Run(run::Arguments),
    Check(check::Arguments),
    Import(import::Arguments),
    Reload(reload::Arguments),
    Audit(audit::Arguments),
    Tokens(tokens::Arguments),
    Docs(docs::Arguments),
    Completions(completions::Arguments),
}

/// Reads the command line and does what it says. Exit codes: 0, 1 (faults in what the operator
/// wrote), 2 (usage).
pub fn main() -> ExitCode {
    // The system tells the local time zone only while there is one thread.
    let _ = crate::shared::local_offset();
    match CommandLine::parse().command {
        Command::Demo(arguments) => demo::run(&arguments),
        Command::Functions(arguments) => functions::run(&arguments),
        Command::Modules(arguments) => modules::run(&arguments),
        Command::Policy(arguments) => policy::run(&arguments),
        Command::Rules(arguments) => rules::run(&arguments),
        Command::Run(arguments) => run::run(&arguments),
        Command::Check(arguments) => check::run(&arguments),
        Command::Import(arguments) => import::run(&arguments),
        Command::Reload(arguments) => reload::run(&arguments),
        Command::Audit(arguments) => audit::run(&arguments),
        Command::Tokens(arguments) => tokens::run(&arguments),
        Command::Docs(arguments) => docs::run(&arguments),
        Command::Completions(arguments) => completions::run(&arguments),
    }
}

/// The whole command line as clap knows it: for completions and for the generated page.
fn definition() -> clap::Command {
    CommandLine::command()
}

#[cfg(test)]
mod tests {
    use super::{CommandLine, definition};
    use clap::Parser as _;

    #[test]
    fn the_definition_contradicts_itself_nowhere() {
        definition().debug_assert();
    }

    #[test]
    fn every_command_and_every_argument_has_help() {
        for command in definition().get_subcommands() {
            assert!(command.get_about().is_some(), "{}", command.get_name());
            for argument in command.get_arguments() {
                assert!(argument.get_help().is_some(), "{} {argument}", command.get_name());
            }
        }
    }

    #[test]
    fn an_unknown_option_is_a_usage_error() {
        let error = CommandLine::try_parse_from(["moongate", "run", "--upstrem", "x"]).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().contains("--upstream"), "{error}");
    }
}
