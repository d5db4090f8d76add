//! `moongate modules`: the operator's modules on a running node.

mod status;

use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::differing;
use super::functions::{Asking, Fault, end, look, strange};
use super::node::segment;

const EXAMPLES: &str = "\
Examples:
  moongate modules status                      which version runs where, how far it counts, who holds it
  moongate modules differences ip_admission      what it would have done where it runs without effect

How far a module counts is said beside it in moongate.yaml, for each route:
  access:
    - { module: ip_admission, mode: shadow }     off | shadow | sample 5% | enforce

Exit codes: 0 done, 1 refused, 2 usage";

/// Tell which modules a running node has, where, and what those without effect would have done
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Status(status::Arguments),
    Differences(Differences),
}

/// Tell what a module would have done where it runs without effect
#[derive(Debug, Args)]
struct Differences {
    /// The module
    #[arg(value_name = "NAME")]
    name: String,
    /// Only on this route
    #[arg(long, value_name = "ROUTE")]
    route: Option<String>,
    /// How many are shown, 100 at the most
    #[arg(long, value_name = "COUNT", default_value_t = 20)]
    limit: u32,
    #[command(flatten)]
    asking: Asking,
}

pub(super) fn run(arguments: &Arguments) -> ExitCode {
    match &arguments.command {
        Command::Status(arguments) => end(&arguments.asking, status::run(arguments)),
        Command::Differences(arguments) => end(&arguments.asking, differences(arguments)),
    }
}

fn differences(arguments: &Differences) -> Result<(), Fault> {
    let node = arguments.asking.place.node()?;
    let route = arguments.route.as_deref().map(|route| format!("&route={}", segment(route)));
    let (name, limit) = (segment(&arguments.name), arguments.limit);
    let route = route.unwrap_or_default();
    let said = look(&node, &format!("/modules/{name}/differences?limit={limit}{route}"))?;
    arguments.asking.say(&said, || {
        let told = differing::read(&said).map_err(|error| strange(&error))?;
        Ok(told.text())
    })
}
