//! Clients: one that sends any bytes, short forms for the usual, and curl.

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::process::Command;
use std::time::{Duration, Instant};

use super::DEADLINE;

/// A connection on which any bytes can be sent.
pub struct Client {
    stream: TcpStream,
    /// Bytes read and not yet used.
    buffer: Vec<u8>,
}

/// A response as it came.
#[derive(Debug, Clone)]
pub struct Response {
    pub status: u16,
    pub reason: String,
    /// As they came, names as written.
    pub headers: Vec<(String, String)>,
    /// Without framing.
    pub body: Vec<u8>,
    /// When its head was whole.
    pub head_complete: Instant,
    /// When its body was whole.
    pub body_complete: Instant,
}

impl Response {
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

    /// The body as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error} in {:?}", self.text()))
    }
}

impl Client {
    pub fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect_timeout(&address, DEADLINE).expect("somebody listens");
        stream.set_nodelay(true).expect("it is a socket");
        let mut client = Self { stream, buffer: Vec::new() };
        client.patience(DEADLINE);
        client
    }

    /// How long each read may take from now on.
    pub fn patience(&mut self, deadline: Duration) -> &mut Self {
        self.stream.set_read_timeout(Some(deadline)).expect("it is a socket");
        self.stream.set_write_timeout(Some(deadline)).expect("it is a socket");
        self
    }

    /// Our own address: what the server takes the client's for.
    pub fn address(&self) -> SocketAddr {
        self.stream.local_addr().expect("it is a socket")
    }

    /// Writes these bytes; panics if the other side is gone.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        self.try_send(bytes).expect("the other side reads");
        self
    }

    /// Writes these bytes, or tells that the other side is gone.
    pub fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.stream.write_all(bytes.as_ref())
    }

    /// A whole request without a body: `GET path`, on a connection that stays open.
    pub fn ask(&mut self, path: &str) -> &mut Self {
        self.send(format!("GET {path} HTTP/1.1\r\nHost: test\r\n\r\n"))
    }

    /// Says that we write no more.
    pub fn finish(&mut self) -> &mut Self {
        self.stream.shutdown(Shutdown::Write).expect("it is open");
        self
    }

    /// The next response to anything but HEAD; interim responses (1xx but 101) are passed over.
    pub fn read(&mut self) -> Response {
        self.try_read(false).unwrap_or_else(|error| panic!("no response: {error}"))
    }

    /// The next response to HEAD.
    pub fn read_head_only(&mut self) -> Response {
        self.try_read(true).unwrap_or_else(|error| panic!("no response: {error}"))
    }

    /// The next response, interim or final, or why there is none.
    pub fn try_read(&mut self, to_head: bool) -> io::Result<Response> {
        loop {
            let response = self.response(to_head)?;
            if response.status >= 200 || response.status == 101 {
                return Ok(response);
            }
        }
    }

    /// The head alone of the next response, interim ones included; its body stays to be read.
    pub fn read_head(&mut self) -> Response {
        self.head().unwrap_or_else(|error| panic!("no response head: {error}"))
    }

    /// The next chunk of a chunked body; empty: the last.
    pub fn read_chunk(&mut self) -> Vec<u8> {
        self.chunk().unwrap_or_else(|error| panic!("no chunk: {error}"))
    }

    /// The next bytes, whatever they are; empty at the end of the connection.
    pub fn read_some(&mut self) -> io::Result<Vec<u8>> {
        if self.buffer.is_empty() && self.fill()? == 0 {
            return Ok(Vec::new());
        }
        Ok(std::mem::take(&mut self.buffer))
    }

    /// Exactly so many bytes.
    pub fn read_exactly(&mut self, length: usize) -> Vec<u8> {
        self.exactly(length).unwrap_or_else(|error| panic!("no {length} bytes: {error}"))
    }

    /// All bytes to the end of the connection.
    pub fn read_to_end(&mut self) -> Vec<u8> {
        while matches!(self.fill(), Ok(1..)) {}
        std::mem::take(&mut self.buffer)
    }

    /// Whether the other side ends the connection before our patience does, saying nothing more.
    pub fn closed(&mut self) -> bool {
        self.buffer.is_empty()
            && match self.fill() {
                Ok(read) => read == 0,
                Err(error) => error.kind() == io::ErrorKind::ConnectionReset,
            }
    }

    fn response(&mut self, to_head: bool) -> io::Result<Response> {
        let mut response = self.head()?;
        let bodiless = to_head || matches!(response.status, 100..=199 | 204 | 304);
        if !bodiless {
            response.body = self.body(&response)?;
            response.body_complete = Instant::now();
        }
        Ok(response)
    }

    fn head(&mut self) -> io::Result<Response> {
        let end = loop {
            match memchr::memmem::find(&self.buffer, b"\r\n\r\n") {
                Some(end) => break end + 4,
                None => self.more()?,
            }
        };
        let raw: Vec<u8> = self.buffer.drain(..end).collect();
        let mut fields = [httparse::EMPTY_HEADER; 256];
        let mut parsed = httparse::Response::new(&mut fields);
        parsed.parse(&raw).map_err(io::Error::other)?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let now = Instant::now();
        Ok(Response {
            status: parsed.code.unwrap_or_default(),
            reason: parsed.reason.unwrap_or_default().to_owned(),
            headers: parsed.headers.iter().map(|f| (f.name.to_owned(), text(f.value))).collect(),
            body: Vec::new(),
            head_complete: now,
            body_complete: now,
        })
    }

    fn body(&mut self, head: &Response) -> io::Result<Vec<u8>> {
        if head.header("transfer-encoding").is_some() {
            let mut body = Vec::new();
            loop {
                let chunk = self.chunk()?;
                if chunk.is_empty() {
                    return Ok(body);
                }
                body.extend(chunk);
            }
        }
        match head.header("content-length") {
            Some(length) => self.exactly(length.parse().map_err(io::Error::other)?),
            None => {
                while self.fill()? > 0 {}
                Ok(std::mem::take(&mut self.buffer))
            }
        }
    }

    fn chunk(&mut self) -> io::Result<Vec<u8>> {
        let line = self.line()?;
        let size = line.split(';').next().unwrap_or_default().trim();
        let size = usize::from_str_radix(size, 16).map_err(io::Error::other)?;
        if size == 0 {
            // Trailers end with an empty line.
            while !self.line()?.trim().is_empty() {}
            return Ok(Vec::new());
        }
        let mut chunk = self.exactly(size + 2)?;
        chunk.truncate(size);
        Ok(chunk)
    }

    fn line(&mut self) -> io::Result<String> {
        loop {
            if let Some(end) = memchr::memchr(b'\n', &self.buffer) {
                let line: Vec<u8> = self.buffer.drain(..=end).collect();
                return Ok(String::from_utf8_lossy(&line).into_owned());
            }
            self.more()?;
        }
    }

    fn exactly(&mut self, length: usize) -> io::Result<Vec<u8>> {
        while self.buffer.len() < length {
            self.more()?;
        }
        Ok(self.buffer.drain(..length).collect())
    }

    fn more(&mut self) -> io::Result<()> {
        if self.fill()? > 0 {
            return Ok(());
        }
        let got = String::from_utf8_lossy(&self.buffer).into_owned();
        Err(io::Error::new(
            io::ErrorKind::UnexpectedEof,
            format!("the connection ended after {got:?}"),
        ))
    }

    fn fill(&mut self) -> io::Result<usize> {
        let mut bytes = [0; 1 << 16];
        let read = self.stream.read(&mut bytes)?;
        self.buffer.extend_from_slice(&bytes[..read]);
        Ok(read)
    }
}

