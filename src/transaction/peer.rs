//! Where a peer of an upstream is.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

/// Where a peer of an upstream is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PeerAddress {
    /// An address and a port.
    Socket(SocketAddr),
    /// The path of a Unix socket.
    Unix(Arc<str>),
}

impl fmt::Display for PeerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{path}"),
        }
    }
}

impl From<SocketAddr> for PeerAddress {
    fn from(address: SocketAddr) -> Self {
        Self::Socket(address)
    }
}

impl PartialEq<SocketAddr> for PeerAddress {
    fn eq(&self, other: &SocketAddr) -> bool {
        matches!(self, Self::Socket(address) if address == other)
    }
}
