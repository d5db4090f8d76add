//! What a person writes for sizes, times, addresses and networks.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use ipnet::IpNet;

use super::Address;

const SIZE_UNITS: [(&str, u64); 17] = [
    ("", 1),
    ("b", 1),
    ("k", 1 << 10),
    ("ki", 1 << 10),
    ("kib", 1 << 10),
    ("kb", 1000),
    ("m", 1 << 20),
    ("mi", 1 << 20),
    ("mib", 1 << 20),
    ("mb", 1_000_000),
    ("g", 1 << 30),
    ("gi", 1 << 30),
    ("gib", 1 << 30),
    ("gb", 1_000_000_000),
    ("t", 1 << 40),
    ("tib", 1 << 40),
    ("tb", 1_000_000_000_000),
];

const TIME_UNITS: [(&str, u64); 5] =
    [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

/// Whether clients can be known by this: `address`, `cookie:NAME`, `header:NAME`.
pub fn sticky(text: &str) -> bool {
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    let fits = |name: &str| (1..=64).contains(&name.len()) && name.bytes().all(token);
    let named = text.split_once(':');
    text == "address"
        || named.is_some_and(|(of, name)| matches!(of, "cookie" | "header") && fits(name))
}

/// Bytes: `4096`, `64k`, `10MiB`, `1GB`. None where it is none or past 64 bits.
pub fn size(text: &str) -> Option<u64> {
    with_unit(text, &SIZE_UNITS)
}

/// Milliseconds: `10ms`, `1.5s`, `2m`, `1h`. None without a unit.
pub fn time(text: &str) -> Option<u64> {
    with_unit(text, &TIME_UNITS)
}

fn with_unit(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let text = text.trim();
    let split = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(split)?;
    let unit = unit.trim_start().to_ascii_lowercase();
    let factor = units.iter().find(|(name, _)| *name == unit)?.1;
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    let fraction = fraction(part, factor)?;
    whole.parse::<u64>().ok()?.checked_mul(factor)?.checked_add(fraction)
}

/// `5` of `1.5` as a share of the unit; only where it comes out even.
fn fraction(digits: &str, factor: u64) -> Option<u64> {
    if digits.is_empty() {
        return Some(0);
    }
    let scale = 10_u64.checked_pow(u32::try_from(digits.len()).ok()?)?;
    let product = digits.parse::<u64>().ok()?.checked_mul(factor)?;
    (product % scale == 0).then_some(product / scale)
}

/// Bytes as one would write them.
pub fn size_text(bytes: u64) -> String {
    let unit = [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)];
    let whole = unit.iter().find(|(_, shift)| bytes > 0 && bytes.is_multiple_of(1 << shift));
    whole.map_or_else(|| bytes.to_string(), |(name, shift)| format!("{}{name}", bytes >> shift))
}

/// Milliseconds as one would write them.
pub fn time_text(milliseconds: u64) -> String {
    let units = [("h", 3_600_000), ("m", 60_000), ("s", 1000)];
    let whole =
        units.iter().find(|(_, unit)| milliseconds > 0 && milliseconds.is_multiple_of(*unit));
    whole.map_or_else(
        || format!("{milliseconds}ms"),
        |(name, unit)| format!("{}{name}", milliseconds / unit),
    )
}

/// What is wrong with an address: beside the caret, and the next step.
#[derive(Debug, PartialEq, Eq)]
pub struct Unfit {
    /// What is wrong.
    pub label: String,
    /// The next step.
    pub help: String,
}

impl Unfit {
    fn new(label: impl Into<String>, help: impl Into<String>) -> Self {
        Self { label: label.into(), help: help.into() }
    }
}

/// The path of a Unix socket written `unix:/path`.
pub fn unix_path(text: &str) -> Option<&str> {
    text.strip_prefix("unix:").filter(|path| path.starts_with('/') && !path.contains('\0'))
}

/// An address to listen on; without a host every address of the machine.
pub fn listening(text: &str) -> Result<SocketAddr, Unfit> {
    let (host, port) = host_port(text)?;
    let address = match host {
        "" | "*" => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        "localhost" => IpAddr::V4(Ipv4Addr::LOCALHOST),
        host => host.parse().map_err(|_| {
            Unfit::new("not an IP address", format!("write an address of this machine, such as `0.0.0.0:{port}`, or `:{port}` for all"))
        })?,
    };
    Ok(SocketAddr::new(address, port))
}

