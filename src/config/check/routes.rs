//! `routes`: which requests go where, and through which handlers.

use std::net::IpAddr;

use regex::bytes::Regex;

use crate::config::raw::{Node, Value};
use crate::config::section::{Found, Section};
use crate::config::settings::{MATCH, ROUTE};
use crate::config::{
    BodyLimits, Handlers, Match, MethodSet, PathMatch, Route, Rules, Upstream, UpstreamChoice,
    values,
};
use crate::diagnostic::{Diagnostic, nearest};
use crate::transaction::Phase;

use super::lua::{self, Scripts, check_destination};
use super::{handlers, rules, serving};

/// The routes in the order written.
pub fn read(file: &Section<'_>, around: Around<'_>, global: &Handlers) -> Vec<Route> {
    let items = file.get("routes").map(|found| list(&found)).unwrap_or_default();
    let routes: Vec<(Route, Found<'_>)> =
        items.into_iter().map(|item| (around.route(&item), item)).collect();
    for (_, item) in &routes {
        refuse_inner(item);
    }
    let declared = |found: Found<'_>| {
        // What is not a mapping is told where it is read.
        !matches!(found.node.value, Value::Map(_)) || !found.node.entries().is_empty()
    };
    if file.get("sites").is_none()
        && around.upstreams.is_empty()
        && !file.get("upstreams").is_some_and(declared)
    {
        nowhere_to_go(file, &routes, global);
    }
    routes.into_iter().map(|(route, _)| route).collect()
}

fn list<'a>(found: &Found<'a>) -> Vec<Found<'a>> {
    if let Value::List(_) = found.node.value {
        return found.items();
    }
    found.expected("a list", "begin each route with `- `: `- match: { path: /api/ }`");
    Vec::new()
}

/// The first of these that matches serves, so that none could be inside of another.
fn refuse_inner(route: &Found<'_>) {
    let Some(inner) = route.node.get("routes").filter(|inner| !is_nothing(inner)) else {
        return;
    };
    let fault =
        Diagnostic::error("config::routes-in-route", "routes are inside of others in sites only")
            .help("write them beside it, the narrower first; or declare `sites`");
    route.check.report(fault, inner.span, "inside of a route");
}

fn is_nothing(node: &Node) -> bool {
    node.is_null() || matches!(&node.value, Value::List(items) if items.is_empty())
}

fn nowhere_to_go(file: &Section<'_>, routes: &[(Route, Found<'_>)], global: &Handlers) {
    let answers =
        |handlers: &Handlers| !handlers.of(Phase::Content).is_empty() || !handlers.whole.is_empty();
    if answers(global) {
        return;
    }
    let help = "declare it: `upstreams: { app: 127.0.0.1:3000 }`, or start with `--upstream http://127.0.0.1:3000`";
    if routes.is_empty() {
        let fault = Diagnostic::error(
            "config::missing",
            "there is nothing to protect: no upstream and no route",
        );
        file.check.report_unplaced(fault.help(help));
    }
    for (route, item) in routes.iter().filter(|(route, _)| !answers(&route.handlers)) {
        let message = format!("requests of route `{}` have nowhere to go", route.name);
        let help = format!("{help}; or answer with `content_by_lua_block`");
        item.report(
            Diagnostic::error("config::missing", message).help(help),
            "no upstream, no content",
        );
    }
}

/// What the file says of every route.
#[derive(Clone, Copy)]
pub struct Around<'r> {
    /// What handlers inherit.
    pub scripts: &'r Scripts,
    /// Where requests can go.
    pub upstreams: &'r [Upstream],
    /// How large bodies may be.
    pub body: BodyLimits,
    /// What the rule engine does.
    pub rules: &'r Rules,
}

impl Around<'_> {
    pub fn route(&self, item: &Found<'_>) -> Route {
        self.route_in(&Section::open(item, &ROUTE))
    }

    /// The route that a mapping says, whatever else it says.
    pub fn route_in(&self, route: &Section<'_>) -> Route {
        let matching = route.section("match", &MATCH);
        let (serving, scripts) = serving::read(route);
        Route {
            name: name(route, &matching),
            matches: matches(&matching),
            internal: route.flag("internal"),
            upstream: self.choice(route),
            handlers: handlers::of_route(route, self.scripts, scripts),
            body: BodyLimits {
                memory: route
                    .size_given("body_memory")
                    .map_or(self.body.memory, |bytes| bytes as usize),
                total: route.size_given("body_total").unwrap_or(self.body.total),
                response: route
                    .size_given("response_body")
                    .map_or(self.body.response, |bytes| bytes as usize),
                pause: route.time_given("body_pause").unwrap_or(self.body.pause),
            },
            body_filter_types: types(route),
            rules: rules::of_route(route, self.rules),
            serving,
            lua: lua::of_route(route),
        }
    }

    fn choice(&self, route: &Section<'_>) -> UpstreamChoice {
        let (by_name, computed) = dynamic(route);
        let default = (!self.upstreams.is_empty()).then_some(0);
        let upstream = match route.text("upstream") {
            Some((name, found)) => self.named(&name, &found),
            None => default,
        };
        UpstreamChoice { upstream, by_name, computed }
    }

    fn named(&self, name: &str, found: &Found<'_>) -> Option<usize> {
        let index = self.upstreams.iter().position(|upstream| upstream.name == name);
        if index.is_none() {
            let names: Vec<&str> =
                self.upstreams.iter().map(|upstream| upstream.name.as_str()).collect();
            let help = match nearest(name, names.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None if names.is_empty() => {
                    format!("declare it: `upstreams: {{ {name}: 127.0.0.1:3000 }}`")
                }
                None => format!("declared are {}", crate::config::section::list(&names)),
            };
            let fault = Diagnostic::error(
                "config::unknown-upstream",
                format!("there is no upstream `{name}`"),
            );
            found.report(fault.help(help), "named here");
        }
        index
    }
}

