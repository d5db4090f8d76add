//! Where scripts may connect to.

use std::net::IpAddr;

use ipnet::IpNet;

/// Whether one of the entries (`host:port`, `address:port`, `network:port`; port `*` is any) names
/// that place. A name is allowed only where it is written: what it resolves to is not asked.
pub fn is_allowed(entries: &[String], host: &str, port: u16) -> bool {
    entries.iter().any(|entry| covers(entry, host, port).unwrap_or_default())
}

fn covers(entry: &str, host: &str, port: u16) -> Option<bool> {
    let (place, ports) = entry.rsplit_once(':')?;
    if ports != "*" && ports.parse() != Ok(port) {
        return None;
    }
    let place = bare(place);
    let host = bare(host);
    let Ok(address) = host.parse::<IpAddr>() else {
        return Some(host.eq_ignore_ascii_case(place));
    };
    // An IPv4 address in IPv6's clothes is that IPv4 address.
    let address = address.to_canonical();
    let network = place.parse::<IpNet>().or_else(|_| place.parse::<IpAddr>().map(IpNet::from));
    Some(network.is_ok_and(|network| network.contains(&address)))
}

fn bare(host: &str) -> &str {
    host.trim_start_matches('[').trim_end_matches(']')
}

#[cfg(test)]
mod tests {
    use super::is_allowed;

    #[test]
    fn only_what_is_named_is_allowed() {
        let entries = ["log.example:514", "10.0.0.0/8:*", "[::1]:80", "192.0.2.1:443"];
        let entries = entries.map(str::to_owned);
        for (host, port, allowed) in [
            ("log.example", 514, true),
            ("LOG.example", 514, true),
            ("log.example", 80, false),
            ("evil.example", 514, false),
            ("10.1.2.3", 1, true),
            ("::ffff:10.1.2.3", 1, true),
            ("11.1.2.3", 1, false),
            ("::1", 80, true),
            ("[::1]", 80, true),
            ("192.0.2.1", 443, true),
            ("192.0.2.1", 444, false),
            ("10.1", 1, false),
            ("0x0a000001", 1, false),
            ("", 514, false),
        ] {
            assert_eq!(is_allowed(&entries, host, port), allowed, "{host}:{port}");
        }
        assert!(!is_allowed(&[], "127.0.0.1", 80));
    }
}
