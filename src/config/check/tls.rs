//! `tls`, of a listening address or a site.

use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::config::raw::Value;
use crate::config::section::{Found, Section};
use crate::config::settings::{CERTIFICATE, LISTENER, TLS};
use crate::config::values;
use crate::config::{Endpoint, KeyPair, Protocols, Tls, TlsFile, VerifyClient};
use crate::diagnostic::Diagnostic;

/// Bytes of a file with certificates or a key at the most.
const LARGEST: usize = 1 << 20;

/// The listening addresses that speak TLS. Those of the command line do not.
pub fn of_listeners(file: &Section<'_>) -> Vec<(Endpoint, Arc<Tls>)> {
    if !file.check.overrides.listen.is_empty() {
        return Vec::new();
    }
    let items = file.get("listen").map(|found| found.items()).unwrap_or_default();
    items.iter().filter_map(of_listener).collect()
}

fn of_listener(item: &Found<'_>) -> Option<(Endpoint, Arc<Tls>)> {
    if !matches!(item.node.value, Value::Map(_)) {
        return None;
    }
    // Its keys were checked when its address was read.
    let section = Section { node: Some(item.node), ..Section::absent(item.check, &LISTENER) };
    let section = Section { path: item.path.clone(), ..section };
    let tls = read(&section)?;
    let text = section.get("address")?.node.text(&item.check.source)?.to_owned();
    let endpoint = match values::unix_path(&text) {
        Some(path) => Endpoint::Path(path.into()),
        None => Endpoint::Address(values::listening(&text).ok()?),
    };
    Some((endpoint, tls))
}

/// What is said under `tls`, if anything is.
pub fn read(around: &Section<'_>) -> Option<Arc<Tls>> {
    let found = around.get("tls")?;
    let section = Section::open(&found, &TLS);
    let protocols = protocols(&section);
    let (verify_client, client_ca) = verification(&section);
    let mut certificates: Vec<KeyPair> = pair(&section).into_iter().collect();
    let listed = section.get("certificates").map(|found| found.items()).unwrap_or_default();
    certificates.extend(listed.iter().filter_map(|item| pair(&Section::open(item, &CERTIFICATE))));
    Some(Arc::new(Tls {
        certificates,
        protocols,
        verify_client,
        client_ca,
        refuses_expired: !around.check.overrides.nginx,
        place: (found.check.source.clone(), found.node.span),
    }))
}

/// A certificate and its key; both are there, or neither.
pub(super) fn pair(section: &Section<'_>) -> Option<KeyPair> {
    let certificate = section.get("certificate");
    let key = section.get("key");
    let (certificate, key) = match (certificate, key) {
        (Some(certificate), Some(key)) => (certificate, key),
        (None, None) if section.table.place != CERTIFICATE.place => return None,
        (None, None) => {
            let fault = Diagnostic::error("config::missing", "a certificate has a file and a key");
            let help = "write `{ certificate: tls/shop.pem, key: tls/shop.key }`";
            let place = section.node?.span;
            section.check.report(fault.help(help), place, "both are missing");
            return None;
        }
        (Some(one), None) => return lonely(&one, "key"),
        (None, Some(one)) => return lonely(&one, "certificate"),
    };
    let names = section.table.row("names").map(|_| section.texts("names")).unwrap_or_default();
    let names = names.into_iter().map(|(name, _)| name.to_ascii_lowercase()).collect();
    let certificate = sealed(&certificate, "such as `tls/shop.pem`");
    let key = sealed(&key, "such as `tls/shop.key`");
    Some(KeyPair { names, certificate: certificate?, key: key? })
}

fn lonely(found: &Found<'_>, missing: &str) -> Option<KeyPair> {
    found.bad_value(
        &format!("its `{missing}` is missing"),
        &format!("write `{missing}: FILE` beside it"),
    );
    None
}

/// A file that is read again with all settings, and kept nowhere: a certificate goes with its key.
fn sealed(found: &Found<'_>, example: &str) -> Option<TlsFile> {
    let name = found.text_as("a path", example)?;
    read_file(found, name, |path| found.check.files.secret(path))
}

fn read_file(
    found: &Found<'_>,
    name: String,
    read: impl FnOnce(&Path) -> io::Result<Vec<u8>>,
) -> Option<TlsFile> {
    let path = found.check.root.join(&name);
    let told = match read(&path) {
        Ok(bytes) if bytes.len() > LARGEST => "it is larger than 1MiB".to_owned(),
        Ok(bytes) => {
            let place = (found.check.source.clone(), found.node.span);
            return Some(TlsFile { name, bytes: bytes.into(), place });
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => "there is no such file".to_owned(),
        Err(error) => error.to_string(),
    };
    let fault = Diagnostic::error("config::not-found", format!("`{name}` cannot be read: {told}"));
    let help = format!("looked for {}; write the file, or correct the path", path.display());
    found.report(fault.help(help), "named here");
    None
}

/// The versions that are spoken.
pub(super) fn protocols(section: &Section<'_>) -> Protocols {
    let Some(found) = section.get("protocols") else { return Protocols::ALL };
    let mut protocols = Protocols { tls12: false, tls13: false };
    for item in found.items() {
        match item.choice(&["TLSv1.2", "TLSv1.3"]) {
            Some("TLSv1.2") => protocols.tls12 = true,
            Some(_) => protocols.tls13 = true,
            None => return Protocols::ALL,
        }
    }
    if found.items().is_empty() {
        found.bad_value("an empty list", "name `TLSv1.2`, `TLSv1.3` or both");
        return Protocols::ALL;
    }
    protocols
}

fn verification(section: &Section<'_>) -> (VerifyClient, Option<TlsFile>) {
    let named = section.get("client_ca");
    let is_named = named.is_some();
    let authority = named.and_then(|found| authority(&found));
    let verify_client = match section.choice("verify_client") {
        "ask" => VerifyClient::Ask,
        "optional" => VerifyClient::Optional,
        "require" => VerifyClient::Require,
        _ => VerifyClient::Off,
    };
    if let (VerifyClient::Optional | VerifyClient::Require, false, Some(found)) =
        (verify_client, is_named, section.get("verify_client"))
    {
        found.bad_value("nobody is named who signs them", "write `client_ca: FILE` beside it");
    }
    (verify_client, authority)
}

/// Who signs certificates.
pub(super) fn authority(found: &Found<'_>) -> Option<TlsFile> {
    let name = found.text_as("a path", "such as `tls/clients.pem`")?;
    read_file(found, name, |path| found.check.files.read(path))
}
