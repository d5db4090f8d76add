//! One exchange as rules and scripts see it: plain values, no I/O.

pub mod args;
pub mod encoding;
mod body;
mod findings;
mod headers;
mod hello;
mod id;
mod peer;
mod phase;
mod request;
mod response;
mod secured;
mod turn;
mod variables;

use std::cell::OnceCell;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;

use crate::memory::Seldom;

pub use body::Body;
pub use findings::{BudgetPart, Cost, Exceeded, Findings, Match, RulePhase, Scores, Severity};
pub use headers::{Header, Headers, Place, Places};
pub use hello::{ClientHello, LONGEST_HELLO, is_grease};
pub use id::Id;
pub use peer::PeerAddress;
pub use phase::{Phase, PhaseSet};
pub use request::{Request, Version, encode_path};
pub use response::{Manner, Reply, Response, reason};
pub use secured::Secured;
pub use turn::{Kept, PeerFailure, Times, Turn};
pub use variables::Variables;

/// Everything that is known of one exchange: the request as received and as changed by scripts,
/// the response, and what became of it.
#[derive(Debug)]
pub struct Transaction {
    /// 32 lower-case hex digits, unique; `ngx.var.request_id`, and the id in logs and events.
    pub id: Id,
    /// When the first byte of the request head was there (monotonic; for durations).
    pub started: Instant,
    /// See [`Transaction::started_at`].
    started_at: OnceCell<SystemTime>,
    /// Who asks.
    pub client: Client,
    /// What is asked for. Scripts change it in place; the upstream gets it as it is at the end.
    pub request: Box<Request>,
    /// The request's body, as far as it was read.
    pub body: Body,
    /// What scripts stage for the client before there is a response: `ngx.status`, `ngx.header`,
    /// `ngx.say`. It becomes the response if a handler ends the phase.
    pub reply: Reply,
    /// How its route wants that to be treated.
    pub manner: Manner,
    /// The response head as it will be sent; none before there is one.
    pub response: Option<Response>,
    /// Whether it goes a way of the node's own: a subrequest, or after an internal redirect.
    pub internal: bool,
    /// Whether a script made it, for another request.
    pub is_subrequest: bool,
    /// Whether whoever made it wants pages for statuses too, as a client gets them.
    pub wants_pages: bool,
    /// What nginx would be doing for it, as its log tells it: `sending to client`.
    pub doing: Option<&'static str>,
    /// Variables that `set` handlers and scripts made.
    pub variables: Variables,
    /// The label of the route that serves it: bounded, from the policy.
    pub route: Option<Arc<str>>,
    /// The name of the site that serves it.
    pub site: Option<Arc<str>>,
    /// The folder of the route's files, where it has one.
    pub root: Option<Arc<str>>,
    /// What the groups of the last pattern found, from the whole on: `$1`, `$2`, …
    pub captures: Vec<Option<Bytes>>,
    /// Where it is to go and what came of it.
    pub upstream: Seldom<Upstream>,
    /// What the rule engine found, once it is through; none: no rule looked.
    pub findings: Option<Box<Findings>>,
    /// How it ended, for telemetry.
    pub outcome: Outcome,
}

/// Who asks, and over what.
#[derive(Debug, Clone)]
pub struct Client {
    /// The real address: the socket's, or what a trusted proxy says.
    pub address: IpAddr,
    /// The port that goes with it; 0 where a trusted proxy did not say.
    pub port: u16,
    /// The other end of the socket.
    pub socket: SocketAddr,
    /// Our end of the socket.
    pub server: SocketAddr,
    /// What we listen on: [`Client::server`], or the same port of `0.0.0.0`.
    pub listener: SocketAddr,
    /// A serial number of the connection in this process.
    pub connection: u64,
    /// Which request on the connection this is, from 1.
    pub connection_requests: u64,
    /// What the TLS handshake came to; none: the client speaks no TLS to us.
    pub tls: Option<Arc<Secured>>,
    /// The path of the Unix socket by which it came; its addresses are then this machine's.
    pub path: Option<Arc<str>>,
}

impl Client {
    /// Both ends of its connection, as nginx writes them: `10.0.0.1` and `0.0.0.0:443`, or `unix:` and
    /// the path.
    pub fn ends(&self) -> (String, String) {
        match &self.path {
            Some(path) => ("unix:".to_owned(), format!("unix:{path}")),
            None => (self.address.to_canonical().to_string(), self.listener.to_string()),
        }
    }
}

