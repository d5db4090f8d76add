//! A server: a site.

use std::net::SocketAddr;

use serde_json::{Map, Value, json};

use super::location::{self, Place};
use super::scope::Scope;
use super::top::Top;
use super::tree::Directive;
use super::{Emerg, Left, scripts, tls};

/// The site of a server; none if it listens on nothing that can be listened on.
pub(super) fn translate<'a>(
    top: &mut Top<'_>,
    directive: &'a Directive,
    around: &'a Scope<'a>,
) -> Result<Option<Value>, Emerg> {
    let scope = around.inner(&directive.block);
    let mut site = Map::new();
    let Some(listening) = listening(top, &scope)? else { return Ok(None) };
    site.extend(listening);
    let names = scope.own.iter().filter(|directive| directive.name == "server_name");
    let names: Vec<&String> = names.flat_map(|directive| &directive.args).collect();
    site.insert("names".into(), json!(names));
    if let Some(tls) = tls::of_server(&scope, top.conf)? {
        site.insert("tls".into(), tls);
    }
    let mut routes = Vec::new();
    let mut place = Place { top, prefix: Some("/".to_owned()) };
    for phase in ["server_rewrite", "ssl_client_hello", "ssl_certificate"] {
        scripts::put_phase(&scope, phase, place.top.prefix, &mut site);
    }
    let found = location::body(&mut place, &scope, &mut site, &mut routes)?;
    routes.extend(found);
    site.insert("routes".into(), Value::Array(routes));
    Ok(Some(Value::Object(site)))
}

fn listening(top: &mut Top<'_>, scope: &Scope<'_>) -> Result<Option<Map<String, Value>>, Emerg> {
    let mut addresses = Vec::new();
    let mut default = false;
    let listens = scope.own.iter().filter(|directive| directive.name == "listen");
    let mut any = false;
    for directive in listens {
        any = true;
        let has = |word: &str| directive.args.iter().any(|arg| arg == word);
        default |= has("default_server") || has("default");
        let why = match () {
            () if has("quic") => "HTTP/3 is not spoken",
            () if directive.arg(0).starts_with("unix:") => {
                let path = path(directive)?;
                top.listen_on(&path, has("ssl"));
                addresses.push(path);
                continue;
            }
            () => {
                let address = address(directive)?;
                top.listen(address, has("proxy_protocol"), has("ssl"));
                addresses.push(address.to_string());
                continue;
            }
        };
        top.left.push(Left {
            directive: directive.shown(),
            file: directive.file.to_string(),
            line: directive.line,
            instead: why.to_owned(),
        });
    }
    if !any {
        let address = SocketAddr::from(([0, 0, 0, 0], 80));
        top.listen(address, false, false);
        addresses.push(address.to_string());
    }
    let site = [("listen".to_owned(), json!(addresses)), ("default".to_owned(), json!(default))];
    Ok((!addresses.is_empty()).then(|| site.into_iter().collect()))
}

/// A Unix socket, as our settings write it.
fn path(directive: &Directive) -> Result<String, Emerg> {
    let text = directive.arg(0);
    match text.strip_prefix("unix:") {
        Some("") => Err(directive.fault(format!(
            "no path in the unix domain socket in \"{text}\" of the \"listen\" directive"
        ))),
        // A relative one is relative to wherever nginx was started.
        Some(path) if !path.starts_with('/') => Ok(format!("unix:/{path}")),
        _ => Ok(text.to_owned()),
    }
}

fn address(directive: &Directive) -> Result<SocketAddr, Emerg> {
    let text = directive.arg(0);
    let unfit = || directive.fault(format!("invalid parameter \"{text}\""));
    if let Ok(port) = text.parse::<u16>() {
        return Ok(SocketAddr::from(([0, 0, 0, 0], port)));
    }
    let text = text.replace('*', "0.0.0.0").replace("localhost", "127.0.0.1");
    let with_port = if text.rsplit(':').next().is_some_and(|port| port.parse::<u16>().is_ok()) {
        text.clone()
    } else {
        format!("{text}:80")
    };
    with_port.parse().map_err(|_| {
        let host = text.rsplit_once(':').map_or(text.as_str(), |(host, _)| host);
        if host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte)) {
            directive.fault(format!("host not found in \"{text}\" of the \"listen\" directive"))
        } else {
            unfit()
        }
    })
}
