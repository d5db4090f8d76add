//! `moongate functions`: Lua functions that come and go while a node runs.

mod change;
mod deploy;
mod differences;
mod list;
mod owners;
mod push;
mod rollout;
mod show;
mod status;
pub(super) mod told;

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::node::{Answered, Node, NodeError, Place, Sent, segment};
use super::{FAULTS, terminal};

const EXAMPLES: &str = "\
Examples:
  moongate functions push hello.lua --route /hello --owner team-a --activate
  moongate functions push --dir functions/ --owner team-a --prune --dry-run
  moongate functions status                    which worker runs which version, since when
  moongate functions owners                    what each owner's functions came to, together
  moongate functions activate hello --version 3f2a
  moongate functions rollback hello
  moongate functions canary hello --percent 5 --window 10m --promote
  moongate functions differences hello         what the version that is tried would have done

A function is a chunk, as in content_by_lua_file, or returns a table:
  -- route: /hello
  return {
    declares = { hosts = { \"api.example:443\" }, limits = { cpu = \"10ms\" } },
    content = function() ngx.say(\"hello\") end,
    test = function(t) t:equal(t:request{ path = \"/hello\" }.body, \"hello\\n\") end,
  }

Exit codes: 0 done, 1 refused (nothing was changed; why, at its line), 2 usage";

/// Push Lua functions to a running node, put them in force, take them back; who runs which
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Push(push::Arguments),
    List(list::Arguments),
    Show(show::Arguments),
    Status(status::Arguments),
    Owners(owners::Arguments),
    Activate(change::Activate),
    Rollback(change::Rollback),
    Deactivate(change::Deactivate),
    Remove(change::Remove),
    Shadow(rollout::Shadow),
    Sample(rollout::Sample),
    Canary(rollout::Canary),
    Promote(rollout::Promote),
    Abort(rollout::Abort),
    Differences(differences::Arguments),
}

/// Whom to ask, and how to tell what they say.
#[derive(Debug, Args)]
pub(super) struct Asking {
    #[command(flatten)]
    pub(super) place: Place,
    /// Print what the node said, as JSON
    #[arg(long)]
    json: bool,
}

/// Why it was not done.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    #[error(transparent)]
    Node(#[from] NodeError),
    /// What was asked for cannot be.
    #[error("{0}")]
    Told(String),
    /// It was told already.
    #[error("")]
    Shown,
}

pub(super) fn run(arguments: &Arguments) -> ExitCode {
    let (asking, done) = match &arguments.command {
        Command::Push(arguments) => (&arguments.asking, push::run(arguments)),
        Command::List(arguments) => (&arguments.asking, list::run(arguments)),
        Command::Show(arguments) => (&arguments.asking, show::run(arguments)),
        Command::Status(arguments) => (&arguments.asking, status::run(arguments)),
        Command::Owners(arguments) => (&arguments.asking, owners::run(arguments)),
        Command::Activate(arguments) => (&arguments.asking, change::activate(arguments)),
        Command::Rollback(arguments) => (&arguments.asking, change::rollback(arguments)),
        Command::Deactivate(arguments) => (&arguments.asking, change::deactivate(arguments)),
        Command::Remove(arguments) => (&arguments.asking, change::remove(arguments)),
        Command::Shadow(arguments) => (arguments.asking(), arguments.run()),
        Command::Sample(arguments) => (arguments.asking(), arguments.run()),
        Command::Canary(arguments) => (arguments.asking(), arguments.run()),
        Command::Promote(arguments) => (arguments.asking(), arguments.run()),
        Command::Abort(arguments) => (arguments.asking(), arguments.run()),
        Command::Differences(arguments) => (&arguments.asking, differences::run(arguments)),
    };
    end(asking, done)
}

/// The exit code of what was done, and its fault told.
pub(super) fn end(asking: &Asking, done: Result<(), Fault>) -> ExitCode {
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Fault::Shown) => ExitCode::from(FAULTS),
        Err(fault) if asking.json => {
            terminal::say(&format!("{:#}\n", told(&fault)));
            ExitCode::from(FAULTS)
        }
        Err(fault) => terminal::refuse(&fault.to_string()),
    }
}

/// A fault, as a node tells one.
fn told(fault: &Fault) -> Value {
    match fault {
        Fault::Node(NodeError::Refused { status, error, help, report }) => {
            // An empty report is none.
            let report = (!report.is_empty()).then_some(report);
            json!({ "status": status, "error": error, "help": help, "report": report })
        }
        other => json!({ "error": other.to_string() }),
    }
}

impl Asking {
    /// Tells what a node said: as it is, or in words.
    pub(super) fn say(
        &self,
        said: &Value,
        words: impl FnOnce() -> Result<String, Fault>,
    ) -> Result<(), Fault> {
        let text = if self.json { format!("{said:#}\n") } else { words()? };
        terminal::say(&text);
        Ok(())
    }
}

/// `/functions/NAME` and then `rest`.
fn path(name: &str, rest: &str) -> String {
    format!("/functions/{}{rest}", segment(name))
}

/// What a node answers to a POST or DELETE, as JSON; null if it says nothing.
pub(super) fn ask(node: &Node, method: &str, path: &str) -> Result<Value, Fault> {
    json_of(node, &node.ask(method, path, Sent::default())?)
}

/// What a node answers to a GET.
pub(super) fn look(node: &Node, path: &str) -> Result<Value, Fault> {
    json_of(node, &node.get(path)?)
}

/// What is not understood of an answer.
pub(super) fn strange(error: &serde_json::Error) -> Fault {
    Fault::Told(format!("the node's answer is not understood: {error}"))
}

fn json_of(node: &Node, answered: &Answered) -> Result<Value, Fault> {
    if answered.body.is_empty() {
        return Ok(Value::Null);
    }
    Ok(answered.json(node)?)
}
