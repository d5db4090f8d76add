//! A request as an upstream saw it: its bytes, and when they came.

use std::time::Instant;

/// One request that reached an upstream whole.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Which connection, from 0.
    pub connection: usize,
    /// Every byte as it came, framing included.
    pub raw: Vec<u8>,
    pub method: String,
    pub target: String,
    /// As they came, names as written.
    pub headers: Vec<(String, String)>,
    /// Without framing.
    pub body: Vec<u8>,
    /// Trailers after a chunked body, raw.
    pub trailers: Vec<u8>,
    /// When the connection was accepted.
    pub connected: Instant,
    /// When the first byte of this request came.
    pub first_byte: Instant,
    /// When the head was whole.
    pub head_complete: Instant,
    /// When the body was whole.
    pub body_complete: Instant,
}

impl Seen {
    /// The first field of that name, in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.all(name).first().copied()
    }

    /// Every field of that name, in any case.
    pub fn all(&self, name: &str) -> Vec<&str> {
        let named = self.headers.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.as_str()).collect()
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}
