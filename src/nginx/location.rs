//! A location, or an `if` in one: a route.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use serde_json::{Map, Value, json};

use super::scope::Scope;
use super::steps::{Steps, cased};
use super::top::Top;
use super::tree::Directive;
use super::units::{milliseconds, size, time};
use super::{Emerg, content, echo, scripts};

/// Where in the tree of locations a route is made.
pub(super) struct Place<'p, 't> {
    pub(super) top: &'p mut Top<'t>,
    /// The path that begins with the location's own, if it is no pattern and has no name.
    pub(super) prefix: Option<String>,
}

/// The route of a location, with those inside of it; the branches of its `if` blocks come after it.
pub(super) fn translate<'a>(
    place: &mut Place<'_, '_>,
    directive: &'a Directive,
    around: &'a Scope<'a>,
    routes: &mut Vec<Value>,
) -> Result<(), Emerg> {
    let scope = around.inner(&directive.block);
    let matching = matching(directive)?;
    let mut route = Map::new();
    let shown = directive.args.join(" ");
    let name = match &matching {
        Matching::Name(name) => name.clone(),
        _ => format!("{} ({}:{})", shown, short(&directive.file), directive.line),
    };
    route.insert("name".into(), json!(name));
    if let Some(path) = matching.path() {
        route.insert("match".into(), json!({ "path": path }));
    }
    let outer = std::mem::replace(&mut place.prefix, matching.prefix());
    let inside = body(place, &scope, &mut route, routes);
    place.prefix = outer;
    let nested = inside?;
    if !nested.is_empty() {
        route.insert("routes".into(), Value::Array(nested));
    }
    routes.push(Value::Object(route));
    Ok(())
}

/// Everything of a location but its name and match; the locations inside of it.
pub(super) fn body<'a>(
    place: &mut Place<'_, '_>,
    scope: &'a Scope<'a>,
    route: &mut Map<String, Value>,
    routes: &mut Vec<Value>,
) -> Result<Vec<Value>, Emerg> {
    if scope.own.iter().any(|directive| directive.name == "internal") {
        route.insert("internal".into(), json!(true));
    }
    let prefix = place.top.prefix.to_owned();
    let mut steps = Steps { prefix: &prefix, branches: Vec::new() };
    let list = steps.of(scope.own)?;
    let branches = steps.branches;
    if !list.is_empty() {
        route.insert("steps".into(), Value::Array(list));
    }
    serve(place, scope, route)?;
    for (name, directive) in branches {
        branch(place, name, directive, scope, route, routes)?;
    }
    let mut nested = Vec::new();
    for inner in scope.own.iter().filter(|directive| directive.name == "location") {
        translate(place, inner, scope, &mut nested)?;
    }
    Ok(nested)
}

/// An `if` block with more than steps: a route that only the step before it enters. Who answers
/// outside of it answers inside, unless it says otherwise.
fn branch<'a>(
    place: &mut Place<'_, '_>,
    name: String,
    directive: &'a Directive,
    around: &'a Scope<'a>,
    outer: &Map<String, Value>,
    routes: &mut Vec<Value>,
) -> Result<(), Emerg> {
    let scope = around.inner(&directive.block);
    let mut route = Map::new();
    route.insert("name".into(), json!(name));
    let before = place.prefix.take();
    let done = serve(place, &scope, &mut route);
    place.prefix = before;
    done?;
    if route.contains_key("files") && !answers(&directive.block) {
        route.remove("files");
        for key in ["content_by_lua_block", "content_by_lua_file", "upstream", "forward", "files"] {
            if let Some(value) = outer.get(key) {
                route.insert(key.into(), value.clone());
            }
        }
    }
    routes.push(Value::Object(route));
    Ok(())
}

fn answers(block: &[Directive]) -> bool {
    block.iter().any(|directive| matches!(directive.name.as_str(), "root" | "index"))
}

