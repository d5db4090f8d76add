//! How a server speaks TLS, and how upstreams are spoken to.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::Emerg;
use super::directives::{CARRIED, IGNORED, MANY, row};
use super::known::{Fate, Known};
use super::scope::Scope;
use super::tree::Directive;

const NO_LISTS: Fate = Fate::Left("lists of what was revoked are not read");
const NO_OPENSSL: Fate = Fate::Left("there is no OpenSSL to be commanded");
const NO_PASSPHRASE: Fate = Fate::Left("write the key without a passphrase");
const RUSTLS: Fate = Fate::Left(
    "the ciphers are those of rustls: all that TLS 1.3 has, and of TLS 1.2 those with ECDHE and AES-GCM or ChaCha20",
);

/// The directives.
pub(super) const DIRECTIVES: &[Known] = &[
    row("ssl", "HS", 1, 1, Fate::Only("off", "say it in `listen`")),
    row("ssl_certificate", "HS", 1, 1, CARRIED),
    row("ssl_certificate_key", "HS", 1, 1, CARRIED),
    row("ssl_protocols", "HS", 1, MANY, CARRIED),
    row("ssl_client_certificate", "HS", 1, 1, CARRIED),
    row("ssl_trusted_certificate", "HS", 1, 1, CARRIED),
    row("ssl_verify_client", "HS", 1, 1, CARRIED),
    row("ssl_reject_handshake", "HS", 1, 1, CARRIED),
    row("ssl_ciphers", "HS", 1, 1, RUSTLS),
    row("ssl_prefer_server_ciphers", "HS", 1, 1, IGNORED),
    row("ssl_dhparam", "HS", 1, 1, IGNORED),
    row("ssl_ecdh_curve", "HS", 1, 1, IGNORED),
    row("ssl_buffer_size", "HS", 1, 1, IGNORED),
    row("ssl_session_cache", "HS", 1, 2, IGNORED),
    row("ssl_session_timeout", "HS", 1, 1, IGNORED),
    row(
        "ssl_session_tickets",
        "HS",
        1,
        1,
        Fate::Only(
            "on",
            "sessions go on by tickets, whose keys are the process's own and change every six hours",
        ),
    ),
    row(
        "ssl_session_ticket_key",
        "HS",
        1,
        1,
        Fate::Left("the keys of tickets are the process's own"),
    ),
    row("ssl_verify_depth", "HS", 1, 1, IGNORED),
    row("ssl_early_data", "HS", 1, 1, Fate::Only("off", "early data is not taken")),
    row("ssl_password_file", "HS", 1, 1, NO_PASSPHRASE),
    row("ssl_crl", "HS", 1, 1, NO_LISTS),
    row(
        "ssl_stapling",
        "HS",
        1,
        1,
        Fate::Only("off", "staple by `ngx.ocsp` in `ssl_certificate_by_lua_block`"),
    ),
    row(
        "ssl_stapling_file",
        "HS",
        1,
        1,
        Fate::Left("staple by `ngx.ocsp` in `ssl_certificate_by_lua_block`"),
    ),
    row("ssl_stapling_responder", "HS", 1, 1, IGNORED),
    row("ssl_stapling_verify", "HS", 1, 1, IGNORED),
    row("ssl_conf_command", "HS", 2, 2, NO_OPENSSL),
    row("proxy_ssl_verify", "HSL", 1, 1, CARRIED),
    row("proxy_ssl_name", "HSL", 1, 1, CARRIED),
    row("proxy_ssl_server_name", "HSL", 1, 1, CARRIED),
    row("proxy_ssl_session_reuse", "HSL", 1, 1, IGNORED),
    row("proxy_ssl_certificate", "HSL", 1, 1, CARRIED),
    row("proxy_ssl_certificate_key", "HSL", 1, 1, CARRIED),
    row("proxy_ssl_trusted_certificate", "HSL", 1, 1, CARRIED),
    row("proxy_ssl_protocols", "HSL", 1, MANY, CARRIED),
    row("proxy_ssl_ciphers", "HSL", 1, 1, RUSTLS),
    row("proxy_ssl_verify_depth", "HSL", 1, 1, IGNORED),
    row("proxy_ssl_conf_command", "HSL", 2, 2, NO_OPENSSL),
    row("proxy_ssl_crl", "HSL", 1, 1, NO_LISTS),
    row("proxy_ssl_password_file", "HSL", 1, 1, NO_PASSPHRASE),
];

