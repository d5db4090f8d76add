//! What scripts may connect to.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::config::Address;

/// Whether one of the rules names this address: `address:port`, `network/length:port` or
/// `host:port`, where port `*` is any. IPv6 addresses stand in brackets. A rule that cannot be read
/// names nothing.
///
/// A host is compared by name, not by its addresses: what a name resolves to is its owner's to
/// decide, so a rule that names a network allows no host.
pub fn allowed(rules: &[String], address: &Address) -> bool {
    let (host, port) = match address {
        Address::Socket(address) => (Host::Address(address.ip().to_canonical()), address.port()),
        Address::Name(host, port) => (Host::of(host), *port),
        Address::Unix(_) => return false,
    };
    rules.iter().any(|rule| names(rule, &host, port))
}

enum Host<'a> {
    Address(IpAddr),
    Name(&'a str),
}

impl<'a> Host<'a> {
    /// An address though it was given as a name: then the rules for addresses hold.
    fn of(host: &'a str) -> Self {
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        bare.parse().map_or(Self::Name(host), |ip: IpAddr| Self::Address(ip.to_canonical()))
    }
}

fn names(rule: &str, host: &Host<'_>, port: u16) -> bool {
    let Some((rule_host, rule_port)) = rule.rsplit_once(':') else { return false };
    let same_port = rule_port == "*" || rule_port.parse() == Ok(port);
    same_port && names_host(rule_host, host)
}

fn names_host(rule: &str, host: &Host<'_>) -> bool {
    match host {
        Host::Name(name) => rule.eq_ignore_ascii_case(name),
        Host::Address(ip) => network(rule).is_some_and(|network| network.contains(ip)),
    }
}

/// `192.0.2.1`, `192.0.2.0/24`, `[2001:db8::1]`, `[2001:db8::]/32` or `2001:db8::/32`.
fn network(rule: &str) -> Option<IpNet> {
    let bare: String = rule.chars().filter(|letter| !matches!(letter, '[' | ']')).collect();
    bare.parse().ok().or_else(|| bare.parse().ok().map(|ip: IpAddr| IpNet::from(ip.to_canonical())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(rule: &str, address: &str) -> bool {
        let (host, port) = address.rsplit_once(':').unwrap();
        let named = || Address::Name(host.to_owned(), port.parse().unwrap());
        let address = address.parse().map_or_else(|_| named(), Address::Socket);
        allowed(&[rule.to_owned()], &address)
    }

    #[test]
    fn rules_name_addresses_networks_and_hosts_with_a_port_or_any() {
        for (rule, address, expected) in [
            ("192.0.2.1:80", "192.0.2.1:80", true),
            ("192.0.2.1:80", "192.0.2.1:81", false),
            ("192.0.2.1:80", "192.0.2.2:80", false),
            ("192.0.2.1:*", "192.0.2.1:81", true),
            ("192.0.2.0/24:80", "192.0.2.9:80", true),
            ("192.0.2.0/24:80", "192.0.3.9:80", false),
            ("192.0.2.0/24:*", "192.0.2.9:9", true),
            ("[2001:db8::1]:80", "[2001:db8::1]:80", true),
            ("[2001:db8::]/32:80", "[2001:db8::9]:80", true),
            ("2001:db8::/32:*", "[2001:db8::9]:80", true),
            ("2001:db8::/32:*", "[2001:db9::9]:80", false),
            ("db.example:5432", "db.example:5432", true),
            ("DB.example:5432", "db.Example:5432", true),
            ("db.example:5432", "x.db.example:5432", false),
            ("db.example:*", "db.example:1", true),
        ] {
            assert_eq!(check(rule, address), expected, "{rule} {address}");
        }
    }

    #[test]
    fn an_address_in_disguise_is_the_address_that_it_is() {
        assert!(check("127.0.0.0/8:80", "[::ffff:127.0.0.1]:80"));
        assert!(!check("[::ffff:0:0]/96:80", "10.0.0.1:80"));
        for disguise in ["127.0.0.1", "::ffff:127.0.0.1", "[::ffff:7f00:1]"] {
            let disguised = Address::Name(disguise.to_owned(), 80);
            assert!(allowed(&["127.0.0.1:80".to_owned()], &disguised), "{disguise}");
        }
    }

    #[test]
    fn a_network_allows_no_host() {
        assert!(!check("0.0.0.0/0:*", "db.example:80"));
    }

    #[test]
    fn a_rule_that_cannot_be_read_names_nothing() {
        for rule in ["", ":", "*", "*:*", "192.0.2.1", "192.0.2.1:", "192.0.2.0/33:80", "x:99999"] {
            assert!(!check(rule, "192.0.2.1:80"), "{rule}");
            assert!(!check(rule, "x:80"), "{rule}");
        }
        assert!(!allowed(&[], &Address::Name("x".to_owned(), 80)));
    }
}
