//! `moongate.yaml`: raw (as typed) ▸ checked.
//!
//! [`read`] takes the text and the files it names and returns a [`Config`] or every fault.

mod checked;

pub use checked::{
    AccessLog, Address, Admin, Attachment, Balance, BodyLimits, Budget, Config, HandlerSource,
    Handlers, HealthCheck, Limits, Listener, LogFormat, LogTarget, Lua, Match, MethodSet, Network,
    OnError, PathMatch, Peer, Retries, Route, Rules, Timeouts, TrustedProxies, Upstream,
    UpstreamChoice,
};

/// What the command line says against the file; empty fields say nothing.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// Listening addresses.
    pub listen: Vec<String>,
    /// What to protect.
    pub upstream: Option<String>,
    /// The admin address.
    pub admin: Option<String>,
    /// A folder of Lua modules.
    pub lua: Option<std::path::PathBuf>,
    /// Files and folders of rules.
    pub rules: Vec<std::path::PathBuf>,
    /// The event log.
    pub events: Option<std::path::PathBuf>,
    /// How many worker threads.
    pub workers: Option<usize>,
    /// The names of the modules that are built in.
    pub builtin_names: &'static [&'static str],
}
