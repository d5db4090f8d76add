//! `proxy_pass` and what goes with it.

use serde_json::{Map, Value, json};

use super::location::Place;
use super::scope::Scope;
use super::tree::Directive;
use super::units::{milliseconds, time};
use super::{Emerg, Left, tls};

const BARE_TLS: &str =
    "name the server without variables: TLS is spoken to upstreams that are declared";

/// Puts the upstream that answers, and what it gets, into a route.
pub(super) fn put(
    place: &mut Place<'_, '_>,
    pass: &Directive,
    scope: &Scope<'_>,
    route: &mut Map<String, Value>,
) -> Result<(), Emerg> {
    let url = pass.arg(0);
    let mut forward = headers(scope);
    if url.contains('$') {
        if url.starts_with("https://") {
            return left(place, pass, BARE_TLS);
        }
        forward.insert("url".into(), json!(url));
        route.insert("forward".into(), Value::Object(forward));
        return Ok(());
    }
    let (rest, is_secure) = match (url.strip_prefix("http://"), url.strip_prefix("https://")) {
        (Some(rest), _) => (rest, false),
        (None, Some(rest)) => (rest, true),
        (None, None) => return Err(pass.fault("invalid URL prefix")),
    };
    let (authority, uri) = parts(rest);
    if authority.is_empty() {
        return Err(pass.fault("no host in upstream"));
    }
    if !uri.is_empty() {
        let Some(prefix) = place.prefix.clone() else {
            return Err(pass.fault(
                "\"proxy_pass\" cannot have URI part in location given by regular expression, or \
                 inside named location, or inside \"if\" statement, or inside \"limit_except\" \
                 block",
            ));
        };
        forward.insert("replace".into(), json!([prefix, uri]));
    }
    // As nginx says of what has no name.
    let told = if authority.starts_with("unix:") { "localhost" } else { authority };
    forward.insert("authority".into(), json!(told));
    let mut settings = timeouts(scope);
    if is_secure {
        if let Some(name) = scope.get("proxy_ssl_name").filter(|name| is_computed(name)) {
            left(place, name, "the name is the host of `proxy_pass`: it cannot be computed")?;
        }
        let tls = tls::of_upstream(scope, place.top.conf, host(told))?;
        settings.insert("tls".into(), tls);
    }
    let name = place.top.upstreams.name(authority, settings);
    route.insert("upstream".into(), json!(name));
    route.insert("forward".into(), Value::Object(forward));
    Ok(())
}

/// Where the upstream is, and what of its path is told: `host:port/path`, `unix:/socket:/path`.
fn parts(rest: &str) -> (&str, &str) {
    if let Some(path) = rest.strip_prefix("unix:") {
        let end = path.find(':').map_or(rest.len(), |end| end + "unix:".len());
        let (authority, uri) = rest.split_at(end);
        return (authority, uri.strip_prefix(':').unwrap_or(uri));
    }
    let end = rest.find(['/', '?']);
    rest.split_at(end.unwrap_or(rest.len()))
}

fn is_computed(name: &Directive) -> bool {
    name.arg(0).contains('$') && name.arg(0) != "$proxy_host"
}

/// The host of `host:port`.
fn host(authority: &str) -> &str {
    if let Some(rest) = authority.strip_prefix('[') {
        return rest.split(']').next().unwrap_or(rest);
    }
    authority.split(':').next().unwrap_or(authority)
}

fn left(place: &mut Place<'_, '_>, pass: &Directive, instead: &str) -> Result<(), Emerg> {
    place.top.left.push(Left {
        directive: pass.shown(),
        file: pass.file.to_string(),
        line: pass.line,
        instead: instead.to_owned(),
    });
    Ok(())
}

/// What the upstream is told besides what the client said.
fn headers(scope: &Scope<'_>) -> Map<String, Value> {
    let set = scope.all("proxy_set_header");
    let set: Vec<[&str; 2]> = set.iter().map(|set| [set.arg(0), set.arg(1)]).collect();
    let mut forward = Map::new();
    if !set.is_empty() {
        forward.insert("headers".into(), json!(set));
    }
    if let Some(bind) = scope.get("proxy_bind").filter(|bind| bind.arg(0) != "off") {
        forward.insert("bind".into(), json!(bind.arg(0)));
    }
    if let Some(method) = scope.get("proxy_method") {
        forward.insert("method".into(), json!(method.arg(0)));
    }
    for (directive, key) in
        [("proxy_pass_request_headers", "client_headers"), ("proxy_pass_request_body", "body")]
    {
        if !scope.flag(directive, true) {
            forward.insert(key.into(), json!(false));
        }
    }
    if scope.get("proxy_http_version").is_none_or(|version| version.arg(0) == "1.0") {
        forward.insert("http10".into(), json!(true));
    }
    if scope.flag("proxy_intercept_errors", false) {
        forward.insert("own_error_pages".into(), json!(true));
    }
    forward
}

/// The upstream's settings that nginx says in the location.
fn timeouts(scope: &Scope<'_>) -> Map<String, Value> {
    let mut settings = Map::new();
    for (directive, key) in [
        ("proxy_connect_timeout", "connect_timeout"),
        ("proxy_read_timeout", "read_timeout"),
        ("proxy_send_timeout", "write_timeout"),
    ] {
        if let Some(wanted) = scope.get(directive).and_then(|found| milliseconds(found.arg(0))) {
            settings.insert(key.into(), json!(time(wanted.max(1))));
        }
    }
    next_upstream(scope, &mut settings);
    settings
}

/// When and how often another peer is tried.
fn next_upstream(scope: &Scope<'_>, settings: &mut Map<String, Value>) {
    let tries = scope.get("proxy_next_upstream_tries").and_then(|found| found.arg(0).parse().ok());
    let mut most = tries.unwrap_or(0_u64).min(1000);
    if let Some(causes) = scope.get("proxy_next_upstream") {
        if causes.args.iter().any(|cause| cause == "off") {
            most = 1;
        }
        let status = |cause: &String| cause.strip_prefix("http_")?.parse::<u16>().ok();
        let statuses: Vec<u16> = causes.args.iter().filter_map(status).collect();
        if !statuses.is_empty() {
            settings.insert("retry_on".into(), json!(statuses));
        }
    }
    settings.insert("most_tries".into(), json!(most));
}
