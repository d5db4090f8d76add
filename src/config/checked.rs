//! The settings after their check: nothing downstream checks them again.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;

use super::serving::Site;
use super::{
    Endpoint, HandlerMode, Owners, Rollout, Route, Rules, Secrets, SocketSettings, Template,
    ThreadPools, Tls, Upstream,
};
use crate::diagnostic::{Source, Span};
use crate::transaction::Phase;

/// All that `moongate run` needs to know.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where clients connect.
    pub listen: Vec<Listener>,
    /// The paths of Unix sockets on which clients connect.
    pub listen_paths: Vec<Arc<str>>,
    /// The listening addresses that speak TLS.
    pub tls: Vec<(Endpoint, Arc<Tls>)>,
    /// Where operators and Prometheus connect.
    pub admin: Admin,
    /// How many worker threads; at least 1.
    pub workers: usize,
    /// Whose word on the client's address is taken.
    pub trusted_proxies: TrustedProxies,
    /// What one client and one request may cost.
    pub limits: Limits,
    /// Where requests go, by name; the first is the default. At least one, unless every route answers by itself.
    pub upstreams: Vec<Upstream>,
    /// What scripts find.
    pub lua: Lua,
    /// What owners of scripts may have.
    pub owners: Arc<Owners>,
    /// What scripts may read by name.
    pub secrets: Arc<Secrets>,
    /// The rule engine's settings where a route does not say otherwise.
    pub rules: Rules,
    /// One JSON line for each exchange that was refused or failed, or matched a rule.
    pub events: Option<PathBuf>,
    /// Access logs; empty: none.
    pub access_log: Vec<AccessLog>,
    /// Handlers of every route, before the route's own.
    pub handlers: Handlers,
    /// In the order written; the first that matches serves, unless there are sites.
    pub routes: Vec<Route>,
    /// Sites, whose best route serves; their routes are among [`Config::routes`]. Empty: none.
    pub sites: Vec<Site>,
    /// How a status without a body of its own is shown.
    pub pages: Pages,
    /// The folder against which relative paths are taken (the file's own, or the working folder).
    pub root: PathBuf,
    /// Where the last good bundle and spooled bodies are kept.
    pub state_dir: Option<PathBuf>,
    /// The folder in which spooled bodies have names; none: they have none.
    pub body_files: Option<PathBuf>,
    /// How a change of the files comes in force; none: for everybody at once.
    pub rollout: Option<Rollout>,
    /// Whether files are watched for changes.
    pub watch: bool,
    /// How long requests in flight may take to end when the process is told to stop.
    pub grace: Duration,
}

/// A listening address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// Address and port; port 0 lets the kernel choose (tests).
    pub address: SocketAddr,
    /// Whether every connection begins with a PROXY protocol header (version 1 or 2).
    pub proxy_protocol: bool,
}

/// The admin address. Its `Debug` form keeps the token to itself.
#[derive(Clone)]
pub struct Admin {
    /// Loopback unless a token is set.
    pub address: SocketAddr,
    /// What `Authorization: Bearer …` must say; required where the address is not loopback and
    /// there is no token file.
    pub token: Option<String>,
    /// The token file that was named; it is read as often as it changes.
    pub tokens: Option<PathBuf>,
}

/// Whose word on the client's address is taken.
#[derive(Debug, Clone, Default)]
pub struct TrustedProxies {
    /// From these, `X-Forwarded-For` is believed, from right to left past every trusted address.
    pub networks: Vec<IpNet>,
}

/// What one client and one request may cost.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Connections at once, in all.
    pub connections: usize,
    /// Connections at once of one client address.
    pub connections_per_client: usize,
    /// Bytes of a request head.
    pub head_bytes: usize,
    /// Fields in a request head; at most 1000.
    pub headers: usize,
    /// Whether lines of a head may end without a carriage return.
    pub bare_line_feeds: bool,
    /// Bytes of the request target.
    pub target_bytes: usize,
    /// From the first byte of a head to its last.
    pub head_time: Duration,
    /// How long the handshake of a connection with TLS may take, its scripts included.
    pub handshake_time: Duration,
    /// How long a connection may wait for its next request.
    pub idle_time: Duration,
    /// How long a whole request body may take.
    pub body_time: Duration,
    /// How long a client may take to read what was written to it, for each write.
    pub write_time: Duration,
    /// Requests on one connection.
    pub requests_per_connection: u32,
    /// Bodies of every route that does not say otherwise.
    pub body: BodyLimits,
}

