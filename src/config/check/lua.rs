//! `lua`: what scripts find, and what they may cost.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::config::section::{Found, Section};
use crate::config::settings::{BUDGET, LUA, ROUTE_LUA};
use crate::config::{
    Budget, LoadTime, Lua, NameServers, Network, OnError, Resolver, RouteLua, SocketSettings,
    values,
};
use crate::diagnostic::{Diagnostic, Span};

use super::absolute;

/// Bytes that a shared dictionary needs before it holds anything of use; nginx's own bound.
const USEFUL_DICTIONARY: u64 = 12 << 10;
/// Bytes of a shared dictionary at the most.
const LARGEST_DICTIONARY: u64 = 64 << 30;

/// What handlers inherit.
pub struct Scripts {
    /// The checked section.
    pub lua: Lua,
    /// `lua.on_error`, where it was written.
    pub on_error: Option<OnError>,
}

/// The `lua` section.
pub fn read(file: &Section<'_>) -> Scripts {
    let section = file.section("lua", &LUA);
    let lua = Lua {
        path: path(&section),
        modules: modules(&section),
        budget: budget(&section.section("budget", &BUDGET), None),
        shared_dict: dictionaries(&section),
        network: network(&section),
        max_timers: section.count("max_timers") as usize,
        error_status: section.count("error_status") as u16,
        load: match section.choice("load") {
            "when_needed" => LoadTime::WhenNeeded,
            _ => LoadTime::AtOnce,
        },
        variables: section.get("variables").map(|_| names(&section)),
        prefix: section.text("prefix").map(|(text, _)| text),
        code_cache: section.flag("code_cache"),
        max_running_timers: section.count("max_running_timers") as usize,
    };
    Scripts { lua, on_error: on_error(&section) }
}

fn names(section: &Section<'_>) -> Vec<String> {
    section.texts("variables").into_iter().map(|(name, _)| name).collect()
}

/// What the scripts of a route find.
pub fn of_route(route: &Section<'_>) -> RouteLua {
    let lua = route.section("lua", &ROUTE_LUA);
    RouteLua {
        needs_body: lua.flag("needs_body"),
        watch_client: lua.flag("watch_client"),
        use_default_type: lua.flag("use_default_type"),
        underscores_to_dashes: lua.flag("underscores_to_dashes"),
        buffers_http10: lua.flag("buffers_http10"),
        sockets: Arc::new(SocketSettings {
            connect_timeout: lua.time("connect_timeout"),
            send_timeout: lua.time("send_timeout"),
            read_timeout: lua.time("read_timeout"),
            keepalive_timeout: lua.time("keepalive_timeout"),
            pool_size: lua.count("pool_size") as usize,
            resolver: resolver(&lua),
            nodelay: lua.flag("tcp_nodelay"),
            log_errors: lua.flag("log_socket_errors"),
            trusted: trusted(&lua),
        }),
    }
}

/// `system`, `none`, or servers, among which may stand `valid=`, `ipv4=off` and `ipv6=off`.
fn resolver(lua: &Section<'_>) -> Resolver {
    let timeout = lua.time("resolver_timeout");
    let words = lua.texts("resolver");
    match words.iter().map(|(word, _)| word.as_str()).collect::<Vec<_>>().as_slice() {
        [] | ["system"] => return Resolver::System,
        ["none"] => return Resolver::None,
        _ => {}
    }
    let mut servers =
        NameServers { addresses: Vec::new(), timeout, valid: None, ipv4: true, ipv6: true };
    for (word, found) in &words {
        match word.split_once('=') {
            Some(("ipv4", on)) => servers.ipv4 = on != "off",
            Some(("ipv6", on)) => servers.ipv6 = on != "off",
            Some(("valid", time)) => servers.valid = values::time(time).map(Duration::from_millis),
            _ => match name_server(word) {
                Some(address) => servers.addresses.push(address),
                None => found.bad_value("no address", "write it like `10.0.0.2` or `10.0.0.2:53`"),
            },
        }
    }
    if servers.addresses.is_empty() { Resolver::None } else { Resolver::Servers(servers) }
}

/// The address of a server, on port 53 where none is said.
fn name_server(text: &str) -> Option<SocketAddr> {
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    text.parse().ok().or_else(|| bare.parse().ok().map(|address| SocketAddr::new(address, 53)))
}

fn trusted(lua: &Section<'_>) -> Option<Bytes> {
    let (path, found) = lua.text("trusted_certificate")?;
    lua.check.file(&path, &found).map(Bytes::from)
}

/// A budget; what it does not say is as `around` says, else the default.
pub fn budget(section: &Section<'_>, around: Option<Budget>) -> Budget {
    let around = around.unwrap_or_else(|| defaults(section));
    Budget {
        cpu: section.time_given("cpu").unwrap_or(around.cpu),
        memory: section.size_given("memory").map_or(around.memory, |bytes| bytes as usize),
        wait: section.time_given("wait").unwrap_or(around.wait),
        connections: section.count_given("connections").map_or(around.connections, |n| n as u32),
    }
}

