//! An exchange and its upstream: connect, send, read the head, try again where that is safe.

use std::time::{Duration, Instant};

use bytes::Bytes;
use pingora_error::{Error, ErrorType};
use pingora_http::RequestHeader;
use tokio::io::AsyncReadExt as _;

use super::choose::choose;
use super::downstream::Downstream;
use super::{Answered, Failure, Sent, Site, forward, respond, stream, tunnel};
use crate::phases::Exchange;
use crate::script::variable;
use crate::telemetry::events;
use crate::transaction::{Body, Verdict};
use crate::upstream::{Connection, Group, Lease, UpstreamError};

/// Bytes of a spooled body that are read at once.
const PIECE: usize = 64 << 10;
/// How long an upstream that stopped taking a body may need to say why.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Sends the request to its upstream and the answer to its client. No byte of the request leaves
/// before this is called: every verdict is known by then.
pub(super) async fn relay(site: &Site, exchange: &Exchange, downstream: &Downstream) -> Sent {
    match try_upstream(site, exchange, downstream).await {
        Ok(answered) if answered.connection.session.was_upgraded() => {
            tunnel::tunnel(exchange, downstream, answered).await
        }
        Ok(answered) => stream::stream(site, exchange, downstream, answered).await,
        Err(failure) => {
            failure.note(exchange);
            respond::respond(exchange, downstream, failure.status).await
        }
    }
}

async fn try_upstream(
    site: &Site,
    exchange: &Exchange,
    downstream: &Downstream,
) -> Result<Answered, Failure> {
    hold_body(exchange, downstream).await?;
    let group = choose(site, exchange)?;
    let key = hash_key(exchange, &group);
    let mut tried = Vec::new();
    let mut fresh = false;
    loop {
        let lease = group.pick(key.as_deref(), &tried).ok_or(NO_PEER)?;
        let head = head(exchange, downstream, &group)?;
        let first = note_try(exchange, &group);
        let (error, reused) = match attempt(site, exchange, &lease, head, fresh).await {
            Ok((connection, took_all)) => {
                lease.succeeded();
                note_head(exchange, &connection, first);
                report(&group, "ok", connection.reused);
                return Ok(Answered { connection, lease, took_all });
            }
            Err(attempt) => attempt,
        };
        report(&group, error.outcome(), reused);
        if reused && is_idempotent(exchange) && !fresh {
            // The peer closed an idle connection just as we took it: that says nothing of the peer.
            fresh = true;
            continue;
        }
        lease.failed();
        let again = matches!(error, UpstreamError::Connect { .. } | UpstreamError::Resolve { .. })
            || is_idempotent(exchange);
        if !again || tried.len() >= group.config().retries.tries as usize {
            return Err(failure(&error));
        }
        tried.push(lease.index());
    }
}

fn head(
    exchange: &Exchange,
    downstream: &Downstream,
    group: &Group,
) -> Result<Box<RequestHeader>, Failure> {
    let mut loan = downstream.lend().ok_or(Failure::ours(500, "body::session_gone"))?;
    let transaction = exchange.subject.transaction.borrow();
    forward::head(&transaction, group.config(), loan.session().req_header())
}

const NO_PEER: Failure = Failure::ours(503, "upstream::no_peer");

async fn hold_body(exchange: &Exchange, downstream: &Downstream) -> Result<(), Failure> {
    let unread = matches!(exchange.subject.transaction.borrow().body, Body::Unread);
    if unread {
        let body = downstream.body().await?;
        exchange.subject.transaction.borrow_mut().body = body;
    }
    Ok(())
}

fn hash_key(exchange: &Exchange, group: &Group) -> Option<Bytes> {
    variable(&exchange.subject.transaction.borrow(), group.hash_key()?)
}

fn note_try(exchange: &Exchange, group: &Group) -> Instant {
    let upstream = &mut exchange.subject.transaction.borrow_mut().upstream;
    upstream.tries += 1;
    upstream.name = Some(group.label.clone());
    Instant::now()
}

