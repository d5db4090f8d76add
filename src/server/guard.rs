//! The guard before Pingora's parser: reads a head's raw bytes under one deadline and our own
//! limits, so that what is refused is answered, counted and logged.
//!
//! Pingora has no limit on a head's size or on its time, and answers what it cannot parse without
//! telling us; `docs/decisions/0001-drive-pingora-core-directly.md`.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use pingora_core::protocols::Stream;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt};
use tokio::time::timeout;

use crate::config::Limits;
use crate::proxy::head::{Refusal, find_end, for_parser, parse, refusal};
use crate::telemetry::events;
use crate::transaction::{Request, reason};

/// Room for a head with a dozen fields.
const ROOM: usize = 4096;
/// Empty lines before a request that are passed over (RFC 9112, 2.2).
const EMPTY_LINES: usize = 4;
/// How long a refused client may take to read why.
const FAREWELL: Duration = Duration::from_secs(1);
/// Bytes of a refused client that are read before the connection is closed: a close with unread
/// bytes would reset it, and the client would not see the answer.
const LINGER: usize = 64 << 10;

/// A head that passed, and the bytes that came after it.
pub(super) struct Passed {
    pub(super) request: Request,
    /// The head and what came with it, for Pingora's parser.
    pub(super) bytes: BytesMut,
    /// When its first byte was there.
    pub(super) started: Instant,
}

/// What became of waiting for a head.
pub(super) enum Head {
    /// The client closed the connection, or waited too long between requests.
    Gone,
    /// It was refused; the client was told, the connection is of no more use.
    Refused,
    /// It can be served.
    Passed(Box<Passed>),
}

/// Waits for a head and judges it.
pub(super) async fn next(
    stream: &mut Stream,
    before: BytesMut,
    client: SocketAddr,
    limits: &Limits,
) -> Head {
    let mut bytes = before;
    bytes.reserve(ROOM);
    skip_empty_lines(&mut bytes);
    if bytes.is_empty() {
        match timeout(limits.idle_time, stream.read_buf(&mut bytes)).await {
            Ok(Ok(1..)) => skip_empty_lines(&mut bytes),
            Ok(Ok(0) | Err(_)) | Err(_) => return Head::Gone,
        }
    }
    let started = Instant::now();
    let read = timeout(limits.head_time, read(stream, &mut bytes, limits)).await;
    let judged = match read {
        Err(_) => Err(refusal::TOO_SLOW),
        Ok(Err(Stop::Gone)) => return Head::Gone,
        Ok(Err(Stop::Refused(refusal))) => Err(refusal),
        Ok(Ok(end)) => judge(&bytes, end, limits),
    };
    match judged {
        Ok(request) => {
            let bytes = for_parser(&request, &bytes).unwrap_or(bytes);
            Head::Passed(Box::new(Passed { request, bytes, started }))
        }
        Err(refusal) => {
            refuse(stream, &bytes, client, refusal).await;
            Head::Refused
        }
    }
}

/// Why reading stopped before there was a whole head.
enum Stop {
    Gone,
    Refused(Refusal),
}

async fn read(stream: &mut Stream, bytes: &mut BytesMut, limits: &Limits) -> Result<usize, Stop> {
    let mut seen = 0;
    loop {
        skip_empty_lines(bytes);
        if let Some(end) = find_end(bytes, seen).map_err(Stop::Refused)? {
            let fits = end <= limits.head_bytes;
            return if fits { Ok(end) } else { Err(Stop::Refused(refusal::TOO_LARGE)) };
        }
        if bytes.len() >= limits.head_bytes {
            return Err(Stop::Refused(refusal::TOO_LARGE));
        }
        seen = bytes.len();
        match stream.read_buf(bytes).await {
            Ok(0) | Err(_) => return Err(Stop::Gone),
            Ok(_) => {}
        }
    }
}

fn skip_empty_lines(bytes: &mut BytesMut) {
    for _ in 0..EMPTY_LINES {
        if !bytes.starts_with(b"\r\n") {
            return;
        }
        let _ = bytes.split_to(2);
    }
}

fn judge(bytes: &BytesMut, end: usize, limits: &Limits) -> Result<Request, Refusal> {
    let head = bytes.get(..end).unwrap_or_default();
    parse(&Bytes::copy_from_slice(head), limits)
}

/// Tells the client, the metrics and the logs; then the connection ends.
pub(super) async fn refuse(
    stream: &mut Stream,
    head: &[u8],
    client: SocketAddr,
    Refusal { status, reason }: Refusal,
) {
    events::HeadRefused { client, status, reason, head }.emit();
    let body = format!("{status} {}\n", self::reason(status));
    let answer = format!(
        "HTTP/1.1 {status} {}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        self::reason(status),
        body.len(),
    );
    let farewell = async {
        stream.write_all(answer.as_bytes()).await?;
        stream.flush().await?;
        AsyncWriteExt::shutdown(stream).await?;
        linger(stream).await
    };
    drop(timeout(FAREWELL, farewell).await);
}

async fn linger(stream: &mut Stream) -> std::io::Result<()> {
    let mut dropped = BytesMut::with_capacity(ROOM);
    let mut total = 0;
    while total < LINGER {
        dropped.clear();
        match stream.read_buf(&mut dropped).await? {
            0 => break,
            length => total += length,
        }
    }
    Ok(())
}
