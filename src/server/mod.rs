//! Sockets in: listeners, the guard before the parser, workers, reload, signals.

mod admin;
mod admission;
mod aside;
mod control;
mod descriptors;
mod functions;
mod guard;
mod handshake;
mod listen;
mod proxy_protocol;
mod reload;
mod start;
mod tend;
mod trial;
mod watch;
mod worker;

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::config::Overrides;
use crate::diagnostic::Diagnostic;

pub use start::run;

/// What is called once the appliance serves.
pub type OnReady = Box<dyn FnOnce(&Bound) + Send>;

/// What `moongate run` was told.
#[derive(Default)]
pub struct Options {
    /// The settings file; none: the command line alone.
    pub config_path: Option<PathBuf>,
    /// Flags that override it.
    pub overrides: Overrides,
    /// Called once, when every listener is open and every worker serves.
    pub on_ready: Option<OnReady>,
}

/// The addresses in use (port 0 is replaced by the kernel's choice).
#[derive(Debug, Clone)]
pub struct Bound {
    /// For clients, in the order declared.
    pub listeners: Vec<SocketAddr>,
    /// For operators.
    pub admin: SocketAddr,
}

/// Why the appliance does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// What the operator wrote is at fault, and no last good policy was kept.
    #[error("not started: {}", count(.0))]
    Faults(Vec<Diagnostic>),
    /// A Unix socket cannot be listened on.
    #[error("cannot listen on unix:{path}: {source}")]
    ListenPath {
        /// Its path.
        path: String,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {source}\n  = help: {}", listen::advice(source))]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// The system refuses threads, timers or signals.
    #[error("the system refused a thread, a timer or a signal handler: {0}")]
    System(#[from] std::io::Error),
}

/// How many faults there are, in words.
fn count(faults: &[Diagnostic]) -> String {
    match faults.iter().filter(|fault| fault.is_error()).count() {
        1 => "1 fault".to_owned(),
        many => format!("{many} faults"),
    }
}
