//! Lines in the bodies of HTTP POST requests, a batch in each.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::time::Instant;

use bytes::Bytes;

use super::destination::{Destination, Failure, PATIENCE, checked_address};
use super::syslog::connect;

/// Bytes of an answer's head that are read: its first line says it all.
const STATUS_LINE: usize = 256;

/// A server that takes lines.
pub(super) struct Post {
    host: String,
    address: String,
    path: String,
    batch: usize,
    content_type: &'static str,
}

impl Post {
    /// `url` is `http://host[:port][/path]`.
    ///
    /// # Errors
    /// If it is not.
    pub(super) fn new(url: &str, batch: usize, content_type: &'static str) -> io::Result<Self> {
        let rest = url.strip_prefix("http://").ok_or_else(|| io::Error::other("not `http://…`"))?;
        let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let path = if path.is_empty() { "/" } else { path };
        let clean = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
        if host.contains(['@', '?', '#']) || path.contains('#') || !clean(rest) {
            return Err(io::Error::other("not `http://host:port/path`"));
        }
        let has_port = host.rsplit_once(':').is_some_and(|(_, port)| !port.ends_with(']'));
        let address = if has_port { host.to_owned() } else { format!("{host}:80") };
        let (host, path) = (host.to_owned(), path.to_owned());
        let address = checked_address(&address)?;
        Ok(Self { host, address, path, batch: batch.max(1), content_type })
    }

    fn send(&self, lines: &[Bytes]) -> io::Result<()> {
        let length: usize = lines.iter().map(|line| line.len() + 1).sum();
        let (path, host, kind) = (&self.path, &self.host, self.content_type);
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: moongate\r\n\
             Content-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
        );
        let mut request = Vec::with_capacity(head.len() + length);
        request.extend_from_slice(head.as_bytes());
        for line in lines {
            request.extend_from_slice(line);
            request.push(b'\n');
        }
        let mut stream = connect(&self.address)?;
        stream.write_all(&request)?;
        let status = read_status(&mut stream)?;
        let _ = stream.shutdown(Shutdown::Both);
        match status {
            200..=299 => Ok(()),
            other => Err(io::Error::other(format!("answered with status {other}"))),
        }
    }
}

impl Destination for Post {
    /// Each batch is tried twice.
    fn write(&mut self, lines: &[Bytes]) -> Result<(), Failure> {
        for (index, batch) in lines.chunks(self.batch).enumerate() {
            let sent = self.send(batch).or_else(|_| self.send(batch));
            let written = index * self.batch;
            sent.map_err(|error| Failure { error, written, again: None })?;
        }
        Ok(())
    }
}

/// The status of an answer, past any of the 1xx kind.
fn read_status(stream: &mut impl Read) -> io::Result<u16> {
    let until = Instant::now() + PATIENCE;
    let mut head = Vec::with_capacity(STATUS_LINE);
    let mut piece = [0; STATUS_LINE];
    while head.len() < STATUS_LINE && Instant::now() < until {
        let count = stream.read(&mut piece)?;
        head.extend_from_slice(piece.get(..count).unwrap_or_default());
        if count == 0 || head.contains(&b'\n') {
            break;
        }
    }
    let line = head.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let status = line.strip_prefix(b"HTTP/1.").and_then(|rest| rest.get(2..5));
    let status = status.and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
    status.ok_or_else(|| io::Error::other("the answer is not HTTP/1"))
}

#[cfg(test)]
mod tests {
    use super::{Post, read_status};

    #[test]
    fn addresses_are_read() {
        for (url, address, path) in [
            ("http://logs.example/in?x=1", "logs.example:80", "/in?x=1"),
            ("http://127.0.0.1:9200", "127.0.0.1:9200", "/"),
            ("http://[::1]/", "[::1]:80", "/"),
            ("http://[::1]:81/a", "[::1]:81", "/a"),
        ] {
            let post = Post::new(url, 1, "text/plain").ok().map(|post| (post.address, post.path));
            assert_eq!(post, Some((address.to_owned(), path.to_owned())), "{url}");
        }
    }

    #[test]
    fn what_is_no_plain_http_address_is_refused() {
        for url in
            ["https://a/", "a:80", "http://", "http://u:p@a/", "http://a:b/", "http://a/\r\nX:"]
        {
            assert!(Post::new(url, 1, "text/plain").is_err(), "{url}");
        }
    }

    #[test]
    fn a_status_is_read_from_whatever_comes() {
        assert_eq!(read_status(&mut &b"HTTP/1.1 204 No Content\r\n"[..]).ok(), Some(204));
        for answer in [&b""[..], b"HTTP/1.1 2", b"SSH-2.0-x\r\n", b"HTTP/1.1 abc\r\n"] {
            assert!(read_status(&mut &answer[..]).is_err(), "{answer:?}");
        }
    }
}
