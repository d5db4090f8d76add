//! TLS by rustls, as far as listeners and the sockets of scripts have it in common: certificates and
//! keys, whom to believe, and what a handshake is answered with.

mod clients;
mod legacy;
pub mod ocsp;
pub mod pem;
mod resolver;
mod secure;
mod terms;
mod words;
pub mod x509;

use std::sync::{Arc, LazyLock};

use tokio_rustls::rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, ring};

pub use clients::Clients;
pub use legacy::{is_signed_tls12, is_signed_tls13};
pub use resolver::{Shown, certified};
pub use secure::Secure;
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
