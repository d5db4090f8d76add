//! (to come)

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::config::Overrides;

/// What to run.
pub struct Options {
    /// The file, if there is one.
    pub config_path: Option<PathBuf>,
    /// What the command line says against it.
    pub overrides: Overrides,
    /// Called once, when every address listens.
    pub on_ready: Option<Box<dyn FnOnce(&Bound) + Send>>,
}

/// Where we listen.
pub struct Bound {
    /// For clients.
    pub listen: Vec<SocketAddr>,
    /// For operators.
    pub admin: SocketAddr,
}

/// Why the server did not start.
#[derive(Debug, thiserror::Error)]
#[error("the server is to come")]
pub struct StartError;

/// Serves until it is told to stop.
pub fn run(_options: Options) -> Result<(), StartError> {
    Err(StartError)
}
