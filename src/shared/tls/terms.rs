//! Terms of handshakes: what a listening address or a site says of them, and what scripts want besides.

use std::sync::Arc;
use std::time::SystemTime;

use tokio_rustls::rustls::crypto::ring::Ticketer;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::server::danger::ClientCertVerifier;
use tokio_rustls::rustls::server::{
    NoClientAuth, NoServerSessionStorage, ProducesTickets, WantsServerCert,
};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{ConfigBuilder, ServerConfig};

use super::resolver::{Resolver, Shown, certified};
use super::x509::Certificate;
use super::{Clients, pem, provider, versions};
use crate::config::{KeyPair, Protocols, Tls, TlsFile, VerifyClient};
use crate::diagnostic::Diagnostic;

/// The protocols that are spoken within TLS.
const WITHIN: [&[u8]; 2] = [b"http/1.1", b"http/1.0"];

/// Terms of handshakes.
#[derive(Debug)]
pub struct Terms {
    shown: Vec<Shown>,
    protocols: Protocols,
    clients: Option<Arc<Clients>>,
    /// A session goes on only under the terms under which it began.
    ticketer: Option<Arc<dyn ProducesTickets>>,
    /// What serves where scripts want nothing else.
    config: Option<Arc<ServerConfig>>,
}

/// What scripts want of one handshake.
#[derive(Debug, Default)]
pub struct Wishes {
    /// Whether the certificates of the settings are not shown.
    pub clears: bool,
    /// Certificates besides; they come first.
    pub certificates: Vec<Arc<CertifiedKey>>,
    /// Other versions.
    pub protocols: Option<Protocols>,
    /// That clients are asked for certificates.
    pub clients: Option<Arc<Clients>>,
    /// What is stapled.
    pub ocsp: Option<Vec<u8>>,
}

impl Wishes {
    fn are_none(&self) -> bool {
        !self.clears
            && self.certificates.is_empty()
            && self.protocols.is_none()
            && self.clients.is_none()
            && self.ocsp.is_none()
    }
}

impl Terms {
    /// Terms as the settings say; and all faults of these.
    pub fn new(settings: &Tls, faults: &mut Vec<Diagnostic>) -> Self {
        let shown = |pair: &KeyPair| shown(pair, settings.refuses_expired, faults);
        let shown: Vec<Shown> = settings.certificates.iter().filter_map(shown).collect();
        let clients = clients(settings, faults);
        let mut terms = Self {
            shown,
            protocols: settings.protocols,
            clients,
            ticketer: Ticketer::new().ok(),
            config: None,
        };
        if !terms.shown.is_empty() {
            terms.config = terms.made(&Wishes::default()).ok();
        }
        terms
    }

    /// Whether they have a certificate to show.
    pub fn have_certificates(&self) -> bool {
        !self.shown.is_empty()
    }

    /// The versions that are spoken.
    pub fn protocols(&self) -> Protocols {
        self.protocols
    }

    /// Whether clients have to show who they are.
    pub fn verify_clients(&self) -> bool {
        self.clients.is_some()
    }

    /// What the handshake goes on with.
    ///
    /// # Errors
    /// In words, if there is nothing to go on with.
    pub fn config(&self, wishes: &Wishes) -> Result<Arc<ServerConfig>, String> {
        match &self.config {
            Some(config) if wishes.are_none() => Ok(config.clone()),
            _ => self.made(wishes),
        }
    }