/// How large bodies may be, and how slow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BodyLimits {
    /// Bytes held in memory; what is longer is spooled to disk.
    pub memory: usize,
    /// Bytes in all; what is longer is refused with 413.
    pub total: u64,
    /// Bytes of a response held for a handler that asks for the whole of it.
    pub response: usize,
    /// How long a client may pause while it sends one.
    pub pause: Duration,
}

/// What scripts find.
#[derive(Debug, Clone)]
pub struct Lua {
    /// Where `require` looks: `?` stands for the module's name. Absolute or relative to the root.
    pub path: Vec<String>,
    /// Where modules are looked for before those that are built in.
    pub modules: Vec<PathBuf>,
    /// The default budget of a call.
    pub budget: Budget,
    /// Shared dictionaries by name, with their capacity in bytes.
    pub shared_dict: BTreeMap<String, usize>,
    /// What scripts may connect to.
    pub network: Network,
    /// Timers that may be pending at once, for each state.
    pub max_timers: usize,
    /// The client's status where a script failed and the handler refuses on error.
    pub error_status: u16,
    /// When scripts are compiled.
    pub load: LoadTime,
    /// Variables that scripts may write besides those that are built in; none: all.
    pub variables: Option<Vec<String>>,
    /// What `ngx.config.prefix` says.
    pub prefix: Option<String>,
    /// Whether what was compiled is kept from one request to the next.
    pub code_cache: bool,
    /// Variables of the environment that scripts which are not confined see: `NAME`, or `NAME=value`.
    pub env: Vec<String>,
    /// Steps that one search of a regex may take where it has to backtrack.
    pub regex_steps: usize,
    /// Exchanges of a worker after which it gives free memory back to the system; 0: by itself.
    pub trim_after: u32,
    /// Whether the operator's own scripts have globals of their own for each call, and reach neither
    /// files nor programs.
    pub confined: bool,
    /// Timers that may run at once, for each state.
    pub max_running_timers: usize,
    /// Where scripts have things computed aside.
    pub thread_pools: ThreadPools,
}

/// When scripts are compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoadTime {
    /// Before the policy is in force: what does not compile refuses it.
    AtOnce,
    /// When they are first called: what does not compile fails that call.
    WhenNeeded,
}

/// How a status without a body of its own is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pages {
    /// As a short page for browsers.
    Html,
    /// As two lines of text, with the id of the request.
    Plain,
}

/// What a call may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// CPU time of one call, waiting not counted.
    pub cpu: Duration,
    /// Bytes of the state in which it runs.
    pub memory: usize,
    /// Wall time that one call may spend waiting.
    pub wait: Duration,
    /// Connections that one call may open.
    pub connections: u32,
}

/// What scripts may connect to. Nothing, unless it is named.
#[derive(Debug, Clone, Default)]
pub struct Network {
    /// `host:port`, `address:port`, `network:port`, `*.domain:port`, `unix:/path`; host and port `*`
    /// are any.
    pub allow: Vec<String>,
    /// How their sockets behave unless they say otherwise.
    pub sockets: Arc<SocketSettings>,
}

/// What to do when a handler fails or its budget is spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OnError {
    /// Go on as if the handler were not there.
    Pass,
    /// Answer with [`Lua::error_status`].
    Refuse,
}

/// The handlers of every phase, in the order in which they run.
#[derive(Debug, Clone, Default)]
pub struct Handlers {
    /// By [`Phase::index`].
    phases: [Vec<Attachment>; Phase::PLACES],
    /// Modules attached with `modules:`: each runs in every phase for which it has a handler,
    /// before the handlers of that phase's own key.
    pub whole: Vec<Attachment>,
}

