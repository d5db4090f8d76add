//! What a test's upstream answers, as a list of steps.

use std::fmt::Write as _;
use std::io::Write as _;
use std::time::Duration;

/// One step of an answer.
#[derive(Debug, Clone)]
pub enum Step {
    /// Writes these bytes, in one write.
    Send(Vec<u8>),
    /// Writes `count` times this, for bodies too large to hold.
    Repeat { bytes: Vec<u8>, count: usize },
    /// Waits.
    Wait(Duration),
    /// Reads the request's body; what stands before this step goes out before the body is read.
    /// An answer without this step begins with it.
    ReadBody,
    /// A whole response whose body is the request's body, and its content type too.
    EchoBody,
    /// A whole response that shows the request's head as JSON: `method`, `target`, `headers`
    /// (pairs).
    EchoHead,
    /// The WebSocket handshake, then every frame back as it came.
    WebSocket,
    /// Closes the connection.
    Close,
    /// Sends nothing more and keeps the connection open.
    Hang,
}

/// What an upstream answers to a request. Without [`Step::Close`] the connection stays open.
#[derive(Debug, Clone)]
pub struct Answer(pub Vec<Step>);

impl Answer {
    /// These bytes, valid or not.
    pub fn raw(bytes: impl AsRef<[u8]>) -> Self {
        Self(vec![Step::Send(bytes.as_ref().to_vec())])
    }

    /// `200` with this text.
    pub fn text(body: &str) -> Self {
        Self::with(200, &[("Content-Type", "text/plain")], body)
    }

    /// `200` with this HTML.
    pub fn html(body: &str) -> Self {
        Self::with(200, &[("Content-Type", "text/html")], body)
    }

    /// `200` with this JSON.
    pub fn json(body: &str) -> Self {
        Self::with(200, &[("Content-Type", "application/json")], body)
    }

    /// A response with `Content-Length`.
    pub fn with(status: u16, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Self {
        let body = body.as_ref();
        let mut bytes = head(status, headers, &format!("Content-Length: {}", body.len()));
        bytes.extend_from_slice(body);
        Self::raw(bytes)
    }

    /// `200` with a body of `length` letters.
    pub fn sized(length: usize) -> Self {
        let head =
            head(200, &[("Content-Type", "text/plain")], &format!("Content-Length: {length}"));
        let unit: Vec<u8> = (0..length.min(1 << 16)).map(|at| b'a' + (at % 26) as u8).collect();
        let (count, rest) = (length / unit.len().max(1), length % unit.len().max(1));
        let rest = unit.iter().copied().take(rest).collect();
        Self(vec![Step::Send(head), Step::Repeat { bytes: unit, count }, Step::Send(rest)])
    }

    /// `200` in chunks, each in a write of its own and `apart` after the one before; the first
    /// follows the head at once.
    pub fn chunked(headers: &[(&str, &str)], chunks: &[&[u8]], apart: Duration) -> Self {
        let mut steps = vec![Step::Send(head(200, headers, "Transfer-Encoding: chunked"))];
        for (at, chunk) in chunks.iter().enumerate() {
            let mut bytes = format!("{:x}\r\n", chunk.len()).into_bytes();
            bytes.extend_from_slice(chunk);
            bytes.extend_from_slice(b"\r\n");
            let wait = if at == 0 { Duration::ZERO } else { apart };
            steps.extend([Step::Wait(wait), Step::Send(bytes)]);
        }
        steps.push(Step::Send(b"0\r\n\r\n".to_vec()));
        Self(steps)
    }

    /// `200` with a body that ends where the connection does.
    pub fn until_close(body: &str) -> Self {
        let mut text = String::new();
        let _ = write!(text, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{body}");
        Self(vec![Step::Send(text.into_bytes()), Step::Close])
    }

    /// `200` with this text, gzipped.
    pub fn gzip(content_type: &str, body: &str) -> Self {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(body.as_bytes()).expect("memory takes it");
        let body = encoder.finish().expect("memory takes it");
        Self::with(200, &[("Content-Type", content_type), ("Content-Encoding", "gzip")], body)
    }

    /// Server-sent events, `apart` from each other, then the end.
    pub fn events(events: &[&str], apart: Duration) -> Self {
        let events: Vec<String> = events.iter().map(|event| format!("data: {event}\n\n")).collect();
        let chunks: Vec<&[u8]> = events.iter().map(String::as_bytes).collect();
        Self::chunked(&[("Content-Type", "text/event-stream")], &chunks, apart)
    }

    /// Says that `promised` bytes come, sends `sent` of them, closes.
    pub fn broken_off(promised: usize, sent: usize) -> Self {
        let mut bytes = head(200, &[], &format!("Content-Length: {promised}"));
        bytes.resize(bytes.len() + sent, b'x');
        Self(vec![Step::Send(bytes), Step::Close])
    }

    /// Nothing, ever.
    pub fn never() -> Self {
        Self(vec![Step::Hang])
    }

    /// The connection's end instead of an answer.
    pub fn closed() -> Self {
        Self(vec![Step::Close])
    }

    /// The same, later.
    #[must_use]
    pub fn after(mut self, time: Duration) -> Self {
        self.0.splice(0..0, [Step::ReadBody, Step::Wait(time)]);
        self
    }

    /// The same, behind an interim response such as `103 Early Hints`.
    #[must_use]
    pub fn behind(mut self, status: u16, headers: &[(&str, &str)]) -> Self {
        self.0.insert(0, Step::Send(head(status, headers, "X-Interim: yes")));
        self
    }

    /// The same, but the connection ends after it.
    #[must_use]
    pub fn then_close(mut self) -> Self {
        self.0.push(Step::Close);
        self
    }
}

/// A response head, its last field `last`.
pub fn head(status: u16, headers: &[(&str, &str)], last: &str) -> Vec<u8> {
    let reason =
        http::StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
    let mut text = format!("HTTP/1.1 {status} {}\r\n", reason.unwrap_or("Unknown"));
    for (name, value) in headers {
        let _ = write!(text, "{name}: {value}\r\n");
    }
    let _ = write!(text, "{last}\r\n\r\n");
    text.into_bytes()
}
