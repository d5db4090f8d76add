//! Certificates and keys, read.

use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// A certificate, and those that lead to whoever is trusted.
pub type Chain = Vec<CertificateDer<'static>>;

/// All certificates of a text in PEM; none if there is none, or one is broken.
pub fn chain(pem: &[u8]) -> Option<Chain> {
    let found: Result<Chain, _> = CertificateDer::pem_slice_iter(pem).collect();
    found.ok().filter(|chain| !chain.is_empty())
}

/// The first private key of a text in PEM.
pub fn key(pem: &[u8]) -> Option<PrivateKeyDer<'static>> {
    PrivateKeyDer::from_pem_slice(pem).ok()
}

/// Certificates one behind the other: each says how long it is.
pub fn chain_of_der(mut der: &[u8]) -> Option<Chain> {
    let mut chain = Vec::new();
    while !der.is_empty() {
        let length = length_of(der).filter(|length| *length <= der.len())?;
        let (first, rest) = der.split_at(length);
        chain.push(CertificateDer::from(first.to_vec()));
        der = rest;
    }
    (!chain.is_empty()).then_some(chain)
}

/// A private key in DER.
pub fn key_of_der(der: &[u8]) -> Option<PrivateKeyDer<'static>> {
    PrivateKeyDer::try_from(der.to_vec()).ok()
}

/// Bytes of a DER sequence, its head included.
fn length_of(der: &[u8]) -> Option<usize> {
    let [0x30, first, rest @ ..] = der else { return None };
    if *first < 0x80 {
        return Some(2 + usize::from(*first));
    }
    let digits = usize::from(first & 0x7f);
    let length = rest.get(..digits).filter(|digits| (1..=4).contains(&digits.len()))?;
    let length = length.iter().fold(0, |sum, digit| sum << 8 | usize::from(*digit));
    Some(2 + digits + length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_in_a_row_are_told_apart_by_their_lengths() {
        let long = [&[0x30, 0x82, 0x01, 0x00][..], &[7; 256]].concat();
        let chain = chain_of_der(&[&[0x30, 2, 1, 1][..], &long].concat()).unwrap();
        let lengths: Vec<usize> = chain.iter().map(|der| der.len()).collect();
        assert_eq!(lengths, [4, 260]);
        for broken in [&b""[..], b"x", &[0x30], &[0x30, 5, 1], &[0x30, 0x85, 1, 1, 1, 1, 1, 1]] {
            assert!(chain_of_der(broken).is_none(), "{broken:?}");
        }
    }
}
