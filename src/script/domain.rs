//! An isolation domain: what one Lua state may know and cost, the same on every worker.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use super::pool::Pools;
pub use crate::config::OPERATOR;
use crate::config::{Network, Secrets};
use crate::shared::{Dictionaries, Tables};

/// An isolation domain. Two domains with the same digest are the same: their states live on when
/// a policy is swapped.
#[derive(Debug, Clone)]
pub struct DomainSpec {
    /// The module's name, the operator's own name for it, or `main` (all `*_by_lua_*` chunks).
    pub name: String,
    /// Who owns its scripts: [`OPERATOR`], or a short name.
    pub owner: Arc<str>,
    /// SHA-256 in hex over everything below that changes what a script sees.
    pub digest: String,
    /// Bytes that a state may allocate.
    pub memory: usize,
    /// What `require` finds.
    pub library: Arc<Library>,
    /// Files that settings of its modules name (lists, key sets), by the path as written.
    pub files: Arc<BTreeMap<String, Bytes>>,
    /// What `ngx.shared` holds.
    pub dictionaries: Arc<Dictionaries>,
    /// What `waf.collection` finds, as far as it is granted to the owner.
    pub tables: Arc<Tables>,
    /// Which of them scripts may ask for; none: all that their owner is granted.
    pub collections: Option<Arc<[String]>>,
    /// What `waf.secret` finds.
    pub secrets: SecretsFor,
    /// Whether they may only be read.
    pub reads_only: bool,
    /// What scripts may connect to.
    pub network: Network,
    /// What scripts may send requests to within the node, as beginnings of paths; none: everything.
    pub routes: Option<Arc<[String]>>,
    /// Variables that scripts may write besides those that are built in; none: all.
    pub variables: Option<Arc<[String]>>,
    /// What `ngx.config.prefix` says.
    pub prefix: Option<Arc<str>>,
    /// What `os.getenv` shows if it is `open`: `NAME`, or `NAME=value`.
    pub env: Arc<[String]>,
    /// Steps that one search of a regex may take where it has to backtrack.
    pub regex_steps: usize,
    /// Where scripts have things computed aside.
    pub pools: Arc<Pools>,
    /// Timers that may be pending at once, for each state.
    pub max_timers: usize,
    /// Timers that may run at once, for each state.
    pub max_running_timers: usize,
    /// How many workers there are (`ngx.worker.count`).
    pub workers: usize,
    /// Whether it is somebody's function: the rules that judge an exchange, and its upstream, are not
    /// its to choose.
    pub guest: bool,
    /// Whether scripts are the operator's own (`loadstring` is given only to those).
    pub trusted: bool,
    /// Whether they are not confined: one table of globals for all calls, built-in tables that may
    /// be changed, files and programs. Only if `trusted`.
    pub open: bool,
}

/// The secrets that a domain may read, and those that no text of it shows.
#[derive(Debug, Clone, Default)]
pub struct SecretsFor {
    /// All there are.
    pub kept: Arc<Secrets>,
    /// Which of them scripts may ask for; none: all that their owner is granted.
    pub declared: Option<Arc<[String]>>,
}

impl SecretsFor {
    /// Whether both are the same values, with the same grants.
    pub fn are_those_of(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.kept, &other.kept) || self.kept == other.kept
    }

    /// Whether scripts may ask for that one.
    pub fn declares(&self, name: &str) -> bool {
        self.declared.as_ref().is_none_or(|all| all.iter().any(|one| one == name))
    }
}

/// Which worker a state belongs to, from 0; kept as the state's application data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WorkerIndex(pub usize);

/// The Lua files that `require` finds.
#[derive(Debug, Default)]
pub struct Library {
    /// Where to look, in order; `?` stands for the name with dots as slashes.
    pub patterns: Vec<String>,
    /// Path (a pattern with the name put in) to text.
    pub files: BTreeMap<String, Arc<str>>,
}