fn note_head(exchange: &Exchange, connection: &Connection, since: Instant) {
    let mut transaction = exchange.subject.transaction.borrow_mut();
    transaction.upstream.peer = Some(connection.address);
    transaction.upstream.status = connection.session.get_status().map(|status| status.as_u16());
    transaction.upstream.header_time = Some(since.elapsed());
    transaction.outcome.verdict = Verdict::Allowed;
}

fn report(group: &Group, outcome: &'static str, reused: bool) {
    events::UpstreamTried { upstream: group.name(), outcome, reused }.emit();
}

fn is_idempotent(exchange: &Exchange) -> bool {
    let transaction = exchange.subject.transaction.borrow();
    matches!(
        &transaction.request.method[..],
        b"GET" | b"HEAD" | b"OPTIONS" | b"TRACE" | b"PUT" | b"DELETE"
    )
}

fn failure(error: &UpstreamError) -> Failure {
    match error.outcome() {
        "timeout" => Failure::ours(504, "upstream::timeout"),
        "connect_error" => Failure::ours(502, "upstream::connect_error"),
        "bad_response" => Failure::ours(502, "upstream::bad_response"),
        _ => Failure::ours(502, "upstream::broken"),
    }
}

/// One try on one peer, up to its response head: the connection, and whether it took the whole
/// request. The error comes with whether the connection had served before.
async fn attempt(
    site: &Site,
    exchange: &Exchange,
    lease: &Lease,
    head: Box<RequestHeader>,
    fresh: bool,
) -> Result<(Connection, bool), (UpstreamError, bool)> {
    let connecting = async {
        if fresh { site.pool.connect_fresh(lease).await } else { site.pool.connect(lease).await }
    };
    let mut connection = connecting.await.map_err(|error| (error, false))?;
    exchange.subject.transaction.borrow_mut().upstream.peer = Some(connection.address);
    let result = send_and_hear(exchange, &mut connection, lease, head).await;
    let reused = connection.reused;
    result.map(|took_all| (connection, took_all)).map_err(|error| (error, reused))
}

async fn send_and_hear(
    exchange: &Exchange,
    connection: &mut Connection,
    lease: &Lease,
    head: Box<RequestHeader>,
) -> Result<bool, UpstreamError> {
    let body = exchange.subject.transaction.borrow().body.clone();
    let sent = send(connection, head, &body).await;
    let result = match sent {
        Ok(()) => hear(connection).await.map(|()| true),
        Err(error) => {
            // It may have answered and stopped reading: a refusal of a large body, mostly.
            match tokio::time::timeout(LAST_WORDS, hear(connection)).await {
                Ok(Ok(())) => Ok(false),
                Ok(Err(_)) | Err(_) => Err(error),
            }
        }
    };
    result.map_err(|error| UpstreamError::of_session(lease.group(), error))
}

async fn send(
    connection: &mut Connection,
    head: Box<RequestHeader>,
    body: &Body,
) -> pingora_error::Result<()> {
    let session = &mut connection.session;
    session.write_request_header(head).await?;
    match body {
        Body::Unread | Body::Empty => return Ok(()),
        Body::Memory(bytes) => drop(session.write_body(bytes).await?),
        Body::Spooled { path, .. } => {
            let lost = |error| Error::because(ErrorType::FileReadError, "the spooled body", error);
            let mut file = tokio::fs::File::open(path).await.map_err(lost)?;
            let mut piece = vec![0; PIECE];
            loop {
                let length = file.read(&mut piece).await.map_err(lost)?;
                let Some(bytes) = piece.get(..length).filter(|bytes| !bytes.is_empty()) else {
                    break;
                };
                session.write_body(bytes).await?;
            }
        }
    }
    session.finish_body().await.map(drop)
}

/// Reads response heads up to the one that is the answer; what is informational ends here.
async fn hear(connection: &mut Connection) -> pingora_error::Result<()> {
    let session = &mut connection.session;
    loop {
        session.read_response().await?;
        let status = session.get_status().map_or(0, |status| status.as_u16());
        match status {
            101 if session.was_upgraded() => return Ok(()),
            // Nobody asked for it: what follows would pass as a tunnel that no rule looks into.
            101 => return Err(Error::explain(ErrorType::InvalidHTTPHeader, "an upgrade unasked")),
            100..200 => {}
            _ => return Ok(()),
        }
    }
}
