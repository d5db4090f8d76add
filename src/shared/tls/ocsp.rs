//! Whether a certificate was revoked, as its issuer says (OCSP, RFC 6960). What cannot be verified is not
//! believed.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sha1::Sha1;
use sha2::{Digest, Sha256};
use x509_cert::der::asn1::{Null, OctetString};
use x509_cert::der::{Decode, Encode};
use x509_cert::ext::pkix::ExtendedKeyUsage;
use x509_cert::spki::{AlgorithmIdentifierOwned, ObjectIdentifier, SubjectPublicKeyInfoOwned};
use x509_ocsp::{
    BasicOcspResponse, CertId, CertStatus, OcspGeneralizedTime, OcspRequest, OcspResponse,
    OcspResponseStatus, Request, SingleResponse, TbsRequest, Version,
};

use super::algorithms;
use super::x509::Certificate;

const SHA1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.14.3.2.26");
const SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");
/// The one kind of answer that everybody knows (RFC 6960, 4.2.1).
const BASIC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.48.1.1");
/// That a certificate is made to sign such answers (RFC 6960, 4.2.2.2).
const SIGNS_OCSP: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.9");

const UNREADABLE: &str = "d2i_X509_bio() failed";

/// Bytes of an answer at the most, and certificates within it that are looked at: nobody interrupts what
/// looks at them.
const LONGEST: usize = 64 << 10;
const MOST_SIGNERS: usize = 8;

/// How far clocks may be apart.
const LEEWAY: Duration = Duration::from_secs(300);

/// Where the issuer of the first of a chain in DER answers; none: the certificate does not say.
///
/// # Errors
/// In lua-nginx-module's words, if the second is not who issued the first.
pub fn responder(der: &[u8]) -> Result<Option<String>, &'static str> {
    let chain = super::pem::chain_of_der(der).ok_or(UNREADABLE)?;
    let leaf = chain.first().and_then(|first| Certificate::read(first)).ok_or(UNREADABLE)?;
    let Some(responder) = leaf.ocsp_responder() else { return Ok(None) };
    let pair = Pair::of_chain(der)?;
    let (leaf, issuer) = (&pair.leaf.0.tbs_certificate, &pair.issuer.0.tbs_certificate);
    let is_next = leaf.issuer == issuer.subject;
    if is_next { Ok(Some(responder)) } else { Err("issuer certificate not next to leaf") }
}

/// A certificate, and whoever issued it.
pub struct Pair {
    leaf: Certificate,
    issuer: Certificate,
}

