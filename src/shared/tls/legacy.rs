//! Signatures of a handshake by certificates that webpki does not read: those of X.509's first version,
//! which people still make for themselves. Whether such a certificate is believed is another question.

use tokio_rustls::rustls::client::danger::HandshakeSignatureValid;
use tokio_rustls::rustls::crypto::{
    verify_tls12_signature, verify_tls13_signature, verify_tls13_signature_with_raw_key,
};
use tokio_rustls::rustls::pki_types::{CertificateDer, SubjectPublicKeyInfoDer};
use tokio_rustls::rustls::{CertificateError, DigitallySignedStruct, Error, PeerIncompatible};
use x509_cert::der::Encode;

use super::algorithms;
use super::x509::Certificate;

/// Whether whoever has the certificate's key signed the message, by TLS 1.2.
///
/// # Errors
/// rustls's, if that is not so.
pub fn is_signed_tls12(
    message: &[u8],
    certificate: &CertificateDer<'_>,
    signed: &DigitallySignedStruct,
) -> Result<HandshakeSignatureValid, Error> {
    match verify_tls12_signature(message, certificate, signed, algorithms()) {
        Err(error) if is_unread(&error) => by_key(message, certificate, signed),
        judged => judged,
    }
}

/// The same by TLS 1.3.
///
/// # Errors
/// rustls's, if that is not so.
pub fn is_signed_tls13(
    message: &[u8],
    certificate: &CertificateDer<'_>,
    signed: &DigitallySignedStruct,
) -> Result<HandshakeSignatureValid, Error> {
    match verify_tls13_signature(message, certificate, signed, algorithms()) {
        Err(error) if is_unread(&error) => {
            let key = key_of(certificate)?.public_key().ok_or(bad_encoding())?;
            let key = SubjectPublicKeyInfoDer::from(key);
            verify_tls13_signature_with_raw_key(message, &key, signed, algorithms())
        }
        judged => judged,
    }
}

/// Whether the certificate could not be read, whatever else it is.
fn is_unread(error: &Error) -> bool {
    matches!(
        error,
        Error::InvalidCertificate(CertificateError::Other(_) | CertificateError::BadEncoding)
    )
}

fn bad_encoding() -> Error {
    Error::InvalidCertificate(CertificateError::BadEncoding)
}

fn key_of(certificate: &CertificateDer<'_>) -> Result<Certificate, Error> {
    Certificate::read(certificate).ok_or(bad_encoding())
}

fn by_key(
    message: &[u8],
    certificate: &CertificateDer<'_>,
    signed: &DigitallySignedStruct,
) -> Result<HandshakeSignatureValid, Error> {
    let read = key_of(certificate)?;
    let info = &read.0.tbs_certificate.subject_public_key_info;
    let key = info.subject_public_key.as_bytes().ok_or(bad_encoding())?;
    // As pki-types has it: the parts of the sequence, without its head.
    let whole = info.algorithm.to_der().map_err(|_| bad_encoding())?;
    let kind = whole.get(2..).unwrap_or_default();
    let known = algorithms().mapping.iter().find(|(scheme, _)| *scheme == signed.scheme);
    let (_, known) = known.ok_or(PeerIncompatible::NoSignatureSchemesInCommon)?;
    let fits = known.iter().filter(|one| one.public_key_alg_id().as_ref() == kind);
    let mut judged = fits.map(|one| one.verify_signature(key, message, signed.signature()));
    if judged.any(|judged| judged.is_ok()) {
        return Ok(HandshakeSignatureValid::assertion());
    }
    Err(Error::InvalidCertificate(CertificateError::BadSignature))
}
