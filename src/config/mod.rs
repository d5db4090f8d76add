//! `moongate.yaml`: raw (as typed) ▸ checked.
//!
//! [`read`] takes the text and the files it names and returns a [`Config`] or every fault.

mod balancing;
mod check;
mod checked;
mod defaults;
mod depth;
mod files;
mod glob;
mod marks;
mod mode;
mod owners;
mod place;
mod pools;
mod raw;
mod route;
mod rules;
mod secrets;
mod section;
pub mod serving;
mod settings;
mod sockets;
mod template;
mod tls;
mod tokens;
mod upstream;
mod values;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::diagnostic::{Diagnostic, Source};

pub use balancing::Balancing;
pub use checked::{
    AccessLog, Admin, Attachment, BodyLimits, Budget, Config, HandlerSource, Handlers, Limits,
    Listener, LoadTime, LogFormat, LogTarget, Lua, Network, OnError, Pages, TrustedProxies,
};
pub use files::{DiskFiles, Files};
pub use glob::{has_wildcard, matches};
pub use mode::{HandlerMode, Rollout};
pub use owners::{OPERATOR, Owner, Owners};
pub use place::{PathStep, key_span_within, place_of, span_within, steps};
pub use pools::{ThreadPool, ThreadPools};
pub use route::{Match, MethodSet, PathMatch, Route, RouteLua, UpstreamChoice};
pub use rules::{
    Engine, ExcludedRules, Exclusion, Named, OnExceeded, RuleBudget, RuleSource, RuleSourceKind,
    Rules, RulesShadow, Thresholds,
};
pub use secrets::{LONGEST_SECRET, REDACTED, Secret, Secrets};
pub use settings::settings_page;
pub use sockets::{NameServers, Resolver, SocketSettings};
pub use template::Template;
pub use tls::{Endpoint, KeyPair, Protocols, Tls, TlsFile, UpstreamTls, VerifyClient};
pub use tokens::{MOST_TOKENS, Role, Token, is_short_name, read_tokens, token_faults};
pub use upstream::{Address, Balance, HealthCheck, Peer, Retries, Timeouts, Upstream};
pub use values::{destination as is_destination, size, size_text, time, time_text};

/// What the command line says instead of the file. Paths are relative to the working folder.
#[derive(Debug, Clone)]
pub struct Overrides {
    /// `--listen`: instead of the file's addresses; empty: the file's.
    pub listen: Vec<String>,
    /// `--upstream`: the only peer of the first upstream, as `http://host:port` or `host:port`.
    pub upstream: Option<String>,
    /// `--admin`.
    pub admin: Option<String>,
    /// `--lua`: the folder with `modules/` and `lib/`, looked at before the file's.
    pub lua: Option<PathBuf>,
    /// `--rules`: besides the file's.
    pub rules: Vec<PathBuf>,
    /// `--events`.
    pub events: Option<PathBuf>,
    /// `--workers`; 0: one for each core.
    pub workers: Option<usize>,
    /// Whether the file is an nginx configuration.
    pub nginx: bool,
    /// The text of a module that is built in.
    pub builtin: fn(&str) -> Option<&'static str>,
    /// The names of the modules that are built in, to propose one.
    pub builtin_names: &'static [&'static str],
}

impl Default for Overrides {
    fn default() -> Self {
        Self {
            listen: Vec::new(),
            upstream: None,
            admin: None,
            lua: None,
            rules: Vec::new(),
            events: None,
            workers: None,
            nginx: false,
            builtin: |_| None,
            builtin_names: &[],
        }
    }
}

/// Reads the settings: every fault and warning in the order of the text, and the settings if there
/// is no fault. `root` is the folder of relative paths: the file's own. An empty text is a file
/// without settings.
pub fn read(
    source: &Arc<Source>,
    root: &Path,
    overrides: &Overrides,
    files: &dyn Files,
) -> (Option<Config>, Vec<Diagnostic>) {
    let (config, found) = read_with_faults(source, root, overrides, files);
    let sound = !found.iter().any(Diagnostic::is_error);
    (config.filter(|_| sound), found)
}

/// As [`read`], but gives the settings also where they are at fault, as far as they could be read:
/// to find the faults of the scripts that they name as well. Such settings must never serve.
pub fn read_with_faults(
    source: &Arc<Source>,
    root: &Path,
    overrides: &Overrides,
    files: &dyn Files,
) -> (Option<Config>, Vec<Diagnostic>) {
    let check = check::Check::new(source, root, overrides, files);
    match raw::parse(source) {
        Ok(tree) => {
            let config = check.config(&tree);
            (config, check.into_found())
        }
        Err(fault) => (None, vec![fault]),
    }
}
