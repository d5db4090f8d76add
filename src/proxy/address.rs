//! Who really asks, where trusted proxies stand between.

use std::net::{IpAddr, SocketAddr};

use crate::config::TrustedProxies;
use crate::transaction::{Client, Headers};

/// Addresses of one `X-Forwarded-For` chain that are looked at, from the right.
const CHAIN: usize = 32;

/// Takes the client's address from `X-Forwarded-For` as far as trusted proxies wrote it: from the
/// right, past every trusted address, to the first that is not. What stands further left was
/// written by the client and is not believed.
pub(super) fn believe_proxies(client: &mut Client, headers: &Headers, trusted: &TrustedProxies) {
    if trusted.networks.is_empty() || !is_trusted(trusted, client.address) {
        return;
    }
    let values: Vec<&[u8]> = headers.values("x-forwarded-for").collect();
    let chain = values.iter().rev().flat_map(|value| value.rsplit(|byte| *byte == b','));
    for written in chain.take(CHAIN) {
        let Some((address, port)) = parse(written) else { return };
        client.address = address;
        client.port = port;
        if !is_trusted(trusted, address) {
            return;
        }
    }
}

/// Whether an address is one of a trusted proxy.
pub fn is_trusted(trusted: &TrustedProxies, address: IpAddr) -> bool {
    let address = address.to_canonical();
    trusted.networks.iter().any(|network| network.contains(&address))
}

fn parse(written: &[u8]) -> Option<(IpAddr, u16)> {
    let text = std::str::from_utf8(written).ok()?.trim();
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some((address.to_canonical(), 0));
    }
    if let Ok(socket) = text.parse::<SocketAddr>() {
        return Some((socket.ip().to_canonical(), socket.port()));
    }
    let bare = text.strip_prefix('[')?.strip_suffix(']')?;
    bare.parse::<IpAddr>().ok().map(|address| (address.to_canonical(), 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(socket: &str, forwarded: &[&'static str]) -> String {
        let trusted = TrustedProxies { networks: vec!["10.0.0.0/8".parse().unwrap()] };
        let socket: SocketAddr = socket.parse().unwrap();
        let mut headers = Headers::default();
        for value in forwarded {
            headers.append("X-Forwarded-For", *value);
        }
        let mut client = Client {
            address: socket.ip(),
            port: socket.port(),
            socket,
            server: socket,
            listener: socket,
            connection: 1,
            connection_requests: 1,
            tls: None,
            path: None,
        };
        believe_proxies(&mut client, &headers, &trusted);
        client.address.to_string()
    }

    #[test]
    fn only_what_trusted_proxies_wrote_is_believed() {
        assert_eq!(seen("192.0.2.1:9", &["203.0.113.9"]), "192.0.2.1", "not a proxy");
        assert_eq!(seen("10.0.0.1:9", &[]), "10.0.0.1");
        assert_eq!(seen("10.0.0.1:9", &["203.0.113.9"]), "203.0.113.9");
        assert_eq!(seen("10.0.0.1:9", &["1.1.1.1, 203.0.113.9, 10.2.2.2"]), "203.0.113.9");
        assert_eq!(seen("10.0.0.1:9", &["1.1.1.1", "203.0.113.9:80"]), "203.0.113.9");
        assert_eq!(seen("10.0.0.1:9", &["1.1.1.1, nonsense"]), "10.0.0.1");
        assert_eq!(seen("10.0.0.1:9", &["[2001:db8::1]"]), "2001:db8::1");
    }
}
