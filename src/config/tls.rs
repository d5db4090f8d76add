//! How listening addresses, sites and upstreams speak TLS.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use crate::diagnostic::{Source, Span};

/// How a listening address or a site speaks TLS.
#[derive(Debug, Clone, PartialEq)]
pub struct Tls {
    /// What is shown to clients; those that name none of them see the first.
    pub certificates: Vec<KeyPair>,
    /// The versions that are spoken.
    pub protocols: Protocols,
    /// Whether clients have certificates of their own.
    pub verify_client: VerifyClient,
    /// Who signs these.
    pub client_ca: Option<TlsFile>,
    /// Whether a certificate that is expired is at fault, or warned of.
    pub refuses_expired: bool,
    /// Where it is said.
    pub place: (Arc<Source>, Span),
}

/// How the peers of an upstream are spoken to in TLS.
#[derive(Debug, Clone, PartialEq)]
pub struct UpstreamTls {
    /// The name that their certificates are for; none: a peer's own, as it is written.
    pub name: Option<String>,
    /// Whether they are told that name.
    pub sni: bool,
    /// Whether their certificates must do.
    pub verify: bool,
    /// Who signs these; none: those whom the system trusts.
    pub authority: Option<TlsFile>,
    /// What they are shown: a certificate and its key.
    pub identity: Option<KeyPair>,
    /// The versions that are spoken.
    pub protocols: Protocols,
}

/// Where clients connect: what a listener is known by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// An address and a port.
    Address(SocketAddr),
    /// The path of a Unix socket.
    Path(Arc<str>),
}

/// A certificate with those that lead to whoever is trusted, and its key.
#[derive(Debug, Clone, PartialEq)]
pub struct KeyPair {
    /// The hosts for which it is shown, `*.name` too; empty: those that it names itself.
    pub names: Vec<String>,
    /// The certificates, in PEM.
    pub certificate: TlsFile,
    /// The key, in PEM.
    pub key: TlsFile,
}

/// A file that was read. Its `Debug` form keeps what is in it to itself.
#[derive(Clone)]
pub struct TlsFile {
    /// As written.
    pub name: String,
    /// What is in it.
    pub bytes: Arc<[u8]>,
    /// Where it is named.
    pub place: (Arc<Source>, Span),
}

/// Versions of TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Protocols {
    /// TLS 1.2.
    pub tls12: bool,
    /// TLS 1.3.
    pub tls13: bool,
}

/// Whether clients have certificates of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum VerifyClient {
    /// They are asked for one; scripts see whether it will do.
    Ask,
    /// They are not asked.
    #[default]
    Off,
    /// They may have one, which must do then.
    Optional,
    /// They must have one.
    Require,
}

impl Protocols {
    /// Both.
    pub const ALL: Self = Self { tls12: true, tls13: true };
}

impl PartialEq for TlsFile {
    fn eq(&self, other: &Self) -> bool {
        (&self.name, &self.bytes) == (&other.name, &other.bytes)
    }
}

impl fmt::Debug for TlsFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TlsFile").field(&self.name).finish()
    }
}
