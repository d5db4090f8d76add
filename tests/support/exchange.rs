//! Exchanges that never were on a wire.

use std::time::Instant;

use bytes::Bytes;
use moongate::transaction::{Client, Headers, Request, Transaction, Version};

/// Somebody on the other side.
pub fn client() -> Client {
    Client {
        address: "192.0.2.7".parse().unwrap(),
        port: 40_000,
        socket: "192.0.2.7:40000".parse().unwrap(),
        server: "198.51.100.1:8080".parse().unwrap(),
        listener: "198.51.100.1:8080".parse().unwrap(),
        connection: 1,
        connection_requests: 1,
        tls: None,
        path: None,
    }
}

/// Takes anything for a request: its transaction, and what stands behind its head.
pub fn transaction(bytes: &[u8]) -> (Transaction, Vec<u8>) {
    let end = memchr::memmem::find(bytes, b"\r\n\r\n").map_or(bytes.len(), |end| end + 4);
    let (head, body) = bytes.split_at(end);
    let mut lines = head.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii_end);
    let mut words = lines.next().unwrap_or_default().split(|byte| *byte == b' ');
    let mut word = || Bytes::copy_from_slice(words.next().unwrap_or_default());
    let (method, target) = (word(), word());
    let headers = headers(lines.filter(|line| !line.is_empty()));
    let mut request = Request::new(method, target, Version::Http11, headers);
    request.raw_head = Bytes::copy_from_slice(head);
    (begun(request), body.to_vec())
}

/// A request's transaction at its beginning.
pub fn begun(request: Request) -> Transaction {
    Transaction::new("00c0ffee00c0ffee".to_owned(), Instant::now(), client(), request)
}

fn headers<'a>(lines: impl Iterator<Item = &'a [u8]>) -> Headers {
    let mut headers = Headers::default();
    for line in lines {
        let colon = memchr::memchr(b':', line).unwrap_or(line.len());
        let value = line.get(colon + 1..).unwrap_or_default().trim_ascii();
        headers.append(Bytes::copy_from_slice(&line[..colon]), Bytes::copy_from_slice(value));
    }
    headers.received();
    headers
}