/// An address to connect to; `http://host:port` is taken as well.
pub fn reachable(text: &str) -> Result<Address, Unfit> {
    if let Some(path) = text.strip_prefix("http://").unwrap_or(text).strip_prefix("unix:") {
        let plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\');
        if path.starts_with('/') && path.len() <= 107 && path.bytes().all(plain) {
            return Ok(Address::Unix(path.to_owned()));
        }
        return Err(Unfit::new(
            "not the path of a Unix socket",
            "write a whole path of at most 107 plain letters: `unix:/run/app.sock`",
        ));
    }
    let bare = without_scheme(text)?;
    let (host, port) = host_port(bare)?;
    if matches!(host, "" | "*") {
        return Err(Unfit::new(
            "no host",
            format!("say where the server is, such as `127.0.0.1:{port}`"),
        ));
    }
    if port == 0 {
        return Err(Unfit::new(
            "port 0 cannot be connected to",
            "write the port on which the server listens",
        ));
    }
    match host.parse::<IpAddr>() {
        Ok(address) => Ok(Address::Socket(SocketAddr::new(address, port))),
        Err(_) if is_name(host) => Ok(Address::Name(host.to_ascii_lowercase(), port)),
        Err(_) => Err(Unfit::new(
            "not an address or host name",
            "write it like `127.0.0.1:3000` or `app.internal:3000`",
        )),
    }
}

fn without_scheme(text: &str) -> Result<&str, Unfit> {
    if text.starts_with("https://") {
        return Err(Unfit::new(
            "an address has no scheme",
            "write `host:port`, and `tls: {}` beside `peers`",
        ));
    }
    let bare = text.strip_prefix("http://").unwrap_or(text);
    let bare = bare.strip_suffix('/').unwrap_or(bare);
    if bare.contains('/') {
        return Err(Unfit::new(
            "a path has no meaning here",
            "leave only `host:port`; `rewrite` handlers change paths",
        ));
    }
    Ok(bare)
}

/// The two parts of `host:port`; the host without its brackets.
fn host_port(text: &str) -> Result<(&str, u16), Unfit> {
    if text.parse::<Ipv6Addr>().is_ok() {
        return Err(Unfit::new(
            "an IPv6 address wants brackets and a port",
            format!("write `[{text}]:8080`"),
        ));
    }
    if text.parse::<u16>().is_ok() {
        return Err(Unfit::new(
            "a port without an address",
            format!("write `:{text}` for all addresses, or `127.0.0.1:{text}`"),
        ));
    }
    let missing =
        || Unfit::new("the port is missing", format!("write it behind a colon: `{text}:8080`"));
    let (host, port) = text.rsplit_once(':').ok_or_else(missing)?;
    if port.is_empty() || text.ends_with(']') {
        return Err(Unfit::new(
            "the port is missing",
            format!("write it behind a colon: `{}:8080`", text.trim_end_matches(':')),
        ));
    }
    let port = port.parse().map_err(|_| {
        Unfit::new(format!("`{port}` is not a port"), "a port is a number up to 65535")
    })?;
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    Ok((host, port))
}

/// A network, or an address as a network of one.
pub fn network(text: &str) -> Option<IpNet> {
    IpNet::from_str(text).ok().or_else(|| Some(IpNet::from(text.parse::<IpAddr>().ok()?)))
}

/// Whether it is `host:port`, `address:port` or `network:port`, the port a number or `*`.
pub fn destination(text: &str) -> bool {
    let Some((host, port)) = text.rsplit_once(':') else { return false };
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let host_fits = match bare {
        Some(bare) => network(bare).is_some(),
        None => {
            network(host).is_some_and(|net| net.addr().is_ipv4()) || is_name(host) || wildcard(host)
        }
    };
    host_fits && (port == "*" || port.parse::<u16>().is_ok_and(|port| port > 0))
}

/// Whether all places that a destination names are among those of another.
pub fn covers(wide: &str, narrow: &str) -> bool {
    let (Some((all, ports)), Some((host, port))) = (wide.rsplit_once(':'), narrow.rsplit_once(':'))
    else {
        return false;
    };
    if ports != "*" && ports != port {
        return false;
    }
    let bare = |host: &str| host.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
    let (all, host) = (bare(all), bare(host));
    match (network(&all), network(&host)) {
        (Some(all), Some(one)) => all.contains(&one),
        (None, None) => {
            let below = all.strip_prefix('*').is_some_and(|end| host.ends_with(end));
            all == host || (below && is_name(&host))
        }
        _ => false,
    }
}

