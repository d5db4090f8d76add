//! Addresses that cannot be used together.

use std::net::{IpAddr, SocketAddr};

use crate::config::section::Section;
use crate::config::{Address, Config};
use crate::diagnostic::{Diagnostic, Span};

/// Reports addresses that are listened on twice, and warns of an upstream that is Moongate itself.
pub fn check(file: &Section<'_>, config: &Config) {
    listeners(file, config);
    admin(file, config);
    loops(file, config);
}

fn listeners(file: &Section<'_>, config: &Config) {
    for (index, listener) in config.listen.iter().enumerate() {
        let address = listener.address;
        let mut earlier = config.listen.iter().take(index);
        if let Some(first) = earlier.find(|first| clash(first.address, address)) {
            let message = format!("`{}` and `{address}` cannot both be listened on", first.address);
            let fault = Diagnostic::error("config::address-taken", message);
            report(
                file,
                fault.help("take one of them out, or give it another port"),
                place(file, index),
            );
        }
    }
}

fn admin(file: &Section<'_>, config: &Config) {
    let address = config.admin.address;
    let taken = config.listen.iter().position(|listener| clash(listener.address, address));
    if let Some(index) = taken {
        let message = format!("the admin address `{address}` is listened on for clients");
        let help = "give one of them another port; `admin` is 127.0.0.1:9180 where nothing is said";
        let fault = Diagnostic::error("config::address-taken", message).help(help);
        let written = file.get("admin").filter(|_| file.check.overrides.admin.is_none());
        report(file, fault, written.map(|found| found.node.span).or_else(|| place(file, index)));
    }
}

/// Where a listener of the file stands; none where the command line says them.
fn place(file: &Section<'_>, index: usize) -> Option<Span> {
    let found = file.get("listen").filter(|_| file.check.overrides.listen.is_empty())?;
    found.items().get(index).map(|item| item.node.span)
}

fn report(file: &Section<'_>, fault: Diagnostic, place: Option<Span>) {
    match place {
        Some(span) => file.check.report(fault, span, "taken"),
        None => file.check.report_unplaced(fault),
    }
}

fn clash(one: SocketAddr, other: SocketAddr) -> bool {
    let same_family = one.is_ipv4() == other.is_ipv4();
    let covers = |ip: IpAddr| ip.is_unspecified() && (same_family || ip.is_ipv6());
    one.port() != 0
        && one.port() == other.port()
        && (one.ip() == other.ip() || covers(one.ip()) || covers(other.ip()))
}

fn loops(file: &Section<'_>, config: &Config) {
    let ours = |address: SocketAddr| {
        let reached = |listener: SocketAddr| {
            listener == address
                || (listener.port() == address.port()
                    && listener.ip().is_unspecified()
                    && address.ip().is_loopback())
        };
        config.listen.iter().any(|listener| reached(listener.address))
    };
    for upstream in &config.upstreams {
        for peer in &upstream.peers {
            if matches!(peer.address, Address::Socket(address) if ours(address)) {
                let message = format!("upstream `{}` is Moongate itself", upstream.name);
                let help = "requests would go round until a limit stops them; write the address of the application";
                let fault = Diagnostic::warning("config::loop", message).help(help);
                report_loop(file, &upstream.name, fault, &peer.address.to_string());
            }
        }
    }
}

fn report_loop(file: &Section<'_>, name: &str, fault: Diagnostic, address: &str) {
    let upstreams = file.get("upstreams").filter(|_| file.check.overrides.upstream.is_none());
    let entry =
        upstreams.and_then(|found| found.node.entries().iter().find(|entry| entry.key == name));
    let Some(entry) = entry else { return file.check.report_unplaced(fault) };
    file.check.report(fault, entry.key_span, format!("`{address}` is in `listen`"));
}
