//! How each listening address and site of a policy speaks TLS, and what is read for that.

use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::config::{Config, Endpoint, Tls, TlsFile};
use crate::diagnostic::Diagnostic;
use crate::shared::tls::Terms;
use crate::transaction::{Client, Phase};
use crate::upstream;

use super::RoutePlan;

/// The terms of a policy's handshakes.
#[derive(Debug, Default)]
pub struct Handshakes {
    listeners: Vec<(Endpoint, Arc<Terms>)>,
    /// By site.
    sites: Vec<Option<Arc<Terms>>>,
    /// Of all files that were read for them.
    digest: [u8; 32],
}

impl Handshakes {
    /// Those of the settings, and what is wrong with their files.
    pub(super) fn new(config: &Config) -> (Self, Vec<Diagnostic>) {
        let mut faults = Vec::new();
        let mut hasher = Sha256::new();
        let mut terms = |tls: &Arc<Tls>| {
            digest(&mut hasher, tls);
            Arc::new(Terms::new(tls, &mut faults))
        };
        let listeners = config.tls.iter().map(|(endpoint, tls)| (endpoint.clone(), terms(tls)));
        let listeners = listeners.collect();
        let sites = config.sites.iter().map(|site| site.tls.as_ref().map(&mut terms)).collect();
        for tls in config.upstreams.iter().filter_map(|upstream| upstream.tls.as_deref()) {
            let pair = tls.identity.iter().flat_map(|pair| [&pair.certificate, &pair.key]);
            digest_files(&mut hasher, pair.chain(&tls.authority));
            faults.extend(upstream::faults_of(tls));
        }
        let digest = hasher.finalize().into();
        (Self { listeners, sites, digest }, faults)
    }

    /// Whether both are of the same files.
    pub(super) fn are_same(&self, other: &Self) -> bool {
        self.digest == other.digest
    }

    /// The terms of a listening address; none: TLS is not spoken there.
    pub fn at(&self, client: &Client) -> Option<&Arc<Terms>> {
        let is_there = |endpoint: &Endpoint| match (endpoint, &client.path) {
            (Endpoint::Path(path), Some(known)) => path == known,
            (Endpoint::Address(address), None) => *address == client.listener,
            _ => false,
        };
        self.listeners.iter().find(|(endpoint, _)| is_there(endpoint)).map(|(_, terms)| terms)
    }

    /// The terms for a client that came to this site, if the site has its own.
    pub fn of_site(&self, site: Option<usize>) -> Option<&Arc<Terms>> {
        self.sites.get(site?)?.as_ref()
    }

    /// Listening addresses that speak TLS, for which nobody has a certificate.
    pub(super) fn bare(&self, config: &Config, plans: &[RoutePlan]) -> Vec<Diagnostic> {
        let sites = self.sites.iter().flatten().any(|terms| terms.have_certificates());
        let has_script = |plan: &RoutePlan| {
            [Phase::SslCertificate, Phase::SslClientHello]
                .into_iter()
                .any(|phase| !plan.of(phase).is_empty())
        };
        if sites || plans.iter().any(has_script) {
            return Vec::new();
        }
        let bare = config.tls.iter().zip(&self.listeners);
        let bare = bare.filter(|(_, (_, terms))| !terms.have_certificates());
        bare.map(|((_, tls), _)| bare_fault(tls)).collect()
    }
}

fn bare_fault(tls: &Tls) -> Diagnostic {
    let (source, span) = &tls.place;
    let message = "TLS is to be spoken here, and nobody has a certificate";
    let help = "write `tls: { certificate: FILE, key: FILE }`, there or in a site, or choose one in `ssl_certificate_by_lua_block`";
    Diagnostic::error("tls::no-certificate", message).help(help).at(source, *span, "no certificate")
}

fn digest(hasher: &mut Sha256, tls: &Tls) {
    hasher.update(format!("{:?}{:?}\0", tls.protocols, tls.verify_client));
    let pairs = tls.certificates.iter();
    let files = pairs.flat_map(|pair| [&pair.certificate, &pair.key]).chain(&tls.client_ca);
    digest_files(hasher, files);
}

fn digest_files<'a>(hasher: &mut Sha256, files: impl Iterator<Item = &'a TlsFile>) {
    for file in files {
        hasher.update(format!("{}\0{}\0", file.name, file.bytes.len()));
        hasher.update(&file.bytes);
    }
}
