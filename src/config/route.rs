//! One route: which requests it serves, and with what.

use std::sync::Arc;

use super::serving::Serving;
use super::{BodyLimits, Handlers, Rules, SocketSettings};

/// One route.
#[derive(Debug, Clone)]
pub struct Route {
    /// The label in metrics and logs: its `name:`, else its host and path as written.
    pub name: String,
    /// Which requests it serves. One whose name begins with `@` serves none of a client's: scripts go
    /// there by name.
    pub matches: Match,
    /// Whether it serves only what comes from within: subrequests and internal redirects.
    pub internal: bool,
    /// Where they go.
    pub upstream: UpstreamChoice,
    /// Its own handlers (without the global ones).
    pub handlers: Handlers,
    /// Its body limits.
    pub body: BodyLimits,
    /// Response MIME types whose bodies are shown to `body_filter` handlers; empty: all.
    pub body_filter_types: Vec<String>,
    /// The rule engine's settings for it, those of all routes included.
    pub rules: Rules,
    /// What it does by itself.
    pub serving: Serving,
    /// What its scripts find.
    pub lua: RouteLua,
}

impl Route {
    /// The path that lacks but the slash at its end of a prefix whose requests go on: clients are sent
    /// to the prefix.
    pub fn folder(&self) -> Option<&str> {
        let (PathMatch::Exact(path) | PathMatch::First(path) | PathMatch::Prefix(path)) =
            &self.matches.path
        else {
            return None;
        };
        self.serving.forward.as_ref()?;
        path.strip_suffix('/').filter(|folder| !folder.is_empty())
    }
}

/// What the scripts of a route find.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteLua {
    /// Whether the body is read before `rewrite` handlers run.
    pub needs_body: bool,
    /// Whether it is noticed that a client goes away (`ngx.on_abort`).
    pub watch_client: bool,
    /// Whether what scripts answer without a type gets the route's.
    pub use_default_type: bool,
    /// Whether `_` stands for `-` in names of `ngx.header`.
    pub underscores_to_dashes: bool,
    /// Whether an answer to HTTP/1.0 is held until its length is known.
    pub buffers_http10: bool,
    /// How their sockets behave unless they say otherwise.
    pub sockets: Arc<SocketSettings>,
}

impl Default for RouteLua {
    fn default() -> Self {
        Self {
            needs_body: false,
            watch_client: false,
            use_default_type: true,
            underscores_to_dashes: true,
            buffers_http10: true,
            sockets: Arc::default(),
        }
    }
}

/// Where a route's requests go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpstreamChoice {
    /// The declared upstream by its index in [`Config::upstreams`]; none only where there is no upstream at all.
    pub upstream: Option<usize>,
    /// Whether scripts may choose another declared upstream (`ngx.var.upstream = "name"`).
    pub by_name: bool,
    /// What scripts may compute besides the declared ones: `address:port`, `network:port`, `host:port`;
    /// port `*` is any. Empty: nothing.
    pub computed: Vec<String>,
}

/// Which requests a route serves.
#[derive(Debug, Clone, Default)]
pub struct Match {
    /// Lower-case host names without port; `*.name` is any name below; empty: any.
    pub hosts: Vec<String>,
    /// The path; compared with [`crate::transaction::Request::normalized_path`].
    pub path: PathMatch,
    /// Which methods.
    pub methods: MethodSet,
}

/// Which paths.
#[derive(Debug, Clone, Default)]
pub enum PathMatch {
    /// Any.
    #[default]
    Any,
    /// Just this one.
    Exact(String),
    /// All that begin with this, before any pattern is tried.
    First(String),
    /// All that begin with this.
    Prefix(String),
    /// All in which this is found.
    Regex(regex::bytes::Regex),
}

/// Which methods; empty: all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MethodSet(pub Vec<String>);