/// Everything that is the same for locations, servers and `if` blocks.
pub(super) fn serve(
    place: &mut Place<'_, '_>,
    scope: &Scope<'_>,
    route: &mut Map<String, Value>,
) -> Result<(), Emerg> {
    scripts::put(scope, place.top.prefix, route);
    if let Some(code) = echo::around(scope.own) {
        route.insert("body_filter_by_lua_block".into(), json!({ "name": "echo", "code": code }));
    }
    content::put(place, scope, route)?;
    limits(scope, route);
    let server = if scope.flag("server_tokens", true) { "nginx/1.27.1" } else { "nginx" };
    route.insert("server".into(), json!(server));
    let root = scope.get("root").map_or("html", |root| root.arg(0));
    if !root.contains('$') {
        let root = place.top.prefix.join(root);
        route.insert("root".into(), json!(root.to_string_lossy()));
    }
    let kind = scope.get("default_type").map_or("text/plain", |kind| kind.arg(0));
    route.insert("default_type".into(), json!(kind));
    keepalive(scope, route);
    if let Some(rule) = scope.get("if_modified_since") {
        route.insert("if_modified_since".into(), json!(rule.arg(0)));
    }
    admission(scope, route)?;
    error_pages(scope, route)?;
    headers(scope, route);
    lua(scope, place.top.prefix, route);
    Ok(())
}

fn limits(scope: &Scope<'_>, route: &mut Map<String, Value>) {
    let total = match scope.get("client_max_body_size").and_then(|found| size(found.arg(0))) {
        Some(0) => 1 << 40,
        Some(bytes) => bytes,
        None => 1 << 20,
    };
    route.insert("body_total".into(), json!(total));
    let pause = scope.get("client_body_timeout").and_then(|found| milliseconds(found.arg(0)));
    let pause = pause.unwrap_or(60_000).clamp(1, 86_400_000);
    route.insert("body_pause".into(), json!(time(pause)));
    let memory = scope.get("client_body_buffer_size").and_then(|found| size(found.arg(0)));
    let on_disk = scope.get("client_body_in_file_only").is_some_and(|found| found.arg(0) != "off");
    route.insert("body_memory".into(), json!(if on_disk { 0 } else { memory.unwrap_or(16 << 10) }));
}

fn admission(scope: &Scope<'_>, route: &mut Map<String, Value>) -> Result<(), Emerg> {
    let found = scope.nearest(|name| matches!(name, "allow" | "deny"));
    let mut rules = Vec::new();
    for directive in found {
        let who = directive.arg(0);
        let network =
            who.parse::<ipnet::IpNet>().is_ok() || who.parse::<std::net::IpAddr>().is_ok();
        if who == "unix:" {
            continue;
        }
        if who != "all" && !network {
            return Err(directive.fault(format!("invalid parameter \"{who}\"")));
        }
        rules.push(json!({ directive.name.as_str(): who }));
    }
    if !rules.is_empty() {
        route.insert("admission".into(), Value::Array(rules));
    }
    if let Some(asked) = scope.get("auth_request").filter(|asked| asked.arg(0) != "off") {
        let mut set = Vec::new();
        for directive in scope.all("auth_request_set") {
            let invalid =
                || directive.fault(format!("invalid variable name \"{}\"", directive.arg(0)));
            set.push([directive.arg(0).strip_prefix('$').ok_or_else(invalid)?, directive.arg(1)]);
        }
        route.insert("auth_request".into(), json!({ "path": asked.arg(0), "set": set }));
    }
    if scope.get("satisfy").is_some_and(|found| found.arg(0) == "any") {
        route.insert("satisfy".into(), json!("any"));
    }
    Ok(())
}