fn name(route: &Section<'_>, matching: &Section<'_>) -> String {
    if let Some((name, found)) = route.text("name") {
        if name.len() > 128 || name.chars().any(char::is_control) {
            found.bad_value("too long, or not one line", "a name is one line of at most 128 bytes");
        }
        return name;
    }
    let written = |key: &str| {
        let node = matching.node.and_then(|node| node.get(key));
        node.map(|node| words(node, route)).unwrap_or_default()
    };
    let name = format!("{}{}", written("host"), written("path"));
    let name: String = name.chars().take(128).collect();
    if name.is_empty() { "/".to_owned() } else { name }
}

fn words(node: &Node, route: &Section<'_>) -> String {
    match &node.value {
        Value::List(items) => {
            items.iter().map(|item| words(item, route)).collect::<Vec<_>>().join(",")
        }
        _ => node.text(&route.check.source).unwrap_or_default().to_owned(),
    }
}

fn matches(section: &Section<'_>) -> Match {
    let hosts = section.texts("host").into_iter().map(|(text, found)| host(text, &found)).collect();
    let methods =
        section.texts("method").into_iter().map(|(text, found)| method(text, &found)).collect();
    let path = section.text("path").map_or(PathMatch::Any, |(text, found)| path(&text, &found));
    Match { hosts, path, methods: MethodSet(methods) }
}

fn host(text: String, found: &Found<'_>) -> String {
    let host = text.to_ascii_lowercase();
    // As requests name it: IPv6 in brackets, IPv4 bare.
    if let Ok(address) = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
        return if address.is_ipv6() { format!("[{address}]") } else { address.to_string() };
    }
    if values::is_name(&host) || values::wildcard(&host) {
        return host;
    }
    match host.rsplit_once(':') {
        Some((bare, port)) if port.parse::<u16>().is_ok() => {
            found.bad_value(
                "a host without its port",
                &format!("write `{bare}`: the port is where Moongate listens"),
            );
        }
        _ => found.bad_value(
            "not a host name",
            "write it like `shop.example`, or `*.shop.example` for every name below",
        ),
    }
    host
}

fn method(text: String, found: &Found<'_>) -> String {
    if text.bytes().any(|byte| byte.is_ascii_lowercase()) {
        found
            .bad_value("methods are upper case", &format!("write `{}`", text.to_ascii_uppercase()));
    } else if text.len() > 32
        || !text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    {
        found.bad_value("not a method", "write it like `GET`, or a list: `[GET, HEAD]`");
    }
    text
}

fn path(text: &str, found: &Found<'_>) -> PathMatch {
    if let Some(path) = text.strip_prefix("first:") {
        return PathMatch::First(path.trim_start().to_owned());
    }
    if let Some(path) = text.strip_prefix("prefix:") {
        return PathMatch::Prefix(path.trim_start().to_owned());
    }
    if let Some(pattern) = text.strip_prefix("regex:") {
        return regex(pattern.trim_start(), found);
    }
    let (exact, path) = match text.strip_prefix("exact:") {
        Some(path) => (true, path.trim_start()),
        None => (false, text),
    };
    if !path.starts_with('/') {
        found.bad_value(
            "a path begins with `/`",
            &format!("write `/{path}`, `exact:/{path}` or `regex:…`"),
        );
    } else if path.contains(['?', '#', '*']) {
        found.bad_value(
            "only a path, taken letter by letter",
            "leave the query out; patterns are written `regex:^/a/.*$`",
        );
    }
    if path.contains("//") || path.contains("/.") || path.contains('%') {
        let help = "write it as it is after decoding, without `%`, `//`, `/.` and `/..`; patterns are written `regex:…`";
        found.bad_value("requests are compared in their plain form", help);
    }
    if exact { PathMatch::Exact(path.to_owned()) } else { PathMatch::Prefix(path.to_owned()) }
}

fn regex(pattern: &str, found: &Found<'_>) -> PathMatch {
    match Regex::new(pattern) {
        Ok(regex) => PathMatch::Regex(regex),
        Err(error) => {
            let error = error.to_string();
            let reason = error.lines().last().unwrap_or_default().trim_start_matches("error: ");
            found.bad_value(reason, "correct the pattern; the syntax is that of the crate `regex` (no look-around, no back-references)");
            PathMatch::Any
        }
    }
}

fn dynamic(route: &Section<'_>) -> (bool, Vec<String>) {
    let Some(found) = route.get("dynamic_upstream") else { return (true, Vec::new()) };
    if !matches!(found.node.value, Value::List(_)) {
        return (route.flag("dynamic_upstream"), Vec::new());
    }
    let computed = route.texts("dynamic_upstream").into_iter().map(|(text, found)| {
        check_destination(&text, &found);
        text
    });
    (true, computed.collect())
}

fn types(route: &Section<'_>) -> Vec<String> {
    let one = |(text, found): (String, Found<'_>)| {
        let fits =
            text.split_once('/').is_some_and(|(kind, rest)| !kind.is_empty() && !rest.is_empty());
        if !fits || text.contains([' ', ';']) {
            found.bad_value("not a MIME type", "write it like `text/html`, without `; charset=…`");
        }
        text.to_ascii_lowercase()
    };
    route.texts("body_filter_types").into_iter().map(one).collect()
}