impl Pair {
    /// The first two of a chain in DER.
    ///
    /// # Errors
    /// In lua-nginx-module's words, if they are not there.
    pub fn of_chain(der: &[u8]) -> Result<Self, &'static str> {
        let chain = super::pem::chain_of_der(der).ok_or(UNREADABLE)?;
        let leaf = chain.first().and_then(|first| Certificate::read(first)).ok_or(UNREADABLE)?;
        let issuer = chain.get(1).ok_or("no issuer certificate in chain")?;
        Ok(Self { leaf, issuer: Certificate::read(issuer).ok_or(UNREADABLE)? })
    }

    /// What the issuer is asked.
    pub fn request(&self) -> Option<Vec<u8>> {
        let algorithm = AlgorithmIdentifierOwned { oid: SHA1, parameters: Some(Null.into()) };
        let (name, key) = self.hashes(SHA1)?;
        let serial = self.leaf.0.tbs_certificate.serial_number.as_bytes();
        let id = CertId {
            hash_algorithm: algorithm,
            issuer_name_hash: OctetString::new(name).ok()?,
            issuer_key_hash: OctetString::new(key).ok()?,
            serial_number: x509_cert::serial_number::SerialNumber::new(serial).ok()?,
        };
        let asked = Request { req_cert: id, single_request_extensions: None };
        let request = TbsRequest {
            version: Version::V1,
            requestor_name: None,
            request_list: vec![asked],
            request_extensions: None,
        };
        OcspRequest { tbs_request: request, optional_signature: None }.to_der().ok()
    }

    /// Believes an answer that the issuer signed, or whom it made for that; until when it holds, in
    /// seconds since 1970, if it says that.
    ///
    /// # Errors
    /// In lua-nginx-module's words, if it does not say that the certificate is good.
    pub fn validate(&self, response: &[u8], now: SystemTime) -> Result<Option<u64>, String> {
        let basic = basic(response)?;
        if !is_known(&basic.signature_algorithm) {
            return Err(
                "OCSP_basic_verify() failed: signatures of this kind are not verified".into()
            );
        }
        if !self.is_signed(&basic, now) {
            return Err("OCSP_basic_verify() failed".to_owned());
        }
        let single = basic.tbs_response_data.responses.iter().find(|single| self.is_about(single));
        let single = single.ok_or("certificate status not found in the OCSP response")?;
        let status = match single.cert_status {
            CertStatus::Good(_) => "good",
            CertStatus::Revoked(_) => "revoked",
            CertStatus::Unknown(_) => "unknown",
        };
        if status != "good" {
            return Err(format!("certificate status \"{status}\" in the OCSP response"));
        }
        let from = time(&single.this_update);
        let until = single.next_update.as_ref().map(time);
        if from > now + LEEWAY || until.is_some_and(|until| until + LEEWAY < now) {
            return Err("OCSP_check_validity() failed".to_owned());
        }
        let seconds =
            |until: SystemTime| until.duration_since(UNIX_EPOCH).map(|since| since.as_secs());
        Ok(until.and_then(|until| seconds(until).ok()))
    }

    /// Whether an answer is about this certificate.
    fn is_about(&self, single: &SingleResponse) -> bool {
        let id = &single.cert_id;
        let Some((name, key)) = self.hashes(id.hash_algorithm.oid) else { return false };
        let serial = self.leaf.0.tbs_certificate.serial_number.as_bytes();
        id.serial_number.as_bytes() == serial
            && id.issuer_name_hash.as_bytes() == name
            && id.issuer_key_hash.as_bytes() == key
    }

    /// Of the issuer's name and key.
    fn hashes(&self, algorithm: ObjectIdentifier) -> Option<(Vec<u8>, Vec<u8>)> {
        let issuer = &self.issuer.0.tbs_certificate;
        let name = issuer.subject.to_der().ok()?;
        let key = issuer.subject_public_key_info.subject_public_key.raw_bytes();
        match algorithm {
            SHA1 => Some((Sha1::digest(&name).to_vec(), Sha1::digest(key).to_vec())),
            SHA256 => Some((Sha256::digest(&name).to_vec(), Sha256::digest(key).to_vec())),
            _ => None,
        }
    }

    fn is_signed(&self, basic: &BasicOcspResponse, now: SystemTime) -> bool {
        let Ok(message) = basic.tbs_response_data.to_der() else { return false };
        let Some(signature) = basic.signature.as_bytes() else { return false };
        let by = |key: &SubjectPublicKeyInfoOwned| {
            is_signed(&message, &basic.signature_algorithm, signature, key)
        };
        let issuer = &self.issuer.0.tbs_certificate.subject_public_key_info;
        let made = basic
            .certs
            .iter()
            .flatten()
            .take(MOST_SIGNERS)
            .filter(|other| self.made_to_sign(other, now));
        by(issuer)
            || made.into_iter().any(|other| by(&other.tbs_certificate.subject_public_key_info))
    }

    /// Whether the issuer made a certificate to sign such answers, and it is valid.
    fn made_to_sign(&self, other: &x509_cert::Certificate, now: SystemTime) -> bool {
        let inner = &other.tbs_certificate;
        let issuer = &self.issuer.0.tbs_certificate;
        let usage = inner.get::<ExtendedKeyUsage>();
        let may = matches!(&usage, Ok(Some((_, usage))) if usage.0.contains(&SIGNS_OCSP));
        let since = |at: Duration| UNIX_EPOCH + at;
        let (from, to) = (inner.validity.not_before, inner.validity.not_after);
        let valid = since(from.to_unix_duration()) <= now + LEEWAY
            && now <= since(to.to_unix_duration()) + LEEWAY;
        let (Ok(message), Some(signature)) = (inner.to_der(), other.signature.as_bytes()) else {
            return false;
        };
        let key = &issuer.subject_public_key_info;
        may && valid
            && inner.issuer == issuer.subject
            && is_signed(&message, &other.signature_algorithm, signature, key)
    }
}

