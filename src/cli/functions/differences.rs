//! `moongate functions differences`: what a version that is tried would have done otherwise.

use clap::Args;

use super::super::differing;
use super::{Asking, Fault, look, path, strange};

/// Tell what the version that is tried would have done otherwise
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The function
    #[arg(value_name = "NAME")]
    name: String,
    /// How many are shown, 100 at the most
    #[arg(long, value_name = "COUNT", default_value_t = 20)]
    limit: u32,
    #[command(flatten)]
    pub(super) asking: Asking,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Fault> {
    let node = arguments.asking.place.node()?;
    let rest = format!("/differences?limit={}", arguments.limit);
    let said = look(&node, &path(&arguments.name, &rest))?;
    arguments.asking.say(&said, || {
        let told = differing::read(&said).map_err(|error| strange(&error))?;
        Ok(told.text())
    })
}