fn error_pages(scope: &Scope<'_>, route: &mut Map<String, Value>) -> Result<(), Emerg> {
    let mut pages = Vec::new();
    for directive in scope.all("error_page") {
        let Some((to, words)) = directive.args.split_last() else { continue };
        let mut statuses = Vec::new();
        let mut answer = Value::Null;
        for word in words {
            let invalid = || directive.fault(format!("invalid value \"{word}\""));
            match word.strip_prefix('=') {
                Some("") => answer = json!(0),
                Some(status) => answer = json!(status.parse::<u16>().map_err(|_| invalid())?),
                None => statuses.push(word.parse::<u16>().map_err(|_| invalid())?),
            }
        }
        pages.push(json!({ "status": statuses, "to": to, "answer": answer }));
    }
    if !pages.is_empty() {
        route.insert("error_pages".into(), Value::Array(pages));
    }
    Ok(())
}

/// `add_header`, `expires`, and what the headers-more module says of responses.
fn headers(scope: &Scope<'_>, route: &mut Map<String, Value>) {
    let mut rules = Vec::new();
    for directive in scope.all("add_header") {
        let always = directive.arg(2) == "always";
        let (name, value) = (directive.arg(0), directive.arg(1));
        rules.push(json!({ "add": name, "value": value, "always": always }));
    }
    for directive in scope.nearest(|name| name.starts_with("more_")) {
        let words = directive.args.iter().filter(|word| !word.starts_with('-'));
        for word in words {
            let (name, value) = word.split_once(':').unwrap_or((word, ""));
            let (name, value) = (name.trim(), value.trim());
            match directive.name.as_str() {
                "more_set_headers" if !value.is_empty() => {
                    rules.push(json!({ "set": name, "value": value, "always": true }));
                }
                "more_set_headers" | "more_clear_headers" => {
                    rules.push(json!({ "clear": name }));
                }
                _ => {}
            }
        }
    }
    for directive in scope.all("proxy_hide_header") {
        rules.push(json!({ "clear": directive.arg(0) }));
    }
    if !rules.is_empty() {
        route.insert("response_headers".into(), Value::Array(rules));
    }
}

/// Who is asked for the addresses of names: without the directive nobody.
fn resolver(scope: &Scope<'_>) -> Vec<String> {
    let Some(found) = scope.get("resolver") else { return vec!["none".to_owned()] };
    // OpenResty's `local=on`: whom the system asks.
    if found.args.iter().any(|arg| arg == "local=on") {
        return vec!["system".to_owned()];
    }
    let is_address = |arg: &str| {
        let bare = arg.trim_start_matches('[').trim_end_matches(']');
        arg.parse::<SocketAddr>().is_ok() || bare.parse::<IpAddr>().is_ok()
    };
    if !found.args.iter().any(|arg| is_address(arg)) {
        return vec!["system".to_owned()];
    }
    let says = |arg: &str| ["valid=", "ipv4=", "ipv6="].iter().any(|key| arg.starts_with(key));
    found.args.iter().filter(|arg| is_address(arg) || says(arg)).cloned().collect()
}

/// How a connection goes on.
fn keepalive(scope: &Scope<'_>, route: &mut Map<String, Value>) {
    let requests =
        scope.get("keepalive_requests").and_then(|found| found.arg(0).parse::<u64>().ok());
    let wait = scope.get("keepalive_timeout").and_then(|found| milliseconds(found.arg(0)));
    match wait {
        Some(0) => drop(route.insert("requests_per_connection".into(), json!(1))),
        Some(wait) => drop(route.insert("idle_time".into(), json!(time(wait.min(86_400_000))))),
        None => {}
    }
    if let Some(requests) = requests.filter(|_| wait != Some(0)) {
        route.insert("requests_per_connection".into(), json!(requests.clamp(1, 1_000_000_000)));
    }
}