fn defaults(section: &Section<'_>) -> Budget {
    let absent = Section::absent(section.check, &BUDGET);
    Budget {
        cpu: absent.time("cpu"),
        memory: absent.size("memory") as usize,
        wait: absent.time("wait"),
        connections: absent.count("connections") as u32,
    }
}

/// `on_error`, where it was written.
pub fn on_error(section: &Section<'_>) -> Option<OnError> {
    match section.choice("on_error") {
        "pass" => Some(OnError::Pass),
        "refuse" => Some(OnError::Refuse),
        _ => None,
    }
}

fn path(section: &Section<'_>) -> Vec<String> {
    let mut patterns = Vec::new();
    for (text, found) in section.texts("path") {
        for pattern in text.split(';').filter(|pattern| !pattern.trim().is_empty()) {
            if !pattern.contains('?') {
                found.bad_value("no `?` for the module's name", "write it like `lua/lib/?.lua`");
            }
            patterns.push(pattern.trim().to_owned());
        }
    }
    let root = &section.check.root;
    let mut patterns: Vec<String> =
        patterns.iter().map(|pattern| root.join(pattern).to_string_lossy().into_owned()).collect();
    let folder = section.check.overrides.lua.clone().map(absolute);
    if patterns.is_empty() || folder.is_some() {
        let folder = folder.unwrap_or_else(|| root.join("lua"));
        let default = ["lib/?.lua", "lib/?/init.lua"];
        patterns.splice(0..0, default.map(|rest| folder.join(rest).to_string_lossy().into_owned()));
    }
    patterns
}

fn modules(section: &Section<'_>) -> Vec<PathBuf> {
    let root = &section.check.root;
    let mut folders: Vec<PathBuf> =
        section.texts("modules").into_iter().map(|(folder, _)| root.join(folder)).collect();
    let folder = section.check.overrides.lua.clone().map(absolute);
    if folders.is_empty() || folder.is_some() {
        folders.insert(0, folder.unwrap_or_else(|| root.join("lua")).join("modules"));
    }
    folders
}

fn dictionaries(section: &Section<'_>) -> BTreeMap<String, usize> {
    let found = section.get("shared_dict");
    let entries =
        found.map(|found| found.entries("declare one as `limits: 10MiB`")).unwrap_or_default();
    let mut dictionaries = BTreeMap::new();
    for (name, span, found) in entries {
        check_name(name, span, &found);
        if let Some(bytes) = dictionary(name, &found) {
            dictionaries.insert(name.to_owned(), bytes as usize);
        }
    }
    dictionaries
}

fn check_name(name: &str, span: Span, found: &Found<'_>) {
    if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        let fault =
            Diagnostic::error("config::bad-value", "this cannot be the name of a dictionary");
        let help = "a name is letters, digits and `_`: scripts write `ngx.shared.NAME`";
        found.check.report(fault.help(help), span, "not a name in Lua");
    }
}

fn dictionary(name: &str, found: &Found<'_>) -> Option<u64> {
    let Some(bytes) = found.node.text(&found.check.source).and_then(values::size) else {
        found.expected("a size", &format!("write it like `{name}: 10MiB`"));
        return None;
    };
    if bytes == 0 || bytes > LARGEST_DICTIONARY {
        let fault = Diagnostic::error(
            "config::out-of-bounds",
            format!("`{}` has no size that can be used", found.path),
        );
        found.report(fault.help(format!("write it like `{name}: 10MiB`")), "must be 1 to 64GiB");
        return None;
    }
    if bytes < USEFUL_DICTIONARY {
        let fault = Diagnostic::warning(
            "config::small-dictionary",
            format!("dictionary `{name}` is very small"),
        );
        found.report(
            fault.help(format!("entries cost more than their bytes; try `{name}: 1MiB`")),
            "less than 12KiB",
        );
    }
    Some(bytes)
}

fn network(section: &Section<'_>) -> Network {
    let mut allow = Vec::new();
    for (text, found) in section.texts("network") {
        // Any place at all, and sockets of this machine.
        if text != "*:*" && !text.starts_with("unix:/") {
            check_destination(&text, &found);
        }
        allow.push(text);
    }
    Network { allow, sockets: Arc::default() }
}

/// Reports what is not `host:port`.
pub fn check_destination(text: &str, found: &Found<'_>) {
    if !values::destination(text) {
        let fault = Diagnostic::error(
            "config::bad-address",
            format!("`{text}` names no place to connect to"),
        );
        let help =
            "write it like `127.0.0.1:6379`, `10.0.0.0/8:443`, `api.internal:*` or `[::1]:80`";
        found.report(fault.help(help), "expected a host, address or network, and a port");
    }
}