/// Where the request is to go and what came of it.
#[derive(Debug, Default)]
pub struct Upstream {
    /// The name of the upstream whose peer was tried last: the label in metrics and logs.
    pub name: Option<Arc<str>>,
    /// The name of a declared upstream, or `host:port` where the route allows a computed one; none:
    /// the route's own.
    pub wanted: Option<String>,
    /// What the route's settings make of the request for it; none: it goes as it is.
    pub onward: Option<Box<Onward>>,
    /// What a script that chooses peers decides; none: no such script has a say.
    pub turn: Option<Box<Turn>>,
    /// The peer that was tried last.
    pub peer: Option<PeerAddress>,
    /// How many peers were tried.
    pub tries: u32,
    /// Those that failed, with the status for that; the last may be among them.
    pub failed: Vec<(Option<PeerAddress>, u16)>,
    /// The status that came back, before scripts changed it.
    pub status: Option<u16>,
    /// From the first byte to the upstream to the response head.
    pub header_time: Option<Duration>,
    /// From the first byte to the upstream to the last byte of its response.
    pub response_time: Option<Duration>,
}

/// What a route's settings make of a request for its upstream.
#[derive(Debug, Default)]
pub struct Onward {
    /// Path and query.
    pub target: Option<Bytes>,
    /// What `Host` says.
    pub host: Option<Bytes>,
    /// The address of ours from which it is asked; none: the system chooses one.
    pub local: Option<SocketAddr>,
    /// Another method.
    pub method: Option<Bytes>,
    /// Fields besides the client's, or in their stead; an empty value leaves one out.
    pub headers: Vec<(Box<str>, Bytes)>,
    /// Whether the client's fields are passed on.
    pub client_headers: bool,
    /// Whether the body is passed on.
    pub body: bool,
    /// Whether error pages take the place of what it answers.
    pub own_error_pages: bool,
    /// Whether it is sent in HTTP/1.0.
    pub http10: bool,
}

/// How an exchange ended.
#[derive(Debug, Default)]
pub struct Outcome {
    /// What was decided.
    pub verdict: Verdict,
    /// Why it was refused or failed: a stable code such as `guard::two_lengths`, or the module's name.
    pub reason: Option<String>,
    /// Body bytes of the response on the wire.
    pub body_bytes_sent: u64,
    /// Bytes received of the request, head and body.
    pub bytes_received: u64,
    /// Whether the last byte of the response left.
    pub completed: bool,
}

/// What was decided about an exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Verdict {
    /// Forwarded to an upstream.
    #[default]
    Allowed,
    /// Answered by a script or by Moongate itself, without being refused.
    Answered,
    /// It could not be served: an upstream, a script or we ourselves failed.
    Failed,
    /// Refused.
    Refused,
}

impl Verdict {
    /// All of them, for tables and label sets.
    pub const ALL: [Self; 4] = [Self::Allowed, Self::Answered, Self::Failed, Self::Refused];

    /// What an answer of a script's own comes to: its status says whether it refuses.
    pub fn of_status(status: u16) -> Self {
        match status {
            401 | 403 | 405 | 406 | 407 | 409..=431 | 451 => Self::Refused,
            500.. => Self::Failed,
            _ => Self::Answered,
        }
    }

    /// The word in metrics, logs and events.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Answered => "answered",
            Self::Failed => "failed",
            Self::Refused => "refused",
        }
    }
}

impl Upstream {
    /// What metrics and logs call it: its name, else what was wanted.
    pub fn label(&self) -> Option<&str> {
        self.name.as_deref().or(self.wanted.as_deref())
    }
}

impl Transaction {
    /// A transaction at its beginning: head read, nothing decided.
    #[inline]
    pub fn new(
        id: impl Into<Id>,
        started: Instant,
        client: Client,
        request: impl Into<Box<Request>>,
    ) -> Self {
        Self {
            id: id.into(),
            started,
            started_at: OnceCell::new(),
            client,
            body: Body::Unread,
            request: request.into(),
            reply: Reply::default(),
            manner: Manner::default(),
            response: None,
            internal: false,
            is_subrequest: false,
            wants_pages: false,
            doing: None,
            variables: Variables::default(),
            route: None,
            site: None,
            root: None,
            captures: Vec::new(),
            upstream: Seldom::default(),
            findings: None,
            outcome: Outcome::default(),
        }
    }

    /// When the first byte of the request head was there, on the wall clock (for log lines and
    /// `ngx.req.start_time`). Most exchanges end before anybody asks.
    pub fn started_at(&self) -> SystemTime {
        *self.started_at.get_or_init(|| {
            let (now, since) = (SystemTime::now(), self.started.elapsed());
            now.checked_sub(since).unwrap_or(now)
        })
    }

    /// It began at that time of the wall clock, whatever the other clock says.
    pub fn begin_at(&mut self, started_at: SystemTime) {
        self.started_at = OnceCell::from(started_at);
    }

    /// Whether the response's head was sent, as far as scripts can tell.
    pub fn is_answered(&self) -> bool {
        self.response.is_some() || self.reply.is_locked
    }

    /// The status as sent or as it would be sent now; 0 if nothing is decided.
    pub fn status(&self) -> u16 {
        self.response.as_ref().map_or(self.reply.status, |response| response.status)
    }
}
