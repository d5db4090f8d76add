//! `upstreams`: the servers behind.

use crate::config::raw::Value;
use crate::config::section::{Found, Section};
use crate::config::settings::{BALANCE, HEALTH_CHECK, PEER, UPSTREAM};
use crate::config::{
    Address, Balance, Balancing, HealthCheck, Peer, Retries, Timeouts, Upstream, values,
};
use crate::diagnostic::{Diagnostic, Span};

use super::admission::unfit_address;
use super::lua::Scripts;
use super::{handlers, upstream_tls};

/// The name of what `--upstream` declares where the file declares nothing.
const DEFAULT_NAME: &str = "default";

/// The upstreams in the order written; `--upstream` takes the place of the first one's peers.
pub fn read(file: &Section<'_>, scripts: &Scripts) -> Vec<Upstream> {
    let entries =
        file.get("upstreams").map(|found| found.entries("declare one as `app: 127.0.0.1:3000`"));
    let entries = entries.unwrap_or_default();
    let mut upstreams: Vec<Upstream> = entries
        .into_iter()
        .map(|(name, span, found)| upstream(name, span, &found, scripts))
        .collect();
    if let Some(peer) = overriding(file) {
        if let Some(first) = upstreams.first_mut() {
            first.peers = vec![peer];
        } else {
            let defaults = Section::absent(file.check, &UPSTREAM);
            upstreams.push(assemble(DEFAULT_NAME, vec![peer], &defaults, None));
        }
    }
    upstreams
}

fn overriding(file: &Section<'_>) -> Option<Peer> {
    let text = file.check.overrides.upstream.as_ref()?;
    match values::reachable(text) {
        Ok(address) => Some(Peer { address, weight: 1 }),
        Err(unfit) => {
            let message = format!("`--upstream {text}`: {}", unfit.label);
            let fault = Diagnostic::error("config::bad-address", message).help(unfit.help);
            file.check.report_unplaced(fault);
            None
        }
    }
}

fn upstream(name: &str, span: Span, found: &Found<'_>, scripts: &Scripts) -> Upstream {
    check_name(name, span, found);
    let map = matches!(found.node.value, Value::Map(_));
    let section =
        if map { Section::open(found, &UPSTREAM) } else { Section::absent(found.check, &UPSTREAM) };
    let place = if map { section.get("peers") } else { Some(found.clone()) };
    let place = place.filter(|place| !place.node.is_null());
    let peers = place.as_ref().map(|place| peers(name, place));
    let balancing = balancing(&section, scripts);
    if peers.is_none() && balancing.is_none() {
        let fault = Diagnostic::error("config::missing", format!("upstream `{name}` has no peers"));
        found.check.report(fault.help("add `peers: [127.0.0.1:3000]`"), span, "this upstream");
    }
    assemble(name, peers.unwrap_or_default(), &section, balancing)
}

fn balancing(section: &Section<'_>, scripts: &Scripts) -> Option<Box<Balancing>> {
    let most_tries = section.count("most_tries") as u32;
    let handler = handlers::of_upstream(section, scripts)?;
    let keeps = section.get("keepalive").is_some();
    Some(Box::new(Balancing { handler, keeps, most_tries }))
}

fn check_name(name: &str, span: Span, found: &Found<'_>) {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    if name.is_empty() || name.len() > 64 || !name.bytes().all(plain) {
        let fault =
            Diagnostic::error("config::bad-value", "this cannot be the name of an upstream");
        let help = "a name is at most 64 letters, digits, `_`, `-` and `.`";
        found.check.report(fault.help(help), span, "used as a label in metrics");
    }
}

fn assemble(
    name: &str,
    peers: Vec<Peer>,
    section: &Section<'_>,
    balancing: Option<Box<Balancing>>,
) -> Upstream {
    Upstream {
        name: name.to_owned(),
        peers,
        balance: balance(section),
        timeouts: Timeouts {
            connect: section.time("connect_timeout"),
            read: section.time("read_timeout"),
            write: section.time("write_timeout"),
        },
        retries: Retries { tries: section.count("retries") as u32 },
        health: health(section),
        keepalive: section.count("keepalive") as usize,
        keepalive_time: section.time("keepalive_time"),
        host: host(section),
        tls: upstream_tls::read(section),
        retry_on: retry_on(section),
        balancing,
    }
}

