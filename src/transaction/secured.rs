//! What a TLS handshake came to.

use bytes::Bytes;

/// What a TLS handshake came to, for all requests of its connection.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Secured {
    /// The version, as nginx writes it: `TLSv1.3`.
    pub protocol: &'static str,
    /// The cipher, by OpenSSL's name.
    pub cipher: String,
    /// The host that the client named, in lower case.
    pub server_name: Option<String>,
    /// Whether an earlier session went on.
    pub resumed: bool,
    /// What the client's certificate is worth: `NONE`, `SUCCESS`, `FAILED:reason`.
    pub verdict: String,
    /// The client's certificate, in DER.
    pub certificate: Option<Bytes>,
}
