//! Keys as they are kept: bytes that sort as people expect, and addresses in few of them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::declaration::Kind;
use super::fault::{Fault, shown};

/// A key as it is kept.
pub(super) type Key = Box<[u8]>;

/// First byte of an IPv4 network, which its four bytes and the length of its prefix follow.
const V4: u8 = 4;
/// First byte of an IPv6 network.
const V6: u8 = 6;

/// The key that a text names.
///
/// # Errors
/// [`Fault::Bad`]: it is empty, has control characters, or is no network where one is wanted.
pub(super) fn pack(kind: Kind, text: &str) -> Result<Key, Fault> {
    if kind == Kind::Addresses {
        return network(text).map(|network| Packed::of(network).bytes().into());
    }
    if text.is_empty() || text.chars().any(char::is_control) {
        return Err(Fault::bad("a key has at least one character, and no control characters"));
    }
    Ok(text.as_bytes().into())
}

/// The text of a key as it is kept; the shortest way to write an address.
pub fn unpack(kind: Kind, key: &[u8]) -> String {
    let packed = (kind == Kind::Addresses).then(|| unpacked(key)).flatten();
    match packed {
        Some(IpNet::V4(net)) if net.prefix_len() == 32 => net.addr().to_string(),
        Some(IpNet::V6(net)) if net.prefix_len() == 128 => net.addr().to_string(),
        Some(net) => net.to_string(),
        None => String::from_utf8_lossy(key).into_owned(),
    }
}

/// An address or a network, without the bits past its prefix. What is mapped from IPv4 is IPv4.
///
/// # Errors
/// [`Fault::Bad`].
pub(super) fn network(text: &str) -> Result<IpNet, Fault> {
    let text = text.trim();
    let net = if text.contains('/') {
        text.parse::<IpNet>().ok()
    } else {
        text.parse::<IpAddr>().ok().map(IpNet::from)
    };
    let net = net.ok_or_else(|| {
        let text = shown(text);
        Fault::bad(format!("`{text}` is no address or network, such as `192.0.2.0/24`"))
    })?;
    Ok(unmapped(net.trunc()))
}

fn unmapped(net: IpNet) -> IpNet {
    let IpNet::V6(v6) = net else { return net };
    let v4 = v6.addr().to_ipv4_mapped().zip(v6.prefix_len().checked_sub(96));
    let v4 = v4.and_then(|(address, length)| Ipv4Net::new(address, length).ok());
    v4.map_or(net, IpNet::V4)
}

/// A network as a key, where no memory is to be allocated.
pub(super) struct Packed {
    bytes: [u8; 18],
    length: usize,
}

impl Packed {
    fn of(net: IpNet) -> Self {
        match net {
            IpNet::V4(net) => Self::v4(net.addr().to_bits(), net.prefix_len()),
            IpNet::V6(net) => Self::v6(net.addr().to_bits(), net.prefix_len()),
        }
    }

    /// The network of that length that the address is in.
    pub(super) fn v4(address: u32, length: u8) -> Self {
        let masked = address & u32::MAX.checked_shl(32 - u32::from(length)).unwrap_or(0);
        let mut bytes = [0; 18];
        bytes[0] = V4;
        bytes[1..5].copy_from_slice(&masked.to_be_bytes());
        bytes[5] = length;
        Self { bytes, length: 6 }
    }

    /// The network of that length that the address is in.
    pub(super) fn v6(address: u128, length: u8) -> Self {
        let masked = address & u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or(0);
        let mut bytes = [0; 18];
        bytes[0] = V6;
        bytes[1..17].copy_from_slice(&masked.to_be_bytes());
        bytes[17] = length;
        Self { bytes, length: 18 }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

/// The network that a key stands for.
pub(super) fn unpacked(key: &[u8]) -> Option<IpNet> {
    let (family, rest) = key.split_first()?;
    let (length, address) = rest.split_last()?;
    match *family {
        V4 => {
            let address = Ipv4Addr::from_bits(u32::from_be_bytes(address.try_into().ok()?));
            Ipv4Net::new(address, *length).ok().map(IpNet::V4)
        }
        V6 => {
            let address = Ipv6Addr::from_bits(u128::from_be_bytes(address.try_into().ok()?));
            Ipv6Net::new(address, *length).ok().map(IpNet::V6)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_kept_without_host_bits_and_written_as_short_as_can_be() {
        for (given, written) in [
            ("10.1.2.3/8", "10.0.0.0/8"),
            ("10.1.2.3", "10.1.2.3"),
            ("0.0.0.0/0", "0.0.0.0/0"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("::ffff:192.0.2.0/120", "192.0.2.0/24"),
            ("2001:db8::1/32", "2001:db8::/32"),
            ("::/0", "::/0"),
        ] {
            let key = pack(Kind::Addresses, given).unwrap();
            assert_eq!(unpack(Kind::Addresses, &key), written, "{given}");
        }
    }

    #[test]
    fn what_is_no_key_is_refused() {
        for text in ["", "10.0.0.0/33", "example.com", "1.2.3.4/-1"] {
            assert!(pack(Kind::Addresses, text).is_err(), "{text}");
        }
        for text in ["", "a\nb", "\u{0}"] {
            assert!(pack(Kind::Keys, text).is_err(), "{text:?}");
        }
    }
}
