//! `moongate tokens remove`.

use clap::Args;

use super::file::Fault;
use super::{Place, terminal};
use crate::diagnostic::nearest;

/// Remove a token: a node knows it no more from the next request on
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Its name
    name: String,
    #[command(flatten)]
    place: Place,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Fault> {
    let mut file = arguments.place.open()?;
    let name = &arguments.name;
    let Some(index) = file.tokens.iter().position(|token| token.name == *name) else {
        let near = nearest(name, file.tokens.iter().map(|token| token.name.as_str()));
        let help = near.map_or_else(
            || "`moongate tokens list` shows what there is".to_owned(),
            |near| format!("did you mean `{near}`?"),
        );
        return Err(Fault::told(format!("there is no token `{name}`\n  = help: {help}")));
    };
    file.tokens.remove(index);
    file.save()?;
    terminal::tell(&format!("moongate: `{name}` is removed from {}\n", file.path().display()));
    Ok(())
}
