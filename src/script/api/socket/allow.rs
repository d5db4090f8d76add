//! Where scripts may connect to.

use std::net::IpAddr;

use ipnet::IpNet;

/// Whether one of the entries (`host:port`, `address:port`, `network:port`, `*.domain:port`,
/// `unix:/path`; host and port `*` are any) names that place, which has no port if it is a path. A
/// name is allowed only where it is written: what it resolves to is not asked.
pub fn is_allowed(entries: &[String], host: &str, port: Option<u16>) -> bool {
    entries.iter().any(|entry| match port {
        Some(port) => covers(entry, host, port).unwrap_or_default(),
        None => covers_path(entry, host),
    })
}

/// A path is allowed as it is written, by what it begins with if the entry ends in `*`, or by the
/// entry for any place at all.
fn covers_path(entry: &str, path: &str) -> bool {
    let path = path.get(5..).unwrap_or_default();
    match entry.strip_prefix("unix:") {
        Some(known) => match known.strip_suffix('*') {
            // Nothing climbs out of a folder that is allowed.
            Some(folder) => path.starts_with(folder) && !path.contains("/../"),
            None => path == known,
        },
        None => entry == "*:*",
    }
}

/// Bits that a network has at the least that is of this machine or its neighbours alone.
const NARROW: u8 = 8;

/// Whether a function may go to an address that a declared place turned out to have: this machine and
/// its neighbours on the wire (where cloud machines find their credentials) only where the declaration
/// says so by their own address, not by a name or by a network that holds all others too.
pub fn is_safe(entries: &[String], address: IpAddr, port: u16) -> bool {
    let address = address.to_canonical();
    let named = |entry: &&String| {
        let place = entry.rsplit_once(':').map_or("", |(place, _)| bare(place));
        let network = place.parse::<IpNet>().or_else(|_| place.parse::<IpAddr>().map(IpNet::from));
        network.is_ok_and(|all| all.prefix_len() >= NARROW && is_near(all.network().to_canonical()))
    };
    !is_near(address)
        || entries
            .iter()
            .filter(named)
            .any(|entry| covers(entry, &address.to_string(), port).unwrap_or_default())
}

/// Whether an address is of this machine, or needs no router.
fn is_near(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            address.is_loopback() || address.is_link_local() || address.octets().starts_with(&[0])
        }
        IpAddr::V6(address) => {
            address.is_loopback() || address.is_unspecified() || address.is_unicast_link_local()
        }
    }
}

fn covers(entry: &str, host: &str, port: u16) -> Option<bool> {
    let (place, ports) = entry.rsplit_once(':')?;
    if ports != "*" && ports.parse() != Ok(port) {
        return None;
    }
    if place == "*" {
        return Some(true);
    }
    let place = bare(place);
    let host = bare(host);
    if let Some(domain) = place.strip_prefix("*.") {
        let (_, after) = host.split_once('.')?;
        let above = after.len().checked_sub(domain.len()).and_then(|from| after.get(from..))?;
        let whole = after.len() == domain.len() || after.ends_with(&format!(".{above}"));
        return Some(whole && above.eq_ignore_ascii_case(domain));
    }
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
    use super::{is_allowed, is_safe};

    #[test]
    fn names_and_wide_networks_do_not_lead_to_this_machine() {
        let wide = ["api.example:80", "0.0.0.0/0:*", "[::]/0:*", "::/0:*"].map(str::to_owned);
        let near = ["127.0.0.1:80", "[::1]:80", "169.254.0.0/16:80"].map(str::to_owned);
        for address in ["127.0.0.1", "::1", "::ffff:127.0.0.1", "169.254.169.254", "0.0.0.0", "::"]
        {
            assert!(!is_safe(&wide, address.parse().unwrap(), 80), "{address}");
        }
        for address in ["127.0.0.1", "::1", "::ffff:127.0.0.1", "169.254.169.254"] {
            assert!(is_safe(&near, address.parse().unwrap(), 80), "{address}");
            assert!(!is_safe(&near, address.parse().unwrap(), 81), "{address}");
        }
        assert!(is_safe(&wide, "192.0.2.1".parse().unwrap(), 80));
    }

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
            assert_eq!(is_allowed(&entries, host, Some(port)), allowed, "{host}:{port}");
        }
        assert!(!is_allowed(&[], "127.0.0.1", Some(80)));
    }

    #[test]
    fn paths_and_whole_domains_are_allowed_where_they_are_named() {
        let entries = ["*.shop.example:443", "unix:/run/redis.sock", "unix:/run/app/*"];
        let entries = entries.map(str::to_owned);
        for (host, port, allowed) in [
            ("a.shop.example", Some(443), true),
            ("b.a.SHOP.example", Some(443), true),
            ("shop.example", Some(443), false),
            ("a.badshop.example", Some(443), false),
            ("unix:/run/redis.sock", None, true),
            ("unix:/run/redis.sock2", None, false),
            ("unix:/run/app/one.sock", None, true),
            ("unix:/run/app/../secret.sock", None, false),
        ] {
            assert_eq!(is_allowed(&entries, host, port), allowed, "{host}");
        }
        let all = ["*:*".to_owned()];
        assert!(is_allowed(&all, "unix:/x", None) && is_allowed(&all, "a.example", Some(1)));
    }
}