/// Whether it is `*.name`.
pub fn wildcard(text: &str) -> bool {
    text.strip_prefix("*.").is_some_and(is_name)
}

/// Whether it can be a host name: letters, digits, `-`, `_` and dots, at most 253.
pub fn is_name(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    text.len() <= 253 && text.split('.').all(label)
        // A last label of digits is a mistyped address, not a name.
        && !text.rsplit('.').next().is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::{covers, destination, listening, reachable, size, size_text, time, time_text};

    #[test]
    fn sizes_are_read_with_their_units() {
        let cases = [
            ("4096", Some(4096)),
            ("64k", Some(64 << 10)),
            ("10MiB", Some(10 << 20)),
            ("1GB", Some(1_000_000_000)),
            ("1.5 MiB", Some(3 << 19)),
            ("-1", None),
            ("1e3", None),
            ("99999999999TiB", None),
            ("", None),
        ];
        for (text, bytes) in cases {
            assert_eq!(size(text), bytes, "{text}");
        }
    }

    #[test]
    fn times_want_a_unit() {
        let cases = [("10ms", Some(10)), ("1.5s", Some(1500)), ("2m", Some(120_000)), ("5", None)];
        for (text, milliseconds) in cases {
            assert_eq!(time(text), milliseconds, "{text}");
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        for bytes in [1, 1023, 1 << 10, 5 << 20, 7 << 40] {
            assert_eq!(size(&size_text(bytes)), Some(bytes));
        }
        for milliseconds in [1, 999, 1000, 90_000, 3_600_000] {
            assert_eq!(time(&time_text(milliseconds)), Some(milliseconds));
        }
    }

    #[test]
    fn listening_addresses_may_leave_out_the_host() {
        for (text, address) in [
            (":8080", "0.0.0.0:8080"),
            ("*:80", "0.0.0.0:80"),
            ("[::1]:80", "[::1]:80"),
            ("localhost:1", "127.0.0.1:1"),
            ("127.0.0.1:0", "127.0.0.1:0"),
        ] {
            assert_eq!(listening(text).map(|found| found.to_string()), Ok(address.to_owned()));
        }
    }

    #[test]
    fn every_unfit_address_names_a_fix() {
        for (text, fix) in [
            ("127.0.0.1", "`127.0.0.1:8080`"),
            ("8080", "`:8080`"),
            ("::1", "`[::1]:8080`"),
            ("[::1]", "`[::1]:8080`"),
            ("127.0.0.1:", "`127.0.0.1:8080`"),
            ("127.0.0.1:99999", "65535"),
            ("shop:80", "0.0.0.0:80"),
        ] {
            assert!(listening(text).is_err_and(|unfit| unfit.help.contains(fix)), "{text}");
        }
        for text in [":80", "https://a:1", "http://a:1/b", "a b:1", "300.1.1.1:80", "a:0"] {
            assert!(reachable(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_destination_lies_within_a_wider_one() {
        for (wide, narrow, within) in [
            ("10.0.0.0/8:*", "10.1.0.0/16:443", true),
            ("10.0.0.0/8:443", "10.1.2.3:443", true),
            ("10.0.0.0/8:443", "10.1.2.3:80", false),
            ("10.0.0.0/8:443", "10.1.2.3:*", false),
            ("10.1.0.0/16:*", "10.0.0.0/8:*", false),
            ("0.0.0.0/0:*", "api.example:443", false),
            ("api.example:443", "API.example:443", true),
            ("*.example:443", "api.example:443", true),
            ("*.example:443", "example:443", false),
            ("*.example:443", "badexample:443", false),
            ("[::1]:*", "[::1]:80", true),
        ] {
            assert_eq!(covers(wide, narrow), within, "{wide} {narrow}");
        }
    }

    #[test]
    fn destinations_are_names_addresses_and_networks_with_ports() {
        for text in ["a.b:80", "10.0.0.0/8:*", "[::1]:6379", "[2001:db8::/32]:443", "*.a.b:80"] {
            assert!(destination(text), "{text}");
        }
        for text in ["a.b", "10.0.0.0/8", "::1:80:", "a.b:0", "a/b:80", "300.0.0.1:1"] {
            assert!(!destination(text), "{text}");
        }
    }
}
