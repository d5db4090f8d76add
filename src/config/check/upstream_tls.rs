//! `tls` of an upstream.

use std::sync::Arc;

use super::tls::{authority, pair, protocols};
use crate::config::section::Section;
use crate::config::settings::UPSTREAM_TLS;
use crate::config::{UpstreamTls, values};

/// What is said under `tls`, if anything is.
pub fn read(upstream: &Section<'_>) -> Option<Arc<UpstreamTls>> {
    let section = Section::open(&upstream.get("tls")?, &UPSTREAM_TLS);
    let ca = section.get("ca");
    let verify = section.flag("verify");
    if let (Some(ca), false) = (&ca, verify) {
        ca.bad_value("nobody is judged by it", "write `verify: true`, or leave `ca` out");
    }
    Some(Arc::new(UpstreamTls {
        name: name(&section),
        sni: section.flag("sni"),
        verify,
        authority: ca.and_then(|found| authority(&found)),
        identity: pair(&section),
        protocols: protocols(&section),
    }))
}

fn name(section: &Section<'_>) -> Option<String> {
    let (name, found) = section.text("name")?;
    if name.parse::<std::net::IpAddr>().is_err() && !values::is_name(&name) {
        found.bad_value("not a name that a certificate can have", "write it like `app.internal`");
    }
    Some(name.to_ascii_lowercase())
}
