//! Servers, as those who ask them see them: whom to believe, and who one is oneself.

use std::cell::RefCell;
use std::sync::Arc;
use std::{fmt, io};

use bytes::Bytes;
use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use tokio_rustls::rustls::server::ParsedCertificate;
use tokio_rustls::rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, OtherError, RootCertStore,
    SignatureScheme,
};

use super::pem::Chain;
use super::x509::{self, Certificate};
use super::{algorithms, is_signed_tls12, is_signed_tls13, openssl_words, provider, versions};
use crate::config::Protocols;

/// Where Linux distributions keep whom everybody trusts.
const SYSTEM: &str = "/etc/ssl/certs/ca-certificates.crt";
/// Sets of trusted certificates that a thread keeps parsed.
const KEPT: usize = 8;

/// Who is trusted, and themselves as they are written: a server may show one of them.
#[derive(Debug)]
struct Trusted {
    roots: RootCertStore,
    written: Vec<CertificateDer<'static>>,
}

thread_local! {
    static PARSED: RefCell<Vec<(Option<Bytes>, Arc<Trusted>)>> = const { RefCell::new(Vec::new()) };
}

/// Judges a server's certificate.
pub struct Judge {
    /// None: every certificate will do.
    trusted: Option<Arc<Trusted>>,
    compares_names: bool,
}

/// Why a certificate will not do; rustls hands it on.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// It is for other hosts.
    #[error("certificate host mismatch")]
    Mismatch,
    /// In OpenSSL's words.
    #[error("{0}")]
    Untrusted(String),
}

impl Judge {
    /// One that trusts those who are written here, in PEM, or those that the system trusts. Without
    /// `verify` it believes everybody.
    ///
    /// # Errors
    /// If the trusted certificates cannot be read.
    pub fn new(pem: Option<&Bytes>, verify: bool, compares_names: bool) -> Result<Self, String> {
        let trusted = if verify { Some(trusted(pem)?) } else { None };
        Ok(Self { trusted, compares_names })
    }

    /// How servers are asked that it judges, by one who has a certificate, or none.
    ///
    /// # Errors
    /// If the certificate and its key do not belong together, or no version is spoken.
    pub fn config(
        self,
        identity: Option<(Chain, PrivateKeyDer<'static>)>,
        protocols: Protocols,
    ) -> Result<ClientConfig, Error> {
        let config = ClientConfig::builder_with_provider(provider().clone())
            .with_protocol_versions(&versions(protocols))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(self));
        match identity {
            None => Ok(config.with_no_client_auth()),
            Some((chain, key)) => config.with_client_auth_cert(chain, key),
        }
    }
}

/// What was wrong with a server's certificate, if that is why the handshake failed.
pub fn fault(error: &io::Error) -> Option<&Fault> {
    match error.get_ref()?.downcast_ref()? {
        Error::InvalidCertificate(CertificateError::Other(reason)) => reason.0.downcast_ref(),
        _ => None,
    }
}

fn trusted(pem: Option<&Bytes>) -> Result<Arc<Trusted>, String> {
    let known = PARSED.with_borrow(|parsed| {
        parsed.iter().find(|(key, _)| key.as_ref() == pem).map(|(_, trusted)| trusted.clone())
    });
    if let Some(known) = known {
        return Ok(known);
    }
    let text = match pem {
        Some(pem) => pem.clone(),
        None => std::fs::read(SYSTEM)
            .map(Bytes::from)
            .map_err(|error| format!("{SYSTEM}: {error}: name the certificates to be trusted"))?,
    };
    let written: Vec<_> = CertificateDer::pem_slice_iter(&text).filter_map(Result::ok).collect();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(written.iter().cloned());
    // Of the system's own, none is a server.
    let written = if pem.is_some() { written } else { Vec::new() };
    let trusted = Arc::new(Trusted { roots, written });
    PARSED.with_borrow_mut(|parsed| {
        parsed.truncate(KEPT - 1);
        parsed.insert(0, (pem.cloned(), trusted.clone()));
    });
    Ok(trusted)
}

impl Trusted {
    /// Whether a certificate is for the name, where somebody named who is trusted; also one of which the
    /// common name alone says so, as people make them for themselves.
    fn names_itself(&self, certificate: &CertificateDer<'_>, name: &ServerName<'_>) -> bool {
        let ServerName::DnsName(name) = name else { return false };
        let host = name.as_ref().to_ascii_lowercase();
        let read = || Certificate::read(certificate);
        !self.written.is_empty()
            && read().is_some_and(|read| {
                read.names().iter().any(|pattern| x509::is_named(pattern, &host))
            })
    }
}

impl Trusted {
    /// Whether one of these signed the certificate, or is it.
    fn signed(
        &self,
        certificate: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), Error> {
        if self.written.iter().any(|written| written == certificate) {
            return Ok(());
        }
        let parsed = ParsedCertificate::try_from(certificate)?;
        verify_server_cert_signed_by_trust_anchor(
            &parsed,
            &self.roots,
            others,
            now,
            algorithms().all,
        )
    }
}

impl ServerCertVerifier for Judge {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(trusted) = &self.trusted else { return Ok(ServerCertVerified::assertion()) };
        trusted
            .signed(certificate, others, now)
            .map_err(|error| reason(Fault::Untrusted(openssl_words(&error))))?;
        if self.compares_names && !trusted.names_itself(certificate, name) {
            let parsed = ParsedCertificate::try_from(certificate)?;
            verify_server_name(&parsed, name).map_err(|_| reason(Fault::Mismatch))?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        is_signed_tls12(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        is_signed_tls13(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        algorithms().supported_schemes()
    }
}

fn reason(fault: Fault) -> Error {
    Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(fault))))
}

impl fmt::Debug for Judge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Judge").field("verifies", &self.trusted.is_some()).finish()
    }
}
