//! The guard: reads a head's raw bytes under one deadline and our own limits, so that what is refused
//! is answered, counted and logged.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::BytesMut;

use crate::config::Limits;
use crate::proxy::ClientStream;
use crate::proxy::head::{Outline, Refusal, find_end, parse, refusal};
use crate::shared::{within, within_again};
use crate::telemetry::events;
use crate::transaction::{Request, reason};

/// Empty lines before a request that are passed over (RFC 9112, 2.2).
const EMPTY_LINES: usize = 1024;
/// How long a refused client may take to read why.
const FAREWELL: Duration = Duration::from_secs(1);
/// Bytes of a refused client that are read before the connection is closed: a close with unread
/// bytes would reset it, and the client would not see the answer.
const LINGER: usize = 64 << 10;

/// What became of waiting for a head.
pub(super) enum Head {
    /// The client closed the connection, or waited too long between requests.
    Gone,
    /// It was refused; the client was told, the connection is of no more use.
    Refused,
    /// It can be served; when its first byte was there.
    Passed(Box<Request>, Instant),
}

/// Waits for a head and judges it; what comes after it stays unread.
pub(super) async fn next(stream: &mut ClientStream, client: SocketAddr, limits: &Limits) -> Head {
    stream.rest();
    skip_empty_lines(&mut stream.unread);
    if stream.unread.is_empty() {
        let time = stream.idle_time.unwrap_or(limits.idle_time);
        let mut timer = stream.timer.take();
        let read = within_again(&mut timer, time, stream.read(0)).await;
        stream.timer = timer;
        match read {
            Ok(Ok(1..)) => {}
            Ok(Ok(0) | Err(_)) | Err(_) => return Head::Gone,
        }
    }
    let started = Instant::now();
    let judged = match within(limits.head_time, read(stream, limits)).await {
        Err(_) => Err(refusal::TOO_SLOW),
        Ok(Err(Stop::Gone)) => return Head::Gone,
        Ok(Err(Stop::Refused(refusal))) => Err(refusal),
        Ok(Ok(request)) => Ok(request),
    };
    match judged {
        Ok(request) => Head::Passed(request, started),
        Err(refusal) => {
            // On the heap: what waits for a head is none the larger for it.
            Box::pin(refuse(stream, client, refusal)).await;
            Head::Refused
        }
    }
}

/// Why reading stopped before there was a whole head.
enum Stop {
    Gone,
    Refused(Refusal),
}

async fn read(stream: &mut ClientStream, limits: &Limits) -> Result<Box<Request>, Stop> {
    let mut seen = 0;
    loop {
        skip_empty_lines(&mut stream.unread);
        if seen == 0
            && let Some(request) = at_once(&mut stream.unread, limits)
        {
            return Ok(request);
        }
        let bytes = &stream.unread;
        if let Some(end) = find_end(bytes, seen, limits).map_err(Stop::Refused)? {
            let fits = end <= limits.head_bytes;
            let judged = if fits { judge(stream, end, limits) } else { Err(refusal::TOO_LARGE) };
            return judged.map(Box::new).map_err(Stop::Refused);
        }
        if bytes.len() >= limits.head_bytes {
            return Err(Stop::Refused(refusal::TOO_LARGE));
        }
        seen = bytes.len();
        match stream.read(0).await {
            Ok(0) | Err(_) => return Err(Stop::Gone),
            Ok(_) => {}
        }
    }
}

/// A head that is there whole and sound, as nearly every one is when something is there: it is split
/// without looking for its end before. Of any other this says nothing.
fn at_once(unread: &mut BytesMut, limits: &Limits) -> Option<Box<Request>> {
    let outline = match Outline::of(unread, limits) {
        Ok(outline) if outline.end <= limits.head_bytes => outline,
        _ => return None,
    };
    let head = unread.split_to(outline.end).freeze();
    Some(Box::new(outline.request(head)))
}

fn skip_empty_lines(bytes: &mut BytesMut) {
    if !bytes.starts_with(b"\r") {
        return;
    }
    let lines = bytes.chunks_exact(2).take(EMPTY_LINES).take_while(|line| line == b"\r\n");
    let skipped = 2 * lines.count();
    let _ = bytes.split_to(skipped);
}

/// A head that is refused stays where it is, to be told of; what came after it is nobody's.
fn judge(stream: &mut ClientStream, end: usize, limits: &Limits) -> Result<Request, Refusal> {
    let head = stream.unread.split_to(end).freeze();
    parse(&head, limits).inspect_err(|_| stream.unread = BytesMut::from(&head[..]))
}

/// Tells the client, the metrics and the logs; then the connection ends.
pub(super) async fn refuse(
    stream: &mut ClientStream,
    client: SocketAddr,
    Refusal { status, reason }: Refusal,
) {
    events::HeadRefused { client, status, reason, head: &stream.unread }.emit();
    let body = format!("{status} {}\n", self::reason(status));
    let answer = format!(
        "HTTP/1.1 {status} {}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        self::reason(status),
        body.len(),
    );
    let farewell = async {
        stream.send([answer.as_bytes(), b""]).await?;
        stream.shutdown().await?;
        linger(stream).await
    };
    drop(within(FAREWELL, farewell).await);
}

async fn linger(stream: &mut ClientStream) -> std::io::Result<()> {
    let mut total = 0;
    while total < LINGER {
        stream.unread.clear();
        match stream.read(0).await? {
            0 => break,
            length => total += length,
        }
    }
    Ok(())
}
