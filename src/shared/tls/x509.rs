//! What a certificate says. Nothing here believes it.

use std::fmt::Write as _;
use std::time::{Duration, SystemTime};

use x509_cert::certificate::{CertificateInner, Raw};
use x509_cert::der::{Decode, Encode};
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{AuthorityInfoAccessSyntax, SubjectAltName};
use x509_cert::spki::ObjectIdentifier;

/// Where an issuer answers whether a certificate was revoked (RFC 5280, 4.2.2.1).
const OCSP: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.48.1");
/// The name of whom a certificate is of, in those that have no others.
const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");

/// A certificate that was read.
pub struct Certificate(pub(super) CertificateInner<Raw>);

impl Certificate {
    /// Reads one in DER.
    pub fn read(der: &[u8]) -> Option<Self> {
        CertificateInner::from_der(der).ok().map(Self)
    }

    /// From when until when it is valid.
    pub fn validity(&self) -> (SystemTime, SystemTime) {
        let validity = &self.0.tbs_certificate.validity;
        let at = |since: Duration| SystemTime::UNIX_EPOCH + since;
        (at(validity.not_before.to_unix_duration()), at(validity.not_after.to_unix_duration()))
    }

    /// The hosts that it is for, in lower case: `*.name` too. One without any is for its common name.
    pub fn names(&self) -> Vec<String> {
        let names = self.alternative_names();
        if names.is_empty() { self.common_name().into_iter().collect() } else { names }
    }

    fn alternative_names(&self) -> Vec<String> {
        let Ok(Some((_, names))) = self.0.tbs_certificate.get::<SubjectAltName>() else {
            return Vec::new();
        };
        let host = |name: &GeneralName| match name {
            GeneralName::DnsName(name) => Some(name.as_str().to_ascii_lowercase()),
            _ => None,
        };
        names.0.iter().filter_map(host).collect()
    }

    fn common_name(&self) -> Option<String> {
        let mut parts = self.0.tbs_certificate.subject.0.iter().flat_map(|part| part.0.iter());
        // As OpenSSL, the last of several.
        let named = parts.rfind(|part| part.oid == COMMON_NAME)?;
        let text = std::str::from_utf8(named.value.value()).ok()?;
        Some(text.to_ascii_lowercase())
    }

    /// Its public key, as certificates hold it (SubjectPublicKeyInfo in DER).
    pub fn public_key(&self) -> Option<Vec<u8>> {
        self.0.tbs_certificate.subject_public_key_info.to_der().ok()
    }

    /// Whose it is: `CN=shop.example,O=Shop,C=PT`.
    pub fn subject(&self) -> String {
        self.0.tbs_certificate.subject.to_string()
    }

    /// Who signed it.
    pub fn issuer(&self) -> String {
        self.0.tbs_certificate.issuer.to_string()
    }

    /// Its number, in upper-case hex.
    pub fn serial(&self) -> String {
        let bytes = self.0.tbs_certificate.serial_number.as_bytes();
        bytes.iter().fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02X}");
            text
        })
    }

    /// Whether it names itself as its issuer.
    pub fn is_its_own_issuer(&self) -> bool {
        self.0.tbs_certificate.issuer == self.0.tbs_certificate.subject
    }

    /// Where its issuer answers whether it was revoked.
    pub fn ocsp_responder(&self) -> Option<String> {
        let found = self.0.tbs_certificate.get::<AuthorityInfoAccessSyntax>().ok()?;
        let (_, access) = found?;
        access.0.iter().find(|access| access.access_method == OCSP).and_then(|access| match &access
            .access_location
        {
            GeneralName::UniformResourceIdentifier(uri) => Some(uri.to_string()),
            _ => None,
        })
    }
}

/// Whether a host has a name that may begin with `*.`, which stands for one label.
pub fn is_named(pattern: &str, host: &str) -> bool {
    match pattern.strip_prefix("*.") {
        None => pattern == host,
        Some(parent) => {
            host.split_once('.').is_some_and(|(label, rest)| !label.is_empty() && rest == parent)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_one_label() {
        assert!(is_named("*.shop.example", "www.shop.example"));
        for other in ["shop.example", "a.b.shop.example", ".shop.example", "www.shop.examples"] {
            assert!(!is_named("*.shop.example", other), "{other}");
        }
        assert!(is_named("shop.example", "shop.example"));
    }

    #[test]
    fn what_is_no_certificate_is_none() {
        for bytes in [&b""[..], b"x", &[0x30, 0x82, 0xff, 0xff], &[0x30; 64]] {
            assert!(Certificate::read(bytes).is_none());
        }
    }
}
