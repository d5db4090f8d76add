//! Which certificate a client is shown.

use std::sync::Arc;

use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;

use super::pem::Chain;
use super::provider;
use super::x509::{Certificate, is_named};

/// A certificate with its key, and the hosts for which it is shown.
#[derive(Debug, Clone)]
pub struct Shown {
    /// In lower case, `*.name` too.
    pub names: Vec<String>,
    /// The certificate, those that lead on, and the key.
    pub key: Arc<CertifiedKey>,
}

/// Of several certificates the first that the client asks for and can use, else the first that it can
/// use.
#[derive(Debug)]
pub(super) struct Resolver {
    pub(super) shown: Vec<Shown>,
    /// What is stapled to whichever it is, instead of its own.
    pub(super) ocsp: Option<Vec<u8>>,
}

impl ResolvesServerCert for Resolver {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let host = hello.server_name().map(str::to_ascii_lowercase);
        let fits =
            |shown: &&Shown| shown.key.key.choose_scheme(hello.signature_schemes()).is_some();
        let is_for = |shown: &&Shown| {
            host.as_deref().is_some_and(|host| shown.names.iter().any(|name| is_named(name, host)))
        };
        let named = self.shown.iter().filter(fits).find(is_for);
        let shown = named.or_else(|| self.shown.iter().find(fits))?;
        Some(match &self.ocsp {
            None => shown.key.clone(),
            Some(_) => Arc::new(CertifiedKey { ocsp: self.ocsp.clone(), ..(*shown.key).clone() }),
        })
    }
}

/// A certificate with its key.
///
/// # Errors
/// In words, if one of them cannot be used, or they do not belong together.
pub fn certified(chain: Chain, key: PrivateKeyDer<'static>) -> Result<CertifiedKey, String> {
    let key = provider().key_provider.load_private_key(key);
    let key = key.map_err(|error| format!("the key cannot be used: {error}"))?;
    let first = chain.first().and_then(|first| Certificate::read(first));
    let first = first.ok_or("the certificate cannot be read")?;
    // Compared by ourselves: rustls would not read a certificate of X.509's first version.
    let own = key.public_key().map(|key| key.to_vec());
    if own.is_some() && own != first.public_key() {
        return Err("the key is that of another certificate".to_owned());
    }
    Ok(CertifiedKey::new(chain, key))
}
