//! Where requests go, once the text is checked.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::{Balancing, UpstreamTls};

/// A named group of peers.
#[derive(Debug, Clone)]
pub struct Upstream {
    /// Its name.
    pub name: String,
    /// At least one.
    pub peers: Vec<Peer>,
    /// How a peer is chosen.
    pub balance: Balance,
    /// How long things may take.
    pub timeouts: Timeouts,
    /// How often a request is tried again.
    pub retries: Retries,
    /// How peers are judged.
    pub health: HealthCheck,
    /// Idle connections kept, for each worker.
    pub keepalive: usize,
    /// How long an idle connection is kept.
    pub keepalive_time: Duration,
    /// What the `Host` field says to the upstream; none: what the client said.
    pub host: Option<String>,
    /// Statuses after which another peer is tried, as if this one had failed.
    pub retry_on: Vec<u16>,
    /// How peers are spoken to in TLS, if they are.
    pub tls: Option<Arc<UpstreamTls>>,
    /// The script that chooses the peer of each try, if one does.
    pub balancing: Option<Box<Balancing>>,
}

/// One server of an upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// Where it is.
    pub address: Address,
    /// Its share, 1 to 1000.
    pub weight: u32,
}

/// Where a server is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Address {
    /// An address that needs no look-up.
    Socket(SocketAddr),
    /// A host name (looked up when connecting, and again as it ages) and a port.
    Name(String, u16),
    /// The path of a Unix socket.
    Unix(String),
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Socket(address) => write!(f, "{address}"),
            Self::Name(host, port) => write!(f, "{host}:{port}"),
            Self::Unix(path) => write!(f, "unix:{path}"),
        }
    }
}

/// How a peer is chosen.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Balance {
    /// The key's place on a ring of hashes (ketama): the same key goes to the same peer as long as
    /// it is healthy. The key is a variable as in `ngx.var`, such as `remote_addr` or `uri`.
    ConsistentHash {
        /// The variable's name.
        key: String,
    },
    /// The peer with the fewest requests in flight for its weight.
    LeastConnections,
    /// In turn, by weight.
    #[default]
    RoundRobin,
}

/// How long an upstream may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// To accept a connection.
    pub connect: Duration,
    /// Between two reads.
    pub read: Duration,
    /// For each write.
    pub write: Duration,
}

/// How often a request is tried again, on another peer where there is one. Only idempotent methods
/// are (GET, HEAD, OPTIONS, TRACE, PUT, DELETE), and only before a byte of the response was seen;
/// a connection that could not be made is always tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retries {
    /// Tries after the first.
    pub tries: u32,
}

/// How peers are judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthCheck {
    /// Passive: failures in a row after which a peer is left out; 0: never.
    pub max_fails: u32,
    /// Passive: for how long it is left out.
    pub fail_time: Duration,
    /// Active: the path to ask for; none: no active check.
    pub path: Option<String>,
    /// Active: how often.
    pub interval: Duration,
    /// Active: how long the answer may take.
    pub timeout: Duration,
    /// Active: good answers in a row after which a peer is back.
    pub rise: u32,
    /// Active: bad answers in a row after which it is out.
    pub fall: u32,
    /// Active: the status that is good; none: 200 to 399.
    pub status: Option<u16>,
}
