//! An isolation domain: what one Lua state may know and cost, the same on every worker.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use crate::config::Network;
use crate::shared::{Dictionaries, Tables};

/// The owner of all scripts of the configuration.
pub const OPERATOR: &str = "operator";

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
    /// Timers that may be pending at once, for each state.
    pub max_timers: usize,
    /// How many workers there are (`ngx.worker.count`).
    pub workers: usize,
    /// Whether it is somebody's function: the rules that judge an exchange, and its upstream, are not
    /// its to choose.
    pub guest: bool,
    /// Whether scripts are the operator's own (`loadstring` is given only to those).
    pub trusted: bool,
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
