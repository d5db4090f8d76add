//! `moongate rules differences`: what a rule set that judges without effect would have done.

use std::process::ExitCode;

use clap::Args;

use super::super::differing;
use super::super::functions::{Asking, Fault, end, look, strange};
use super::super::node::segment;

/// Tell what the rules under `rules.shadow` of a running node would have done otherwise
#[derive(Debug, Args)]
pub(super) struct Arguments {
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
    end(&arguments.asking, tell(arguments))
}

fn tell(arguments: &Arguments) -> Result<(), Fault> {
    let node = arguments.asking.place.node()?;
    let route = arguments.route.as_deref().map(|route| format!("&route={}", segment(route)));
    let (limit, route) = (arguments.limit, route.unwrap_or_default());
    let said = look(&node, &format!("/rules/differences?limit={limit}{route}"))?;
    arguments.asking.say(&said, || {
        let told = differing::read(&said).map_err(|error| strange(&error))?;
        Ok(told.text())
    })
}
