//! How sockets of scripts behave.

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
    /// Whether what is sent leaves at once, however short it is.
    pub nodelay: bool,
    /// Whether failures are told in the log.
    pub log_errors: bool,
    /// The certificates that are trusted, as PEM; none: those that the system trusts.
    pub trusted: Option<Bytes>,
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
            nodelay: true,
            log_errors: true,
            trusted: None,
        }
    }
}