fn retry_on(section: &Section<'_>) -> Vec<u16> {
    let Some(found) = section.get("retry_on") else { return Vec::new() };
    let status = |item: &Found<'_>| {
        let status = item.node.to_json().as_u64().and_then(|status| u16::try_from(status).ok());
        let status = status.filter(|status| (400..600).contains(status));
        if status.is_none() {
            item.bad_value("not a status", "write statuses from 400 to 599: `[502, 503]`");
        }
        status
    };
    found.items().iter().filter_map(status).collect()
}

fn host(section: &Section<'_>) -> Option<String> {
    let (host, found) = section.text("host")?;
    let fits = host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte));
    if !fits {
        found.bad_value("not a host", "write a host name, with `:port` where it has one");
    }
    Some(host)
}

fn peers(name: &str, place: &Found<'_>) -> Vec<Peer> {
    let items = place.items();
    if items.is_empty() {
        place.bad_value(
            "an empty list",
            &format!("name at least one server of `{name}`: `[127.0.0.1:3000]`"),
        );
    }
    items.iter().filter_map(peer).collect()
}

fn peer(item: &Found<'_>) -> Option<Peer> {
    if !matches!(item.node.value, Value::Map(_)) {
        return address(item).map(|address| Peer { address, weight: 1 });
    }
    let section = Section::open(item, &PEER);
    let weight = section.count("weight") as u32;
    let Some(found) = section.get("address") else {
        item.bad_value("no `address`", "add `address: 127.0.0.1:3000`");
        return None;
    };
    address(&found).map(|address| Peer { address, weight })
}

fn address(found: &Found<'_>) -> Option<Address> {
    let text = found.text_as("an address", "an address is written `127.0.0.1:3000`")?;
    values::reachable(&text).map_err(|unfit| unfit_address(found, &text, unfit)).ok()
}

fn balance(section: &Section<'_>) -> Balance {
    let Some(found) = section.get("balance") else { return Balance::RoundRobin };
    if matches!(found.node.value, Value::Map(_)) {
        return consistent_hash(&Section::open(&found, &BALANCE), &found);
    }
    if found.node.text(&found.check.source) == Some("consistent_hash") {
        found.bad_value("by which variable?", "write `{ consistent_hash: remote_addr }`");
        return Balance::RoundRobin;
    }
    match found.choice(&["round_robin", "least_connections", "consistent_hash"]) {
        Some("least_connections") => Balance::LeastConnections,
        _ => Balance::RoundRobin,
    }
}

fn consistent_hash(section: &Section<'_>, found: &Found<'_>) -> Balance {
    let Some((key, place)) = section.text("consistent_hash") else {
        if section.get("consistent_hash").is_none() {
            found.bad_value("by which variable?", "write `{ consistent_hash: remote_addr }`");
        }
        return Balance::RoundRobin;
    };
    let key = key.strip_prefix('$').unwrap_or(&key).to_owned();
    if !key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        place.bad_value(
            "not a variable",
            "write its name as in `ngx.var`, such as `remote_addr`, `uri` or `arg_user`",
        );
    }
    Balance::ConsistentHash { key }
}

fn health(section: &Section<'_>) -> HealthCheck {
    let active = section.section("health_check", &HEALTH_CHECK);
    HealthCheck {
        max_fails: section.count("max_fails") as u32,
        fail_time: section.time("fail_time"),
        path: active.node.map(|_| health_path(&active)),
        interval: active.time("interval"),
        timeout: active.time("timeout"),
        rise: active.count("rise") as u32,
        fall: active.count("fall") as u32,
        status: active.count_given("status").map(|status| status as u16),
    }
}

fn health_path(active: &Section<'_>) -> String {
    let Some((path, found)) = active.text("path") else { return "/".to_owned() };
    if !path.starts_with('/') || path.bytes().any(|byte| byte <= b' ' || byte == 0x7f) {
        found.bad_value("not a path", "it begins with `/` and has no spaces, such as `/healthz`");
    }
    path
}
