//! The PROXY protocol's header, versions 1 and 2: who really connected.
//!
//! Reference: HAProxy, "The PROXY protocol", versions 1 & 2.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// The longest version 1 line.
const LINE: usize = 107;
/// The longest version 2 header that is read, its extensions included.
const LONGEST: usize = 4096;

/// Who connected: none if the proxy speaks for itself.
type Source = Option<SocketAddr>;

/// Reads the header; none if it says that the proxy speaks for itself (health checks).
///
/// # Errors
/// If there is none within `time`, or it is malformed: whoever connects without one is not the
/// proxy that was promised.
pub(super) async fn read(
    stream: &mut TcpStream,
    time: Duration,
) -> std::io::Result<Option<SocketAddr>> {
    let reading = tokio::time::timeout(time, read_header(stream)).await;
    reading.map_err(|_| std::io::Error::from(ErrorKind::TimedOut))?
}

async fn read_header(stream: &mut TcpStream) -> std::io::Result<Option<SocketAddr>> {
    let mut start = [0; SIGNATURE.len()];
    stream.read_exact(&mut start).await?;
    if &start == SIGNATURE {
        return read_version_2(stream).await;
    }
    let mut line = start.to_vec();
    while !line.ends_with(b"\r\n") {
        if line.len() >= LINE {
            return Err(malformed());
        }
        line.push(stream.read_u8().await?);
    }
    parse_version_1(&line).ok_or_else(malformed)
}

fn malformed() -> std::io::Error {
    std::io::Error::new(ErrorKind::InvalidData, "not a PROXY protocol header")
}

fn parse_version_1(line: &[u8]) -> Option<Source> {
    let text = std::str::from_utf8(line).ok()?.trim_end();
    let mut words = text.split(' ');
    if words.next()? != "PROXY" {
        return None;
    }
    let family = words.next()?;
    if family == "UNKNOWN" {
        return Some(None);
    }
    let source: IpAddr = words.next()?.parse().ok()?;
    words.next()?.parse::<IpAddr>().ok()?;
    let port = words.next()?.parse().ok()?;
    words.next()?.parse::<u16>().ok()?;
    let fits = matches!((family, source), ("TCP4", IpAddr::V4(_)) | ("TCP6", IpAddr::V6(_)));
    (fits && words.next().is_none()).then_some(Some(SocketAddr::new(source, port)))
}

async fn read_version_2(stream: &mut TcpStream) -> std::io::Result<Option<SocketAddr>> {
    let version_command = stream.read_u8().await?;
    let family = stream.read_u8().await?;
    let length = usize::from(stream.read_u16().await?);
    if length > LONGEST {
        return Err(malformed());
    }
    let mut rest = vec![0; length];
    stream.read_exact(&mut rest).await?;
    match version_command {
        0x20 => Ok(None),
        0x21 => parse_version_2(family, &rest).ok_or_else(malformed),
        _ => Err(malformed()),
    }
}

fn parse_version_2(family: u8, rest: &[u8]) -> Option<Source> {
    match family >> 4 {
        1 => {
            let source: [u8; 4] = rest.get(..4)?.try_into().ok()?;
            let port: [u8; 2] = rest.get(8..10)?.try_into().ok()?;
            Some(Some((Ipv4Addr::from(source), u16::from_be_bytes(port)).into()))
        }
        2 => {
            let source: [u8; 16] = rest.get(..16)?.try_into().ok()?;
            let port: [u8; 2] = rest.get(32..34)?.try_into().ok()?;
            Some(Some((Ipv6Addr::from(source), u16::from_be_bytes(port)).into()))
        }
        _ => Some(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_1_lines_are_read_or_refused() {
        let read = |line: &str| parse_version_1(line.as_bytes());
        let known = Some(Some("192.0.2.1:5".parse().unwrap()));
        assert_eq!(read("PROXY TCP4 192.0.2.1 192.0.2.2 5 6\r\n"), known);
        assert_eq!(read("PROXY UNKNOWN\r\n"), Some(None));
        for bad in [
            "PROXY TCP6 192.0.2.1 192.0.2.2 5 6\r\n",
            "PROXY TCP4 192.0.2.1 192.0.2.2 5\r\n",
            "PROXY TCP4 192.0.2.1 192.0.2.2 5 99999\r\n",
            "GET / HTTP/1.1\r\n",
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    #[test]
    fn version_2_addresses_are_read_or_refused() {
        let v4 = [192, 0, 2, 1, 192, 0, 2, 2, 0, 5, 0, 6];
        assert_eq!(parse_version_2(0x11, &v4), Some(Some("192.0.2.1:5".parse().unwrap())));
        assert_eq!(parse_version_2(0x11, &v4[..9]), None, "cut short");
        assert_eq!(parse_version_2(0x00, &[]), Some(None));
    }
}