/// One request on a connection of its own.
pub fn get(address: SocketAddr, path: &str) -> Response {
    request(address, "GET", path, &[], "")
}

/// One request on a connection of its own, with `Content-Length`.
pub fn post(address: SocketAddr, path: &str, body: impl AsRef<[u8]>) -> Response {
    request(address, "POST", path, &[("Content-Type", "application/octet-stream")], body)
}

/// One request on a connection of its own. `Host` is the address unless `headers` has one;
/// `Content-Length` if there is a body.
pub fn request(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: impl AsRef<[u8]>,
) -> Response {
    let body = body.as_ref();
    let mut head = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n");
    if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
        head += &format!("Host: {address}\r\n");
    }
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    if !body.is_empty() {
        head += &format!("Content-Length: {}\r\n", body.len());
    }
    let mut client = Client::connect(address);
    client.send(head + "\r\n");
    // Refused early, the rest of the body may find nobody: the response tells.
    let _ = client.try_send(body);
    client.try_read(method == "HEAD").unwrap_or_else(|error| panic!("{method} {path}: {error}"))
}

/// What curl prints with these arguments; panics if curl fails.
pub fn curl(arguments: &[&str]) -> String {
    let output = Command::new("curl").args(["-sS", "--max-time", "15"]).args(arguments).output();
    let output = output.expect("curl is installed (tests/run installs it)");
    assert!(
        output.status.success(),
        "curl {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}
