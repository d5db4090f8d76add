//! A server that answers what a test tells it to, and remembers every request with its bytes and
//! the times of their coming.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use super::answer::{Answer, Step, head};
use super::{Seen, wait_until, websocket};

/// A server on a loopback port, on a thread of its own; gone when dropped.
///
/// Answers by the path of the request, without its query: what [`Upstream::answer`] was told, else
/// `/echo` (the body back), `/head` (the head as JSON), `/ws` (a WebSocket that echoes), and
/// `200 hello` everywhere else.
pub struct Upstream {
    pub address: SocketAddr,
    state: Arc<State>,
    stop: Option<oneshot::Sender<()>>,
}

#[derive(Default)]
struct State {
    answers: Mutex<HashMap<String, Answer>>,
    seen: Mutex<Vec<Seen>>,
    keeps_nothing: AtomicBool,
    connections: AtomicUsize,
    open: AtomicUsize,
    bytes: AtomicUsize,
    requests: AtomicUsize,
}

impl Upstream {
    /// On a free port.
    pub fn start() -> Self {
        Self::start_at("127.0.0.1:0".parse().expect("an address"))
    }

    /// On this address (to come back where another one was).
    pub fn start_at(address: SocketAddr) -> Self {
        let state = Arc::<State>::default();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.expect("a runtime");
        let listener = runtime.block_on(TcpListener::bind(address)).expect("a port");
        let address = listener.local_addr().expect("it is bound");
        let (stop, stopped) = oneshot::channel();
        let accept = accept(listener, state.clone());
        std::thread::spawn(move || {
            runtime.block_on(async {
                tokio::select! { () = accept => {}, _ = stopped => {} }
            });
        });
        Self { address, state, stop: Some(stop) }
    }

    /// From now on this path answers so.
    pub fn answer(&self, path: &str, answer: Answer) -> &Self {
        self.state.answers.lock().unwrap().insert(path.to_owned(), answer);
        self
    }

    /// Begins anew: no request was seen. Bytes and connections go on counting.
    pub fn forget(&self) -> &Self {
        self.state.seen.lock().unwrap().clear();
        self.state.requests.store(0, Ordering::Release);
        self
    }

    /// From now on requests are counted, but not kept: for tests that send very many.
    pub fn keep_nothing(&self) -> &Self {
        self.state.keeps_nothing.store(true, Ordering::Relaxed);
        self
    }

    /// `http://…`, without a path.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Every request that came whole, in the order in which they did.
    pub fn seen(&self) -> Vec<Seen> {
        self.state.seen.lock().unwrap().clone()
    }

    /// The last request that came whole.
    pub fn last(&self) -> Seen {
        self.seen().pop().expect("a request reached the upstream")
    }

    /// Waits until so many requests came whole.
    pub fn wait_for(&self, requests: usize) -> Vec<Seen> {
        assert!(
            wait_until(super::DEADLINE, || self.requests() >= requests),
            "{} of {requests} requests reached the upstream",
            self.requests()
        );
        self.seen()
    }

    /// Requests that came whole.
    pub fn requests(&self) -> usize {
        self.state.requests.load(Ordering::Acquire)
    }

    /// Connections accepted so far.
    pub fn connections(&self) -> usize {
        self.state.connections.load(Ordering::Acquire)
    }

    /// Connections that are open now.
    pub fn open_connections(&self) -> usize {
        self.state.open.load(Ordering::Acquire)
    }

    /// Bytes received so far, of whole requests or not. Zero says that nothing left the proxy.
    pub fn bytes(&self) -> usize {
        self.state.bytes.load(Ordering::Acquire)
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
    }
}

async fn accept(listener: TcpListener, state: Arc<State>) {
    while let Ok((stream, _)) = listener.accept().await {
        let _ = stream.set_nodelay(true);
        let number = state.connections.fetch_add(1, Ordering::AcqRel);
        let connection = Connection {
            stream,
            number,
            connected: Instant::now(),
            buffer: Vec::new(),
            state: state.clone(),
        };
        tokio::spawn(async move {
            connection.state.open.fetch_add(1, Ordering::AcqRel);
            let state = connection.state.clone();
            // An end of the connection, at any place, is what some tests are about.
            let _ = connection.serve().await;
            state.open.fetch_sub(1, Ordering::AcqRel);
        });
    }
}

struct Connection {
    stream: TcpStream,
    number: usize,
    connected: Instant,
    /// Bytes read and not yet used.
    buffer: Vec<u8>,
    state: Arc<State>,
}

impl Connection {
    async fn serve(mut self) -> io::Result<()> {
        loop {
            let mut seen = self.head().await?;
            let mut body_read = false;
            for step in self.steps(&seen) {
                if !matches!(step, Step::ReadBody) {
                    self.take(step, &seen).await?;
                } else if !std::mem::replace(&mut body_read, true) {
                    self.body(&mut seen).await?;
                }
            }
        }
    }

    /// The answer's steps. Unless the answer itself says when the body is read, it is read first.
    fn steps(&self, seen: &Seen) -> Vec<Step> {
        let path = seen.target.split('?').next().unwrap_or_default();
        let told = self.state.answers.lock().unwrap().get(path).cloned();
        let Answer(mut steps) = told.unwrap_or_else(|| default(path));
        if !steps.iter().any(|step| matches!(step, Step::ReadBody)) {
            steps.insert(0, Step::ReadBody);
        }
        steps
    }