    /// What the certificate that a client showed is worth, as `$ssl_client_verify` has it.
    pub fn verdict(&self, wishes: &Wishes, chain: Option<&[CertificateDer<'_>]>) -> String {
        let clients = wishes.clients.as_ref().or(self.clients.as_ref());
        match (clients, chain) {
            (Some(clients), Some(chain)) => clients.verdict(chain),
            _ => "NONE".to_owned(),
        }
    }

    fn made(&self, wishes: &Wishes) -> Result<Arc<ServerConfig>, String> {
        let own = wishes.certificates.iter();
        let own = own.map(|key| Shown { names: Vec::new(), key: key.clone() });
        let settings =
            self.shown.iter().filter(|_| !wishes.clears && wishes.certificates.is_empty());
        let shown: Vec<Shown> = own.chain(settings.cloned()).collect();
        if shown.is_empty() {
            return Err("no certificate is there to be shown".to_owned());
        }
        let builder = speaking(wishes.protocols.unwrap_or(self.protocols))?;
        let clients = wishes.clients.as_ref().or(self.clients.as_ref());
        let builder = builder(clients);
        let resolver = Resolver { shown, ocsp: wishes.ocsp.clone() };
        let mut config = builder.with_cert_resolver(Arc::new(resolver));
        config.alpn_protocols = WITHIN.iter().map(|name| name.to_vec()).collect();
        match &self.ticketer {
            // Of a client that was asked otherwise, a session says nothing.
            Some(ticketer) if wishes.clients.is_none() => config.ticketer = ticketer.clone(),
            _ => config.send_tls13_tickets = 0,
        }
        config.session_storage = Arc::new(NoServerSessionStorage {});
        Ok(Arc::new(config))
    }
}

type Builder = ConfigBuilder<ServerConfig, WantsServerCert>;

fn speaking(protocols: Protocols) -> Result<impl FnOnce(Option<&Arc<Clients>>) -> Builder, String> {
    let builder = ServerConfig::builder_with_provider(provider().clone());
    let builder = builder.with_protocol_versions(&versions(protocols));
    let builder = builder.map_err(|error| error.to_string())?;
    Ok(move |clients: Option<&Arc<Clients>>| {
        let verifier: Arc<dyn ClientCertVerifier> = match clients {
            Some(clients) => clients.clone(),
            None => Arc::new(NoClientAuth),
        };
        builder.with_client_cert_verifier(verifier)
    })
}

fn clients(settings: &Tls, faults: &mut Vec<Diagnostic>) -> Option<Arc<Clients>> {
    if settings.verify_client == VerifyClient::Off {
        return None;
    }
    let authorities = settings.client_ca.as_ref();
    let chain = authorities.and_then(|file| pem::chain(&file.bytes));
    if let (Some(file), None) = (authorities, &chain) {
        faults.push(fault(file, "tls::unreadable", "no certificate in PEM is in it", PEM));
        return None;
    }
    match Clients::new(chain, settings.verify_client) {
        Ok(clients) => Some(Arc::new(clients)),
        Err(words) => {
            faults.extend(authorities.map(|file| fault(file, "tls::unreadable", &words, PEM)));
            None
        }
    }
}

const PEM: &str = "write the certificates one behind the other, each between `-----BEGIN CERTIFICATE-----` and `-----END CERTIFICATE-----`";

fn shown(pair: &KeyPair, refuses_expired: bool, faults: &mut Vec<Diagnostic>) -> Option<Shown> {
    let Some(chain) = pem::chain(&pair.certificate.bytes) else {
        faults.push(fault(
            &pair.certificate,
            "tls::unreadable",
            "no certificate in PEM is in it",
            PEM,
        ));
        return None;
    };
    let Some(key) = pem::key(&pair.key.bytes) else {
        let help = "write the key without a passphrase: `openssl pkey -in FILE` shows it so";
        faults.push(fault(&pair.key, "tls::unreadable", "no private key in PEM is in it", help));
        return None;
    };
    let certified = match certified(chain, key) {
        Ok(certified) => certified,
        Err(words) => {
            let help = "a certificate and its key have the same public key: `openssl x509 -noout -pubkey` and `openssl pkey -pubout` show it";
            faults.push(fault(&pair.key, "tls::mismatch", &words, help));
            return None;
        }
    };
    let read = certified.cert.first().and_then(|first| Certificate::read(first))?;
    faults.extend(untimely(&pair.certificate, &read, refuses_expired));
    let names = if pair.names.is_empty() { read.names() } else { pair.names.clone() };
    Some(Shown { names, key: Arc::new(certified) })
}

/// A certificate that is not valid now.
fn untimely(file: &TlsFile, read: &Certificate, refuses: bool) -> Option<Diagnostic> {
    let now = SystemTime::now();
    let (from, to) = read.validity();
    let words = match () {
        () if now < from => "the certificate is not valid yet",
        () if now > to => "the certificate has expired",
        () => return None,
    };
    let help =
        "renew it (`openssl x509 -noout -dates` shows its times), or look at this machine's clock";
    let mut fault = fault(file, "tls::expired", words, help);
    if !refuses {
        fault.severity = crate::diagnostic::Severity::Warning;
    }
    Some(fault)
}

fn fault(file: &TlsFile, code: &'static str, words: &str, help: &str) -> Diagnostic {
    let (source, span) = &file.place;
    let fault = Diagnostic::error(code, format!("`{}` cannot be used: {words}", file.name));
    fault.help(help).at(source, *span, "named here")
}
