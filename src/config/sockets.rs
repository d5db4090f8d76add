//! How sockets of scripts behave.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;

/// How sockets of scripts behave unless they say otherwise; the defaults are lua-nginx-module's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SocketSettings {
    /// How long `connect` and `sslhandshake` may take.
    pub connect_timeout: Duration,
    /// How long one write may take.
    pub send_timeout: Duration,
    /// How long one read may take.
    pub read_timeout: Duration,
    /// How long a kept connection may wait; zero: for as long as the other side lets it.
    pub keepalive_timeout: Duration,
    /// Connections that a pool keeps.
    pub pool_size: usize,
    /// Who knows the addresses of names.
    pub resolver: Resolver,
    /// Whether what is sent leaves at once, however short it is.
    pub nodelay: bool,
    /// Whether failures are told in the log.
    pub log_errors: bool,
    /// The certificates that are trusted, as PEM; none: those that the system trusts.
    pub trusted: Option<Bytes>,
}

/// Who knows the addresses of names that scripts connect to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolver {
    /// Nobody: scripts name addresses.
    None,
    /// These servers.
    Servers(NameServers),
    /// The system, by its own settings.
    System,
}

/// Servers that know the addresses of names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameServers {
    /// Asked in this order; at least one.
    pub addresses: Vec<SocketAddr>,
    /// How long a name may take in all.
    pub timeout: Duration,
    /// How long an answer is believed; none: as long as it says.
    pub valid: Option<Duration>,
    /// Whether names have IPv4 addresses.
    pub ipv4: bool,
    /// Whether names have IPv6 addresses.
    pub ipv6: bool,
}

impl Default for SocketSettings {
    fn default() -> Self {
        let minute = Duration::from_secs(60);
        Self {
            connect_timeout: minute,
            send_timeout: minute,
            read_timeout: minute,
            keepalive_timeout: minute,
            pool_size: 30,
            resolver: Resolver::System,
            nodelay: true,
            log_errors: true,
            trusted: None,
        }
    }
}
