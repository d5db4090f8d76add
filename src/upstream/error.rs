//! What goes wrong with an upstream.

use std::time::Duration;

use pingora_error::{Error, ErrorType};

use crate::transaction::PeerAddress;

/// What went wrong with an upstream.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamError {
    /// What it sent is no HTTP response.
    #[error("upstream `{upstream}`: the response is no HTTP")]
    BadResponse {
        /// The upstream's name.
        upstream: String,
        /// Pingora's word.
        #[source]
        source: Box<Error>,
    },
    /// No connection could be made.
    #[error("upstream `{upstream}`: no connection to {address}")]
    Connect {
        /// The upstream's name.
        upstream: String,
        /// Where to.
        address: PeerAddress,
        /// Pingora's word.
        #[source]
        source: Box<Error>,
    },
    /// No TLS could be agreed on, or the peer is not believed.
    #[error("upstream `{upstream}`: no TLS with {address}: {words}")]
    Handshake {
        /// The upstream's name.
        upstream: String,
        /// Where to.
        address: PeerAddress,
        /// Why, as nginx tells it.
        words: String,
    },
    /// There is nobody to ask.
    #[error("upstream `{upstream}` has no peer")]
    NoPeer {
        /// The upstream's name.
        upstream: String,
    },
    /// The connection broke while it was read, or ended too early.
    #[error("upstream `{upstream}` broke off")]
    Read {
        /// The upstream's name.
        upstream: String,
        /// Pingora's word.
        #[source]
        source: Box<Error>,
    },
    /// The host's name has no address.
    #[error("upstream `{upstream}`: no address found for `{host}`")]
    Resolve {
        /// The upstream's name.
        upstream: String,
        /// The name.
        host: String,
        /// The resolver's word.
        #[source]
        source: std::io::Error,
    },
    /// It took too long.
    #[error("upstream `{upstream}` did not {deed} within {limit:?}")]
    Timeout {
        /// The upstream's name.
        upstream: String,
        /// `accept a connection`, `answer` or `read what was sent`.
        deed: &'static str,
        /// How long it could have taken.
        limit: Duration,
    },
    /// The connection broke while it was written to.
    #[error("upstream `{upstream}` stopped reading")]
    Write {
        /// The upstream's name.
        upstream: String,
        /// Pingora's word.
        #[source]
        source: Box<Error>,
    },
}

impl UpstreamError {
    /// The label of `UpstreamTried` for this.
    pub fn outcome(&self) -> &'static str {
        match self {
            Self::BadResponse { .. } => "bad_response",
            Self::Connect { .. } | Self::NoPeer { .. } | Self::Resolve { .. } => "connect_error",
            Self::Handshake { .. } => "tls_error",
            Self::Read { .. } => "read_error",
            Self::Timeout { .. } => "timeout",
            Self::Write { .. } => "write_error",
        }
    }

    /// Whether no byte of a request was sent.
    pub fn is_before_request(&self) -> bool {
        matches!(self, Self::Connect { .. } | Self::Handshake { .. } | Self::Resolve { .. })
    }

    /// What an error of a [`Connection`](super::Connection) to `group` means.
    pub fn of_session(group: &super::Group, source: Box<Error>) -> Self {
        let (upstream, timeouts) = (group.name().to_owned(), group.config().timeouts);
        match source.etype() {
            ErrorType::ReadTimedout => {
                Self::Timeout { upstream, deed: "answer", limit: timeouts.read }
            }
            ErrorType::WriteTimedout => {
                Self::Timeout { upstream, deed: "read what was sent", limit: timeouts.write }
            }
            ErrorType::ConnectionClosed | ErrorType::ReadError => Self::Read { upstream, source },
            ErrorType::WriteError => Self::Write { upstream, source },
            _ => Self::BadResponse { upstream, source },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Address;
    use crate::upstream::Group;

    #[test]
    fn errors_of_a_session_are_told_apart() {
        let group = Group::computed(Address::Name("app".to_owned(), 80));
        for (etype, outcome) in [
            (ErrorType::ConnectionClosed, "read_error"),
            (ErrorType::InvalidHTTPHeader, "bad_response"),
            (ErrorType::ReadError, "read_error"),
            (ErrorType::ReadTimedout, "timeout"),
            (ErrorType::WriteError, "write_error"),
            (ErrorType::WriteTimedout, "timeout"),
        ] {
            let error = UpstreamError::of_session(&group, Error::new(etype.clone()));
            assert_eq!(error.outcome(), outcome, "{etype:?}");
        }
    }
}