fn basic(response: &[u8]) -> Result<BasicOcspResponse, String> {
    let fits = if response.len() > LONGEST { &[][..] } else { response };
    let response = OcspResponse::from_der(fits);
    let response = response.map_err(|_| "d2i_OCSP_RESPONSE() failed".to_owned())?;
    if response.response_status != OcspResponseStatus::Successful {
        let number = response.response_status as u8;
        let words = match response.response_status {
            OcspResponseStatus::Successful => "successful",
            OcspResponseStatus::MalformedRequest => "malformedrequest",
            OcspResponseStatus::InternalError => "internalerror",
            OcspResponseStatus::TryLater => "trylater",
            OcspResponseStatus::SigRequired => "sigrequired",
            OcspResponseStatus::Unauthorized => "unauthorized",
        };
        return Err(format!("OCSP response not successful ({number}: {words})"));
    }
    let bytes = response.response_bytes.filter(|bytes| bytes.response_type == BASIC);
    let basic = bytes.map(|bytes| BasicOcspResponse::from_der(bytes.response.as_bytes()));
    basic.and_then(Result::ok).ok_or_else(|| "OCSP_response_get1_basic() failed".to_owned())
}

fn time(time: &OcspGeneralizedTime) -> SystemTime {
    UNIX_EPOCH + time.0.to_unix_duration()
}

/// An algorithm as pki-types has it: what is in its sequence, without the head.
fn inside(algorithm: &AlgorithmIdentifierOwned) -> Option<Vec<u8>> {
    algorithm.to_der().ok().and_then(|der| der.get(2..).map(<[u8]>::to_vec))
}

/// Whether signatures of this kind can be verified: those with SHA-1 cannot.
fn is_known(algorithm: &AlgorithmIdentifierOwned) -> bool {
    let kind = inside(algorithm);
    let known = algorithms().all;
    kind.is_some_and(|kind| known.iter().any(|one| one.signature_alg_id().as_ref() == kind))
}

/// Whether whoever has the key signed the message.
fn is_signed(
    message: &[u8],
    algorithm: &AlgorithmIdentifierOwned,
    signature: &[u8],
    key: &SubjectPublicKeyInfoOwned,
) -> bool {
    let (Some(kind), Some(of_key)) = (inside(algorithm), inside(&key.algorithm)) else {
        return false;
    };
    let Some(bits) = key.subject_public_key.as_bytes() else { return false };
    let known = algorithms().all.iter();
    let mut fitting = known.filter(|one| {
        one.signature_alg_id().as_ref() == kind && one.public_key_alg_id().as_ref() == of_key
    });
    fitting.any(|one| one.verify_signature(bits, message, signature).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_answer_is_not_believed() {
        for bytes in [&b""[..], b"x", &[0x30, 3, 0x0A, 1, 0]] {
            assert!(basic(bytes).is_err(), "{bytes:?}");
        }
        let refused = basic(&[0x30, 3, 0x0A, 1, 6]).unwrap_err();
        assert_eq!(refused, "OCSP response not successful (6: unauthorized)");
    }

    #[test]
    fn a_chain_without_its_issuer_can_be_asked_about_nowhere() {
        assert!(Pair::of_chain(b"x").is_err_and(|words| words == "d2i_X509_bio() failed"));
    }
}
