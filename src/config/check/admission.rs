//! Who connects where: `listen`, `admin`, `trusted_proxies`.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::config::raw::Value;
use crate::config::section::{Found, Section};
use crate::config::settings::{ADMIN, LISTENER};
use crate::config::values::{self, Unfit};
use crate::config::{Admin, Listener, TrustedProxies};
use crate::diagnostic::Diagnostic;

/// Characters of a token; what is shorter can be guessed.
const SHORTEST_TOKEN: usize = 16;

/// The Unix sockets on which clients connect.
pub fn listen_paths(file: &Section<'_>) -> Vec<Arc<str>> {
    let items = file.get("listen").map(|found| found.items()).unwrap_or_default();
    let mut paths: Vec<Arc<str>> = items.iter().filter_map(path).collect();
    if !file.check.overrides.listen.is_empty() {
        paths.clear();
    }
    paths
}

/// The path of `unix:/path`, or of a mapping whose address it is.
fn path(item: &Found<'_>) -> Option<Arc<str>> {
    let address = match &item.node.value {
        Value::Scalar(_) => item.clone(),
        Value::Map(_) => Section::open(item, &LISTENER).get("address")?,
        Value::List(_) => return None,
    };
    match &address.node.value {
        Value::Scalar(text) => values::unix_path(text.as_str()?).map(Arc::from),
        _ => None,
    }
}

/// Where clients connect, but for Unix sockets.
pub fn listen(file: &Section<'_>) -> Vec<Listener> {
    let written = file.get("listen").map(|found| (found.items(), found));
    let addresses = written.iter().flat_map(|(items, _)| items.iter());
    let mut listeners: Vec<Listener> =
        addresses.filter(|item| path(item).is_none()).filter_map(listener).collect();
    if let Some((_, found)) = written.filter(|(items, _)| items.is_empty()) {
        found.bad_value(
            "an empty list",
            "name an address, such as `[0.0.0.0:8080]`, or take the key out",
        );
    }
    let overridden = &file.check.overrides.listen;
    if !overridden.is_empty() {
        let address = |text: &String| flag(file, "--listen", text);
        listeners = overridden.iter().filter_map(address).map(plain).collect();
    }
    if listeners.is_empty() && listen_paths(file).is_empty() {
        vec![plain(SocketAddr::from(([0, 0, 0, 0], 8080)))]
    } else {
        listeners
    }
}

fn plain(address: SocketAddr) -> Listener {
    Listener { address, proxy_protocol: false }
}

fn listener(item: &Found<'_>) -> Option<Listener> {
    if !matches!(item.node.value, Value::Map(_)) {
        return address(item).map(plain);
    }
    let section = Section::open(item, &LISTENER);
    let proxy_protocol = section.flag("proxy_protocol");
    let Some(found) = section.get("address") else {
        item.bad_value("no `address`", "add `address: 0.0.0.0:8080`");
        return None;
    };
    address(&found).map(|address| Listener { address, proxy_protocol })
}

fn address(found: &Found<'_>) -> Option<SocketAddr> {
    let text = found.text_as("an address", "an address is written `0.0.0.0:8080`")?;
    values::listening(&text).map_err(|unfit| unfit_address(found, &text, unfit)).ok()
}

/// Reports an address that cannot be used.
pub fn unfit_address(found: &Found<'_>, text: &str, unfit: Unfit) {
    let fault = Diagnostic::error(
        "config::bad-address",
        format!("`{text}` is no address that can be used"),
    );
    found.report(fault.help(unfit.help), unfit.label);
}

/// An address of the command line.
fn flag(file: &Section<'_>, name: &str, text: &str) -> Option<SocketAddr> {
    let report = |unfit: Unfit| {
        let message = format!("`{name} {text}`: {}", unfit.label);
        file.check
            .report_unplaced(Diagnostic::error("config::bad-address", message).help(unfit.help));
    };
    values::listening(text).map_err(report).ok()
}

/// Where operators connect.
pub fn admin(file: &Section<'_>) -> Admin {
    let written = file.get("admin");
    let is_map = written.as_ref().is_some_and(|found| matches!(found.node.value, Value::Map(_)));
    let section =
        if is_map { file.section("admin", &ADMIN) } else { Section::absent(file.check, &ADMIN) };
    let place = if is_map { section.get("address") } else { written };
    let overridden = file.check.overrides.admin.as_ref();
    let default = SocketAddr::from(([127, 0, 0, 1], 9180));
    let address = match overridden {
        Some(text) => flag(file, "--admin", text),
        None => place.as_ref().map_or(Some(default), address),
    };
    let admin = Admin {
        address: address.unwrap_or(default),
        token: token(&section),
        tokens: section.text("tokens").map(|(path, _)| section.check.root.join(path)),
    };
    let told = ["token", "token_file", "tokens"].iter().any(|key| section.get(key).is_some());
    if !admin.address.ip().is_loopback() && !told {
        open_admin(file, place.filter(|_| overridden.is_none()), admin.address);
    }
    admin
}

fn open_admin(file: &Section<'_>, place: Option<Found<'_>>, address: SocketAddr) {
    let message =
        format!("the admin address `{address}` can be reached from outside and has no token");
    let help = format!(
        "write `admin: {{ address: {address}, token_file: /etc/moongate/token }}`, or listen on 127.0.0.1"
    );
    let fault = Diagnostic::error("config::token-needed", message).help(help);
    match place {
        Some(found) => found.report(fault, "not loopback"),
        None => file.check.report_unplaced(fault),
    }
}

fn token(section: &Section<'_>) -> Option<String> {
    let (token, found) = match section.text("token_file") {
        Some((path, found)) => (section.check.file(&path, &found)?.trim().to_owned(), found),
        None => section.text("token")?,
    };
    if token.chars().count() < SHORTEST_TOKEN || !token.bytes().all(|byte| byte.is_ascii_graphic())
    {
        found.bad_value(
            "too short, or not plain letters",
            "a token has at least 16 letters, digits and signs; `openssl rand -hex 16` makes one",
        );
    }
    Some(token)
}

/// Whose word on the client's address is taken.
pub fn trusted_proxies(file: &Section<'_>) -> TrustedProxies {
    let items = file.get("trusted_proxies").map(|found| found.items()).unwrap_or_default();
    let network = |item: Found<'_>| {
        let text = item.text_as("a network", "a network is written `10.0.0.0/8`")?;
        let network = values::network(&text);
        if network.is_none() {
            item.bad_value(
                "not an address or network",
                "write it like `10.0.0.0/8`, `127.0.0.1` or `2001:db8::/32`",
            );
        }
        network
    };
    TrustedProxies { networks: items.into_iter().filter_map(network).collect() }
}