/// One handler as attached to a phase.
#[derive(Debug, Clone)]
pub struct Attachment {
    /// What runs.
    pub source: HandlerSource,
    /// How far it counts.
    pub mode: HandlerMode,
    /// What to do when it fails.
    pub on_error: OnError,
    /// Its own budget.
    pub budget: Budget,
    /// The isolation domain, if the operator named one.
    pub domain: Option<String>,
    /// Whose script it is, if not the operator's.
    pub owner: Option<String>,
}

/// What runs.
#[derive(Debug, Clone)]
pub enum HandlerSource {
    /// `*_by_lua_block` and `*_by_lua_file`: a chunk of OpenResty's kind.
    Chunk {
        /// Path or place; shown in tracebacks as `name:line`.
        name: String,
        /// The script.
        text: Arc<str>,
        /// Lines to add to the script's own to get the file's (a block inside the YAML file).
        line_offset: usize,
        /// `set_by_lua_*`: the variable that gets the result.
        variable: Option<String>,
    },
    /// A chunk of OpenResty's kind in a file that is read when it is first called.
    File {
        /// As written; shown where it cannot be read.
        name: String,
        /// Its path.
        path: Template,
        /// Against which it is taken where it is relative.
        folder: PathBuf,
        /// `set_by_lua_*`: the variable that gets the result.
        variable: Option<String>,
    },
    /// A module's handler for this phase.
    Module {
        /// As written after `module:`.
        name: String,
        /// Its text.
        text: Arc<str>,
        /// Where the text is from: a path, or `built-in:NAME`.
        origin: String,
        /// `with:`, as data.
        settings: serde_json::Value,
        /// Where `with:` (or, without one, the module's name) stands, for faults that the module's schema finds.
        place: (Arc<Source>, Span),
    },
    /// A script that rules call: a file with a function `main`.
    RuleScript {
        /// Its path; shown in tracebacks as `path:line`.
        path: String,
        /// Its text.
        text: Arc<str>,
    },
}

/// One access log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessLog {
    /// How a line looks.
    pub format: LogFormat,
    /// Where lines go.
    pub target: LogTarget,
    /// Lines that may wait to be written; what is more is dropped and counted.
    pub queue: usize,
}

/// How an access log line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// Apache's and nginx's `combined`.
    Combined,
    /// One JSON object.
    #[default]
    Json,
}

/// Where access log lines go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogTarget {
    /// A file, opened again on SIGUSR1.
    File(PathBuf),
    /// POSTed as newline-separated lines.
    Http {
        /// `http://host:port/path`.
        url: String,
        /// Lines in one request at the most.
        batch: usize,
        /// How long a line may wait for others.
        every: Duration,
    },
    /// Standard output.
    Stdout,
    /// RFC 5424 in datagrams.
    SyslogUdp(String),
    /// RFC 5424 with octet counts (RFC 6587).
    SyslogTcp(String),
    /// RFC 5424 to a unix datagram socket.
    SyslogUnix(PathBuf),
}

impl std::fmt::Debug for Admin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let token = self.token.as_ref().map(|_| "…");
        f.debug_struct("Admin")
            .field("address", &self.address)
            .field("token", &token)
            .field("tokens", &self.tokens)
            .finish()
    }
}

impl Config {
    /// The folder of what must outlive a restart: `state_dir`, else `.moongate` beside the settings.
    pub fn state_folder(&self) -> PathBuf {
        self.state_dir.clone().unwrap_or_else(|| self.root.join(".moongate"))
    }

    /// The token file: the one that is named, else the one in the state folder, if it is there.
    pub fn token_file(&self) -> PathBuf {
        let usual = || self.state_folder().join("tokens.yaml");
        self.admin.tokens.clone().unwrap_or_else(usual)
    }
}

impl Handlers {
    /// Those of one phase, in order. A timer has none.
    pub fn of(&self, phase: Phase) -> &[Attachment] {
        self.phases.get(phase.index()).map_or(&[], Vec::as_slice)
    }

    /// One more, after the others of its phase.
    pub fn push(&mut self, phase: Phase, attachment: Attachment) {
        if let Some(handlers) = self.phases.get_mut(phase.index()) {
            handlers.push(attachment);
        }
    }

    /// Whether there is none in any phase.
    pub fn is_empty(&self) -> bool {
        self.whole.is_empty() && self.phases.iter().all(Vec::is_empty)
    }
}
