//! An upstream's answer on its way to the client: filtered, streamed, or held where a handler wants
//! it whole.

use std::time::Instant;

use bytes::{Bytes, BytesMut};
use pingora_core::protocols::http::ServerSession;
use pingora_http::ResponseHeader;

use super::downstream::Downstream;
use super::pieces::{Piece, Pieces};
use super::relay::Answered;
use super::{Cork, Sent, Site, respond};
use crate::phases::{self, BodyFilter, Exchange, Flow};
use crate::script::Chunk;
use crate::telemetry::events;
use crate::transaction::{Headers, Response, Verdict, Version};
use crate::upstream::Connection;

/// Fields that belong to one connection (RFC 9110, 7.6.1).
const HOP_BY_HOP: [&str; 7] = [
    "connection",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Sends the answer of an upstream whose head was read.
pub(super) async fn stream(
    site: &Site,
    exchange: &Exchange,
    downstream: &Downstream,
    answered: Answered,
) -> Sent {
    let Answered { mut connection, lease, took_all } = answered;
    let since = Instant::now();
    if let Some(head) = unseen(exchange, &connection) {
        let sent = copy(exchange, downstream, &mut connection, head, None).await;
        note_time(exchange, since);
        return end(site, connection, sent, took_all).await;
    }
    take_head(exchange, &connection);
    match phases::response_head(exchange) {
        Flow::Continue => {}
        Flow::Close => return Sent::Cut,
        Flow::Respond(status) => {
            exchange.subject.transaction.borrow_mut().response = None;
            return respond::respond(exchange, downstream, status).await;
        }
    }
    let filter = BodyFilter::of(exchange);
    let whole = filter.is_some() && exchange.plan().whole_body;
    let sent = match filter {
        Some(filter) if whole => send_whole(exchange, downstream, &mut connection, filter).await,
        filter => send_chunks(exchange, downstream, &mut connection, filter).await,
    };
    note_time(exchange, since);
    drop(lease);
    end(site, connection, sent, took_all).await
}

/// Gives the connection back, if it can serve another request.
async fn end(site: &Site, connection: Connection, sent: Sent, took_all: bool) -> Sent {
    if sent == Sent::Whole && took_all {
        site.pool.release(connection).await;
    }
    sent
}

/// The head as the client gets it, where no handler looks at responses and no script staged
/// anything: Pingora's own, without the fields that belong to one connection.
fn unseen(exchange: &Exchange, connection: &Connection) -> Option<Box<ResponseHeader>> {
    let mut transaction = exchange.subject.transaction.borrow_mut();
    let staged = transaction.reply.status != 0 || !transaction.reply.headers.is_empty();
    if staged || exchange.plan().sees_responses() {
        return None;
    }
    let mut head = Box::new(connection.session.resp_header()?.clone());
    for hop in HOP_BY_HOP {
        if head.headers.contains_key(hop) {
            head.remove_header(hop);
        }
    }
    let bodiless = matches!(head.status.as_u16(), 204 | 304);
    let sized = bodiless || head.headers.contains_key(http::header::CONTENT_LENGTH);
    let asks_head = &transaction.request.method[..] == b"HEAD";
    if !sized && !asks_head && transaction.request.version >= Version::Http11 {
        head.append_header("Transfer-Encoding", "chunked").ok()?;
    }
    let status = head.status.as_u16();
    transaction.response = Some(Response { status, headers: Headers::default() });
    Some(head)
}

/// The upstream's head, with what scripts staged before, becomes the response.
fn take_head(exchange: &Exchange, connection: &Connection) {
    let mut transaction = exchange.subject.transaction.borrow_mut();
    let Some(head) = connection.session.resp_header() else { return };
    let staged = std::mem::take(&mut transaction.reply.headers);
    let mut headers = Headers::with_capacity(head.headers.len() + staged.len() + 2);
    for (name, value) in head.case_header_iter() {
        let name = Bytes::copy_from_slice(name.as_slice());
        let dropped = HOP_BY_HOP.iter().any(|hop| name.eq_ignore_ascii_case(hop.as_bytes()));
        if !dropped {
            headers.append(name, Bytes::copy_from_slice(value.as_bytes()));
        }
    }
    for field in &staged {
        headers.append(field.name.clone(), field.value.clone());
    }
    let status = match transaction.reply.status {
        0 => head.status.as_u16(),
        staged => staged,
    };
    transaction.response = Some(Response { status, headers });
}

fn note_time(exchange: &Exchange, since: Instant) {
    let mut transaction = exchange.subject.transaction.borrow_mut();
    let head = transaction.upstream.header_time.unwrap_or_default();
    transaction.upstream.response_time = Some(head + since.elapsed());
}

/// Chunk by chunk, with constant memory. What follows at once is sent with what is before it; what
/// has to be waited for does not hold up what is there.
async fn send_chunks(
    exchange: &Exchange,
    downstream: &Downstream,
    connection: &mut Connection,
    filter: Option<BodyFilter>,
) -> Sent {
    let length = if filter.is_some() { Length::Unknown } else { Length::AsReceived };
    match framed(exchange, length) {
        Some(head) => copy(exchange, downstream, connection, head, filter).await,
        None => Sent::Cut,
    }
}

/// The head, and then the body chunk by chunk.
async fn copy(
    exchange: &Exchange,
    downstream: &Downstream,
    connection: &mut Connection,
    head: Box<ResponseHeader>,
    mut filter: Option<BodyFilter>,
) -> Sent {
    let Some(mut loan) = downstream.lend() else { return Sent::Cut };
    let _uncork = Uncork(&downstream.cork);
    let session = loan.session();
    let mut pieces = Pieces::begin(connection).await;
    downstream.cork.set(pieces.is_there());
    if session.write_response_header(head).await.is_err() {
        return Sent::Cut;
    }
    loop {
        let Piece { bytes, last } = match pieces.next(connection).await {
            Ok(piece) => piece,
            Err(error) => return cut(exchange, connection, error),
        };
        let Some(bytes) = pass(exchange, &mut filter, bytes, last) else { return Sent::Cut };
        downstream.cork.set(last || pieces.is_there());
        if send(session, bytes, false).await == Sent::Cut {
            return Sent::Cut;
        }
        if last {
            downstream.cork.set(false);
            return send(session, Bytes::new(), true).await;
        }
    }
}

/// Whatever happens, the connection's next answer is not held.
struct Uncork<'a>(&'a Cork);