/// What holds for scripts here and not elsewhere.
fn lua(scope: &Scope<'_>, prefix: &Path, route: &mut Map<String, Value>) {
    let mut lua = Map::new();
    for (directive, key, otherwise) in [
        ("lua_need_request_body", "needs_body", false),
        ("lua_check_client_abort", "watch_client", false),
        ("lua_use_default_type", "use_default_type", true),
        ("lua_transform_underscores_in_response_headers", "underscores_to_dashes", true),
        ("lua_socket_log_errors", "log_socket_errors", true),
        ("tcp_nodelay", "tcp_nodelay", true),
        ("lua_http10_buffering", "buffers_http10", true),
    ] {
        let on = scope.flag(directive, otherwise);
        if on != otherwise {
            lua.insert(key.into(), json!(on));
        }
    }
    for (directive, key) in [
        ("lua_socket_connect_timeout", "connect_timeout"),
        ("lua_socket_send_timeout", "send_timeout"),
        ("lua_socket_read_timeout", "read_timeout"),
        ("lua_socket_keepalive_timeout", "keepalive_timeout"),
    ] {
        if let Some(wait) = scope.get(directive).and_then(|found| milliseconds(found.arg(0))) {
            lua.insert(
                key.into(),
                json!(time(if key == "keepalive_timeout" { wait } else { wait.max(1) })),
            );
        }
    }
    if let Some(size) =
        scope.get("lua_socket_pool_size").and_then(|found| found.arg(0).parse::<u64>().ok())
    {
        lua.insert("pool_size".into(), json!(size.max(1)));
    }
    lua.insert("resolver".into(), json!(resolver(scope)));
    let timeout = scope.get("resolver_timeout").and_then(|found| milliseconds(found.arg(0)));
    if let Some(timeout) = timeout {
        lua.insert("resolver_timeout".into(), json!(time(timeout.clamp(1, 86_400_000))));
    }
    if let Some(trusted) = scope.get("lua_ssl_trusted_certificate") {
        let path = prefix.join("conf").join(trusted.arg(0));
        lua.insert("trusted_certificate".into(), json!(path.to_string_lossy()));
    }
    if !lua.is_empty() {
        route.insert("lua".into(), Value::Object(lua));
    }
}

/// How a location says which paths it serves.
enum Matching {
    Exact(String),
    First(String),
    Name(String),
    Pattern(String),
    Prefix(String),
}

impl Matching {
    fn path(&self) -> Option<String> {
        match self {
            Self::Exact(path) => Some(format!("exact:{path}")),
            Self::First(path) => Some(format!("first:{path}")),
            Self::Name(_) => None,
            Self::Pattern(pattern) => Some(format!("regex:{pattern}")),
            Self::Prefix(path) => Some(format!("prefix:{path}")),
        }
    }

    fn prefix(&self) -> Option<String> {
        match self {
            Self::Exact(path) | Self::First(path) | Self::Prefix(path) => Some(path.clone()),
            Self::Name(_) | Self::Pattern(_) => None,
        }
    }
}

fn matching(directive: &Directive) -> Result<Matching, Emerg> {
    let invalid = |what: &str| directive.fault(format!("invalid location modifier \"{what}\""));
    if let [modifier, path] = directive.args.as_slice() {
        return match modifier.as_str() {
            "=" => Ok(Matching::Exact(path.clone())),
            "^~" => Ok(Matching::First(path.clone())),
            "~" => Ok(Matching::Pattern(path.clone())),
            "~*" => Ok(Matching::Pattern(cased(path, true))),
            other => Err(invalid(other)),
        };
    }
    let Some(word) = directive.args.first() else {
        return Err(directive.fault("invalid number of arguments in \"location\" directive"));
    };
    let rest = |sign: &str| word.strip_prefix(sign).map(str::to_owned);
    Ok(match word.as_bytes() {
        [b'=', _, ..] => Matching::Exact(rest("=").unwrap_or_default()),
        [b'^', b'~', ..] => Matching::First(rest("^~").unwrap_or_default()),
        [b'~', b'*', ..] => Matching::Pattern(cased(&rest("~*").unwrap_or_default(), true)),
        [b'~', ..] => Matching::Pattern(rest("~").unwrap_or_default()),
        [b'@', ..] => Matching::Name(word.clone()),
        _ => Matching::Prefix(word.clone()),
    })
}

fn short(file: &str) -> &str {
    file.rsplit('/').next().unwrap_or(file)
}
