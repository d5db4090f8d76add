//! What is wrong with a certificate, in OpenSSL's words, which scripts know.

use tokio_rustls::rustls::{CertificateError, Error};

/// OpenSSL's number and words for what is wrong with a certificate.
pub fn openssl_words(error: &Error) -> String {
    let Error::InvalidCertificate(error) = error else { return error.to_string() };
    match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "10: certificate has expired".to_owned()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "9: certificate is not yet valid".to_owned()
        }
        CertificateError::Revoked => "23: certificate revoked".to_owned(),
        CertificateError::UnknownIssuer => "20: unable to get local issuer certificate".to_owned(),
        CertificateError::BadSignature => "7: certificate signature failure".to_owned(),
        _ => "18: self-signed certificate".to_owned(),
    }
}