    async fn take(&mut self, step: Step, seen: &Seen) -> io::Result<()> {
        match step {
            Step::Send(bytes) if seen.method == "HEAD" => {
                self.stream.write_all(without_body(&bytes)).await
            }
            Step::Send(bytes) => self.stream.write_all(&bytes).await,
            Step::Repeat { .. } if seen.method == "HEAD" => Ok(()),
            Step::Repeat { bytes, count } => {
                for _ in 0..count {
                    self.stream.write_all(&bytes).await?;
                }
                Ok(())
            }
            Step::Wait(time) => {
                tokio::time::sleep(time).await;
                Ok(())
            }
            Step::EchoBody => self.stream.write_all(&echo_body(seen)).await,
            Step::EchoHead => self.stream.write_all(&echo_head(seen)).await,
            Step::WebSocket => {
                let key = seen.header("sec-websocket-key").unwrap_or_default();
                websocket::echo(&mut self.stream, key).await
            }
            Step::Close => Err(io::ErrorKind::ConnectionAborted.into()),
            Step::Hang => std::future::pending().await,
            Step::ReadBody => Ok(()),
        }
    }

    async fn head(&mut self) -> io::Result<Seen> {
        if self.buffer.is_empty() {
            self.fill().await?;
        }
        let first_byte = Instant::now();
        let end = loop {
            match memchr::memmem::find(&self.buffer, b"\r\n\r\n") {
                Some(end) => break end + 4,
                None => self.fill().await?,
            }
        };
        let raw: Vec<u8> = self.buffer.drain(..end).collect();
        let now = Instant::now();
        let (method, target, headers) = parse(&raw)?;
        Ok(Seen {
            connection: self.number,
            raw,
            method,
            target,
            headers,
            body: Vec::new(),
            trailers: Vec::new(),
            connected: self.connected,
            first_byte,
            head_complete: now,
            body_complete: now,
        })
    }

    /// Reads the rest of the request and writes the whole of it down.
    async fn body(&mut self, seen: &mut Seen) -> io::Result<()> {
        if seen.header("transfer-encoding").is_some() {
            self.chunks(seen).await?;
        } else {
            let length = seen.header("content-length").and_then(|length| length.parse().ok());
            let body = self.exactly(length.unwrap_or(0)).await?;
            seen.raw.extend_from_slice(&body);
            seen.body = body;
        }
        seen.body_complete = Instant::now();
        if !self.state.keeps_nothing.load(Ordering::Relaxed) {
            self.state.seen.lock().unwrap().push(seen.clone());
        }
        self.state.requests.fetch_add(1, Ordering::AcqRel);
        Ok(())
    }

    async fn chunks(&mut self, seen: &mut Seen) -> io::Result<()> {
        loop {
            let line = self.line().await?;
            let text = String::from_utf8_lossy(&line);
            let size = text.split(';').next().unwrap_or_default().trim();
            let size = usize::from_str_radix(size, 16).map_err(io::Error::other)?;
            seen.raw.extend_from_slice(&line);
            if size == 0 {
                break;
            }
            let chunk = self.exactly(size + 2).await?;
            seen.raw.extend_from_slice(&chunk);
            seen.body.extend_from_slice(&chunk[..size]);
        }
        loop {
            let line = self.line().await?;
            seen.raw.extend_from_slice(&line);
            if line == b"\r\n" {
                return Ok(());
            }
            seen.trailers.extend_from_slice(&line);
        }
    }

    async fn line(&mut self) -> io::Result<Vec<u8>> {
        loop {
            if let Some(end) = memchr::memchr(b'\n', &self.buffer) {
                return Ok(self.buffer.drain(..=end).collect());
            }
            self.fill().await?;
        }
    }

    async fn exactly(&mut self, length: usize) -> io::Result<Vec<u8>> {
        while self.buffer.len() < length {
            self.fill().await?;
        }
        Ok(self.buffer.drain(..length).collect())
    }

    async fn fill(&mut self) -> io::Result<()> {
        let read = self.stream.read_buf(&mut self.buffer).await?;
        self.state.bytes.fetch_add(read, Ordering::AcqRel);
        if read == 0 { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
    }
}

fn without_body(bytes: &[u8]) -> &[u8] {
    let end = memchr::memmem::find(bytes, b"\r\n\r\n").map_or(0, |end| end + 4);
    &bytes[..end]
}

fn default(path: &str) -> Answer {
    match path {
        "/echo" => Answer(vec![Step::EchoBody]),
        "/head" => Answer(vec![Step::EchoHead]),
        "/ws" => Answer(vec![Step::WebSocket]),
        _ => Answer::text("hello"),
    }
}

fn echo_body(seen: &Seen) -> Vec<u8> {
    let kind = seen.header("content-type").unwrap_or("application/octet-stream");
    let length = format!("Content-Length: {}", seen.body.len());
    let mut bytes = head(200, &[("Content-Type", kind)], &length);
    bytes.extend_from_slice(&seen.body);
    bytes
}

fn echo_head(seen: &Seen) -> Vec<u8> {
    let body = serde_json::json!({
        "method": seen.method,
        "target": seen.target,
        "headers": seen.headers,
    })
    .to_string();
    let mut bytes = head(
        200,
        &[("Content-Type", "application/json")],
        &format!("Content-Length: {}", body.len()),
    );
    bytes.extend_from_slice(body.as_bytes());
    bytes
}

type Head = (String, String, Vec<(String, String)>);

fn parse(raw: &[u8]) -> io::Result<Head> {
    let mut fields = [httparse::EMPTY_HEADER; 256];
    let mut request = httparse::Request::new(&mut fields);
    request.parse(raw).map_err(io::Error::other)?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok((
        request.method.unwrap_or_default().to_owned(),
        request.path.unwrap_or_default().to_owned(),
        request.headers.iter().map(|field| (field.name.to_owned(), text(field.value))).collect(),
    ))
}
