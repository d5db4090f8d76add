//! What a route does by itself, without a script: steps, files, where requests go on to.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ipnet::IpNet;
use regex::bytes::Regex;

use super::{Template, Tls};

/// A set of routes for some names or addresses. Within it the best match serves: an exact path, else
/// the longest prefix, unless a pattern matches that such a prefix does not keep from being asked.
#[derive(Debug, Clone)]
pub struct Site {
    /// Where its clients connect; empty: wherever.
    pub listen: Vec<SocketAddr>,
    /// The Unix sockets on which they do.
    pub listen_paths: Vec<Arc<str>>,
    /// How it speaks TLS; none: as the addresses do.
    pub tls: Option<Arc<Tls>>,
    /// Whether it serves what no site of its addresses names.
    pub default: bool,
    /// The hosts it serves.
    pub names: Vec<SiteName>,
    /// Its routes by their index in [`super::Config::routes`], without those inside of others.
    pub routes: Vec<usize>,
    /// The route of what none of these serves, whose steps run before one is looked for.
    pub own: usize,
}

/// A host that a site serves.
#[derive(Debug, Clone)]
pub enum SiteName {
    /// `*.shop.example`: every name below; the name without its star, dot included.
    Below(String),
    /// This one.
    Exact(String),
    /// `www.shop.*`: whatever comes after; the name without its star, dot included.
    From(String),
    /// All in which this is found.
    Pattern(Regex),
}

/// What a route does by itself.
#[derive(Debug, Clone, Default)]
pub struct Serving {
    /// What is done before `rewrite` handlers run.
    pub steps: Vec<RewriteStep>,
    /// The first that names the client decides.
    pub admission: Vec<Admit>,
    /// Whether either [`Serving::admission`] or the `access` handlers are enough.
    pub either_admits: bool,
    /// The route that is asked whether a request is admitted.
    pub ask: Option<Ask>,
    /// The folder that `$document_root` names.
    pub root: Option<Arc<str>>,
    /// The files that answer, if files do.
    pub files: Option<Files>,
    /// What the upstream gets.
    pub forward: Option<Forward>,
    /// What `Server` says; none: there is no such field, and fields stand as they come.
    pub server: Option<Bytes>,
    /// The type of what says none itself.
    pub default_type: Option<Bytes>,
    /// How long a connection may wait after it; none: as elsewhere.
    pub idle_time: Option<Duration>,
    /// Requests on a connection with which it ends at the latest.
    pub requests_per_connection: Option<u64>,
    /// Which `If-Modified-Since` an answer is not newer than.
    pub if_modified_since: ModifiedSince,
    /// What answers instead of a status.
    pub error_pages: Vec<ErrorPage>,
    /// Changes of the response's head.
    pub response_headers: Vec<HeaderRule>,
    /// The routes inside of it.
    pub routes: Vec<usize>,
}

/// Which `If-Modified-Since` an answer is not newer than.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ModifiedSince {
    /// That of the same time or a later one.
    Before,
    /// That of the same time.
    #[default]
    Exact,
    /// None: it is as if the client had not asked.
    Off,
}

impl Serving {
    /// How many scripts its steps call.
    pub fn scripts(&self) -> usize {
        scripts(&self.steps)
    }
}

fn scripts(steps: &[RewriteStep]) -> usize {
    let count = |step: &RewriteStep| match step {
        RewriteStep::Script { .. } => 1,
        RewriteStep::If(_, then) => scripts(then),
        _ => 0,
    };
    steps.iter().map(count).sum()
}

