//! TLS to the peers of an upstream.

use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;

use crate::config::{Address, UpstreamTls};
use crate::diagnostic::Diagnostic;
use crate::shared::tls::{Fault, Judge, fault, pem};

/// The protocol that is spoken within TLS.
const WITHIN: &[u8] = b"http/1.1";
/// The name of what has only a path.
const UNNAMED: &str = "localhost";

/// How the peers of an upstream are spoken to in TLS. Its sessions go on from one connection to the
/// next, of all workers.
pub(super) struct Tls {
    settings: Arc<UpstreamTls>,
    /// None: its files are not what they should be, and nobody is spoken to.
    config: Option<Arc<ClientConfig>>,
}

impl Tls {
    pub(super) fn new(settings: Arc<UpstreamTls>) -> Self {
        let config = config(&settings).ok().map(Arc::new);
        Self { settings, config }
    }

    /// Whether it is as these settings say.
    pub(super) fn is_of(&self, settings: &UpstreamTls) -> bool {
        *self.settings == *settings
    }

    /// Shakes hands on a connection to the peer that is written so.
    ///
    /// # Errors
    /// In words, if the peer does not speak TLS, or its certificate will not do.
    pub(super) async fn shake<S>(&self, peer: &Address, stream: S) -> Result<TlsStream<S>, String>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let name = self.settings.name.clone().unwrap_or_else(|| name_of(peer));
        let config = self.config.clone().ok_or("its certificates or its key cannot be read")?;
        let known = ServerName::try_from(name.clone());
        // What no certificate can be for, nobody compares.
        let known = match known {
            Err(_) if !self.settings.verify => {
                ServerName::from(std::net::IpAddr::from(Ipv4Addr::UNSPECIFIED))
            }
            known => {
                known.map_err(|_| format!("`{name}` is no name that a certificate can have"))?
            }
        };
        let shaken = TlsConnector::from(config).connect(known, stream).await;
        shaken.map_err(|error| words(&error, &name))
    }
}

/// What is wrong with the files of these settings.
pub fn faults_of(settings: &UpstreamTls) -> Vec<Diagnostic> {
    let Err(words) = config(settings) else { return Vec::new() };
    let identity = settings.identity.as_ref().map(|pair| &pair.certificate);
    let fault = Diagnostic::error("tls::unreadable", words)
        .help("write certificates in PEM one behind the other, and a key without a passphrase");
    let place = settings.authority.as_ref().or(identity).map(|file| &file.place);
    vec![match place {
        Some((source, span)) => fault.at(source, *span, "named here"),
        None => fault,
    }]
}

fn config(settings: &UpstreamTls) -> Result<ClientConfig, String> {
    let trusted = settings.authority.as_ref().map(|file| {
        let found = pem::chain(&file.bytes).map(|_| Bytes::copy_from_slice(&file.bytes));
        found.ok_or_else(|| format!("`{}` has no certificate in PEM", file.name))
    });
    let identity = settings.identity.as_ref().map(|pair| {
        let chain = pem::chain(&pair.certificate.bytes)
            .ok_or_else(|| format!("`{}` has no certificate in PEM", pair.certificate.name))?;
        let key = pem::key(&pair.key.bytes)
            .ok_or_else(|| format!("`{}` has no private key in PEM", pair.key.name))?;
        Ok::<_, String>((chain, key))
    });
    let judge = Judge::new(trusted.transpose()?.as_ref(), settings.verify, true)?;
    let config = judge.config(identity.transpose()?, settings.protocols);
    let mut config = config.map_err(|error| match &settings.identity {
        Some(pair) => format!("`{}` and `{}`: {error}", pair.certificate.name, pair.key.name),
        None => error.to_string(),
    })?;
    config.enable_sni = settings.sni;
    config.alpn_protocols = vec![WITHIN.to_vec()];
    Ok(config)
}

fn name_of(peer: &Address) -> String {
    match peer {
        Address::Name(host, _) => host.clone(),
        Address::Socket(address) => address.ip().to_string(),
        Address::Unix(_) => UNNAMED.to_owned(),
    }
}

/// As nginx tells it.
fn words(error: &io::Error, name: &str) -> String {
    match fault(error) {
        Some(Fault::Mismatch) => format!("upstream SSL certificate does not match \"{name}\""),
        Some(Fault::Untrusted(words)) => {
            format!("upstream SSL certificate verify error: ({words})")
        }
        None => format!("SSL_do_handshake() failed (SSL: {error})"),
    }
}
