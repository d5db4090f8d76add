//! TLS by rustls, as far as listeners, upstreams and the sockets of scripts have it in common:
//! certificates and keys, whom to believe, and what a handshake is answered with.

mod clients;
mod legacy;
pub mod ocsp;
pub mod pem;
mod resolver;
mod secure;
mod servers;
mod terms;
mod words;
pub mod x509;

use std::sync::{Arc, LazyLock};

use tokio_rustls::rustls::SupportedProtocolVersion;
use tokio_rustls::rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, ring};
use tokio_rustls::rustls::version::{TLS12, TLS13};

use crate::config::Protocols;

pub use clients::Clients;
pub use legacy::{is_signed_tls12, is_signed_tls13};
pub use resolver::{Shown, certified};
pub use secure::Secure;
pub use servers::{Fault, Judge, fault};
pub use terms::{Terms, Wishes};
pub use words::openssl_words;

static PROVIDER: LazyLock<Arc<CryptoProvider>> =
    LazyLock::new(|| Arc::new(ring::default_provider()));

/// What computes.
pub fn provider() -> &'static Arc<CryptoProvider> {
    &PROVIDER
}

/// What signatures are verified by.
pub fn algorithms() -> &'static WebPkiSupportedAlgorithms {
    &PROVIDER.signature_verification_algorithms
}

/// As rustls knows them.
fn versions(protocols: Protocols) -> Vec<&'static SupportedProtocolVersion> {
    let spoken = [(protocols.tls12, &TLS12), (protocols.tls13, &TLS13)].into_iter();
    spoken.filter_map(|(spoken, version)| spoken.then_some(version)).collect()
}
