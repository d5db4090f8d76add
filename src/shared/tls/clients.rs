//! Certificates of clients: who is believed, and what one is worth.

use std::sync::Arc;

use tokio_rustls::rustls::client::danger::HandshakeSignatureValid;
use tokio_rustls::rustls::pki_types::{CertificateDer, UnixTime};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use tokio_rustls::rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore,
    SignatureScheme,
};

use super::legacy::{is_signed_tls12, is_signed_tls13};
use super::pem::Chain;
use super::words::openssl_words;
use super::x509::Certificate;
use super::{algorithms, provider};
use crate::config::VerifyClient;

/// Judges certificates of clients.
#[derive(Debug)]
pub struct Clients {
    /// Whom webpki believes; none: nobody is named who signs.
    inner: Option<Arc<dyn ClientCertVerifier>>,
    /// Whether a certificate that will not do ends the handshake.
    refuses: bool,
    /// Whether there must be one.
    requires: bool,
}

impl Clients {
    /// Believes those who are signed by these.
    ///
    /// # Errors
    /// In words, if none of these can sign.
    pub fn new(authorities: Option<Chain>, wanted: VerifyClient) -> Result<Self, String> {
        let inner = authorities.map(believing).transpose()?;
        Ok(Self {
            inner,
            refuses: matches!(wanted, VerifyClient::Optional | VerifyClient::Require),
            requires: wanted == VerifyClient::Require,
        })
    }

    /// What a certificate that a client showed is worth, as `$ssl_client_verify` has it.
    pub fn verdict(&self, chain: &[CertificateDer<'_>]) -> String {
        let Some((first, others)) = chain.split_first() else { return "NONE".to_owned() };
        match self.judge(first, others, UnixTime::now()) {
            Ok(_) => "SUCCESS".to_owned(),
            Err(error) => format!("FAILED:{}", reason(&error, first, others)),
        }
    }

    fn judge(
        &self,
        certificate: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        match &self.inner {
            Some(inner) => inner.verify_client_cert(certificate, others, now),
            None => Err(Error::InvalidCertificate(CertificateError::UnknownIssuer)),
        }
    }
}

fn believing(authorities: Chain) -> Result<Arc<dyn ClientCertVerifier>, String> {
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(authorities);
    if added == 0 {
        return Err("none of these certificates can sign others".to_owned());
    }
    let builder = WebPkiClientVerifier::builder_with_provider(roots.into(), provider().clone());
    let built = builder.allow_unauthenticated().build();
    built.map(|built| built as Arc<dyn ClientCertVerifier>).map_err(|error| error.to_string())
}

/// Without OpenSSL's number.
fn reason(
    error: &Error,
    certificate: &CertificateDer<'_>,
    others: &[CertificateDer<'_>],
) -> String {
    if matches!(error, Error::InvalidCertificate(CertificateError::UnknownIssuer)) {
        let itself = Certificate::read(certificate).is_some_and(|read| read.is_its_own_issuer());
        return match (itself, others.is_empty()) {
            (true, _) => "self-signed certificate",
            (false, true) => "unable to verify the first certificate",
            (false, false) => "unable to get local issuer certificate",
        }
        .to_owned();
    }
    let words = openssl_words(error);
    words.split_once(": ").map_or(words.clone(), |(_, words)| words.to_owned())
}

impl ClientCertVerifier for Clients {
    fn client_auth_mandatory(&self) -> bool {
        self.requires
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.inner.as_ref().map_or(&[], |inner| inner.root_hint_subjects())
    }

    fn verify_client_cert(
        &self,
        certificate: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        if self.refuses {
            return self.judge(certificate, others, now);
        }
        // What it is worth is asked for later: `Clients::verdict`.
        Ok(ClientCertVerified::assertion())
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