/// The `tls` of a server's site; none: it has no certificate of its own.
pub(super) fn of_server(scope: &Scope<'_>, conf: &Path) -> Result<Option<Value>, Emerg> {
    let certificates = scope.all("ssl_certificate");
    let rejects = scope.flag("ssl_reject_handshake", false);
    if certificates.is_empty() && !rejects {
        return Ok(None);
    }
    let keys = scope.all("ssl_certificate_key");
    let mut tls = Map::new();
    if !rejects {
        let pairs = certificates.iter().enumerate().map(|(place, certificate)| {
            let key = keys.get(place).ok_or_else(|| no_key(certificate))?;
            Ok(json!({ "certificate": file(certificate, conf), "key": file(key, conf) }))
        });
        tls.insert("certificates".into(), Value::Array(pairs.collect::<Result<_, Emerg>>()?));
    }
    if let Some(protocols) = protocols(scope.get("ssl_protocols")) {
        tls.insert("protocols".into(), json!(protocols));
    }
    verification(scope, conf, &mut tls)?;
    Ok(Some(Value::Object(tls)))
}

fn file(directive: &Directive, conf: &Path) -> String {
    conf.join(directive.arg(0)).to_string_lossy().into_owned()
}

fn no_key(certificate: &Directive) -> Emerg {
    let message =
        format!("no \"ssl_certificate_key\" is defined for certificate \"{}\"", certificate.arg(0));
    Emerg { message, file: String::new(), line: 0 }
}

/// The versions, without those that are older than any here. Where all are older, the settings' own hold.
fn protocols(found: Option<&Directive>) -> Option<Vec<String>> {
    let found = found?;
    let known = |version: &&String| matches!(version.as_str(), "TLSv1.2" | "TLSv1.3");
    let spoken: Vec<String> = found.args.iter().filter(known).cloned().collect();
    (!spoken.is_empty()).then_some(spoken)
}

fn verification(scope: &Scope<'_>, conf: &Path, tls: &mut Map<String, Value>) -> Result<(), Emerg> {
    let Some(found) = scope.get("ssl_verify_client") else { return Ok(()) };
    let wanted = match found.arg(0) {
        "on" => "require",
        "optional" => "optional",
        "optional_no_ca" => "ask",
        "off" => return Ok(()),
        other => return Err(found.fault(format!("invalid value \"{other}\""))),
    };
    let trusted = ["ssl_client_certificate", "ssl_trusted_certificate"];
    match trusted.iter().find_map(|name| scope.get(name)) {
        Some(trusted) => drop(tls.insert("client_ca".into(), json!(file(trusted, conf)))),
        None if wanted == "ask" => {}
        None => {
            let message = "no ssl_client_certificate for ssl_verify_client".to_owned();
            return Err(Emerg { message, file: String::new(), line: 0 });
        }
    }
    tls.insert("verify_client".into(), json!(wanted));
    Ok(())
}

/// The `tls` of the upstream that `proxy_pass` names as this host.
pub(super) fn of_upstream(scope: &Scope<'_>, conf: &Path, host: &str) -> Result<Value, Emerg> {
    let mut tls = Map::new();
    let written = scope.get("proxy_ssl_name").map(|name| name.arg(0));
    let name = written.filter(|name| !name.contains('$')).unwrap_or(host);
    tls.insert("name".into(), json!(name));
    tls.insert("sni".into(), json!(scope.flag("proxy_ssl_server_name", false)));
    let verify = scope.flag("proxy_ssl_verify", false);
    tls.insert("verify".into(), json!(verify));
    if verify {
        let trusted = scope.get("proxy_ssl_trusted_certificate").ok_or_else(|| Emerg {
            message: "no proxy_ssl_trusted_certificate for proxy_ssl_verify".to_owned(),
            file: String::new(),
            line: 0,
        })?;
        tls.insert("ca".into(), json!(file(trusted, conf)));
    }
    let own = ["proxy_ssl_certificate", "proxy_ssl_certificate_key"].map(|name| scope.get(name));
    if let [Some(certificate), Some(key)] = own {
        tls.insert("certificate".into(), json!(file(certificate, conf)));
        tls.insert("key".into(), json!(file(key, conf)));
    }
    if let Some(protocols) = protocols(scope.get("proxy_ssl_protocols")) {
        tls.insert("protocols".into(), json!(protocols));
    }
    Ok(Value::Object(tls))
}