impl Drop for Uncork<'_> {
    fn drop(&mut self) {
        self.0.set(false);
    }
}

async fn send(session: &mut ServerSession, bytes: Bytes, last: bool) -> Sent {
    match session.write_response_body(bytes, last).await {
        Ok(()) => Sent::Whole,
        Err(_) => Sent::Cut,
    }
}

/// The upstream died in the middle of its answer: the client must not take what it has for all.
fn cut(exchange: &Exchange, connection: &Connection, error: Box<pingora_error::Error>) -> Sent {
    let error = connection.error(error);
    let mut transaction = exchange.subject.transaction.borrow_mut();
    transaction.outcome.verdict = Verdict::Failed;
    transaction.outcome.reason = Some("upstream::cut_short".to_owned());
    events::Trouble {
        what: &format!("request {}: the upstream's answer was cut short: {error}", transaction.id),
        next: "look at the upstream's own log; the client's connection was closed",
    }
    .emit();
    Sent::Cut
}

fn pass(
    exchange: &Exchange,
    filter: &mut Option<BodyFilter>,
    bytes: Bytes,
    last: bool,
) -> Option<Bytes> {
    match filter {
        None => Some(bytes),
        Some(filter) => filter.pass(exchange, Chunk { bytes, last }).ok(),
    }
}

/// Held up to the route's limit and given to the handlers in one piece. What is longer passes
/// unchanged or is cut, as the handler's `on_error` says.
async fn send_whole(
    exchange: &Exchange,
    downstream: &Downstream,
    connection: &mut Connection,
    mut filter: BodyFilter,
) -> Sent {
    let limit = exchange.plan().body.response;
    let mut body = BytesMut::new();
    loop {
        match connection.session.read_body_bytes().await {
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => break,
            Err(error) => return cut(exchange, connection, error),
        }
        if body.len() > limit {
            return send_too_long(exchange, downstream, connection, body.freeze()).await;
        }
    }
    let chunk = Chunk { bytes: body.freeze(), last: true };
    let Ok(body) = filter.pass(exchange, chunk) else {
        return refuse(exchange, downstream).await;
    };
    let Some(head) = framed(exchange, Length::Known(body.len())) else { return Sent::Cut };
    let Some(mut loan) = downstream.lend() else { return Sent::Cut };
    let _uncork = Uncork(&downstream.cork);
    downstream.cork.set(true);
    if loan.session().write_response_header(head).await.is_err() {
        return Sent::Cut;
    }
    downstream.cork.set(false);
    send(loan.session(), body, true).await
}

/// A handler failed on a body of which nothing was sent: the client gets an answer of ours, which no
/// `body_filter` sees.
async fn refuse(exchange: &Exchange, downstream: &Downstream) -> Sent {
    let status = exchange.live.policy.config.lua.error_status;
    exchange.subject.transaction.borrow_mut().outcome.verdict = Verdict::Failed;
    respond::plain(exchange, downstream, status).await
}

async fn send_too_long(
    exchange: &Exchange,
    downstream: &Downstream,
    connection: &mut Connection,
    first: Bytes,
) -> Sent {
    events::ResponseTooLong { route: &exchange.plan().name }.emit();
    if exchange.plan().refuses_long_responses {
        super::Failure::ours(502, "body::response_too_long").note(exchange);
        return respond::plain(exchange, downstream, 502).await;
    }
    let Some(head) = framed(exchange, Length::Unknown) else { return Sent::Cut };
    let Some(mut loan) = downstream.lend() else { return Sent::Cut };
    let session = loan.session();
    if session.write_response_header(head).await.is_err() {
        return Sent::Cut;
    }
    let mut next = Some(first);
    while let Some(bytes) = next {
        if send(session, bytes, false).await == Sent::Cut {
            return Sent::Cut;
        }
        next = match connection.session.read_body_bytes().await {
            Ok(chunk) => chunk,
            Err(error) => return cut(exchange, connection, error),
        };
    }
    send(session, Bytes::new(), true).await
}

/// How long a response's body will be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Length {
    /// As its upstream says, or does not say.
    AsReceived,
    /// This many bytes.
    Known(usize),
    /// Not known before its end.
    Unknown,
}

/// The head for the client, with the body's framing.
fn framed(exchange: &Exchange, length: Length) -> Option<Box<ResponseHeader>> {
    let mut transaction = exchange.subject.transaction.borrow_mut();
    let can_chunk = transaction.request.version >= Version::Http11;
    let bodiless = &transaction.request.method[..] == b"HEAD";
    let response = transaction.response.as_mut()?;
    let bodiless = bodiless || matches!(response.status, 204 | 304);
    if !bodiless {
        match length {
            Length::AsReceived => {}
            Length::Known(bytes) => response.headers.set("Content-Length", bytes.to_string()),
            Length::Unknown => drop(response.headers.remove("content-length")),
        }
        if can_chunk && !response.headers.contains("content-length") {
            response.headers.append("Transfer-Encoding", "chunked");
        }
    }
    respond::head(response.status, &response.headers)
}