/// One step.
#[derive(Debug, Clone)]
pub enum RewriteStep {
    /// No further steps.
    Break,
    /// The exchange goes on by the settings of the route of this name.
    Enter(String),
    /// Steps under a condition.
    If(Test, Vec<RewriteStep>),
    /// An answer.
    Return {
        /// Its status.
        status: u16,
        /// Its body.
        text: Option<Template>,
        /// Where it sends the client.
        to: Option<Template>,
    },
    /// Another path, where the pattern is found.
    Rewrite {
        /// What is looked for in the path.
        pattern: Regex,
        /// The new path, perhaps with a query; with a scheme: where the client is sent.
        to: Template,
        /// What comes then.
        then: AfterRewrite,
    },
    /// A variable by a script: one of the route's `set` handlers, by its place among them.
    Script {
        /// Its place.
        handler: usize,
        /// `ngx.arg`.
        arguments: Vec<Template>,
    },
    /// A variable.
    Set(String, Template),
}

/// What comes after a path was rewritten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterRewrite {
    /// No further steps.
    Break,
    /// The next step.
    Continue,
    /// The best route for the new path.
    Last,
    /// The client is sent there, with 301.
    Permanent,
    /// The client is sent there, with 302.
    Redirect,
}

/// A condition.
#[derive(Debug, Clone)]
pub enum Test {
    /// The value is not this.
    Differs(Template, Template),
    /// The value is this.
    Equals(Template, Template),
    /// The pattern is not found in the value.
    Lacks(Template, Regex),
    /// The pattern is found in the value.
    Matches(Template, Regex),
    /// What the path names is such a thing (or, with `false`, is not).
    Path(Template, PathKind, bool),
    /// The value is neither empty nor `0`.
    Value(Template),
}

/// What a path names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathKind {
    /// Anything.
    Any,
    /// Something that can be run.
    Executable,
    /// A file.
    File,
    /// A folder.
    Folder,
}

/// Who is admitted, or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Admit {
    /// Whom; none: everybody.
    pub network: Option<IpNet>,
    /// Whether they are.
    pub allowed: bool,
}

/// A route that is asked whether a request is admitted.
#[derive(Debug, Clone)]
pub struct Ask {
    /// The path that it serves.
    pub path: Template,
    /// Variables, and what they are after it was asked.
    pub set: Vec<(String, Template)>,
}

/// Where files are.
#[derive(Debug, Clone, Default)]
pub struct Files {
    /// The folder.
    pub root: Template,
    /// The beginning of the path that stands for the folder, and is no part of a file's path.
    pub strip: Option<String>,
    /// What answers for a folder, the first that is there.
    pub index: Vec<Template>,
    /// Paths that are tried first; the last is where to go if none is there.
    pub tried: Vec<Template>,
    /// Types by a name's ending, in lower case.
    pub types: Option<BTreeMap<String, String>>,
    /// Whether answers have an entity tag.
    pub etag: bool,
}

/// What an upstream gets.
#[derive(Debug, Clone, Default)]
pub struct Forward {
    /// The whole address, with variables: `http://$backend/path`.
    pub url: Option<Template>,
    /// What `Host` says, and `$proxy_host`.
    pub authority: Option<String>,
    /// The address of ours from which the upstream is asked.
    pub bind: Option<Template>,
    /// The beginning of the path, and what takes its place.
    pub replace: Option<(String, String)>,
    /// Fields besides the client's, or in their stead; an empty value leaves one out.
    pub headers: Vec<(String, Template)>,
    /// Another method.
    pub method: Option<Template>,
    /// Whether the client's fields are passed on.
    pub client_headers: bool,
    /// Whether the body is passed on.
    pub body: bool,
    /// Whether error pages take the place of what it answers.
    pub own_error_pages: bool,
    /// Whether it is spoken to in HTTP/1.0.
    pub http10: bool,
}

/// What answers instead of a status.
#[derive(Debug, Clone)]
pub struct ErrorPage {
    /// The statuses.
    pub statuses: Vec<u16>,
    /// A path, the name of a route, or another address.
    pub to: Template,
    /// The status of the answer; 0: that of the page; none: as it was.
    pub answer: Option<u16>,
}

/// A change of a response's head.
#[derive(Debug, Clone)]
pub enum HeaderRule {
    /// One more field; `true`: whatever the status.
    Add(String, Template, bool),
    /// None of this name; `*` at its end stands for anything.
    Clear(String),
    /// Just this one.
    Set(String, Template),
}
