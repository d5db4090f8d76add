//! An exchange and its upstream: connect, send, read the head, try again where that is safe.

use std::time::{Duration, Instant};

use pingora_error::{Error, ErrorType};
use tokio::io::AsyncReadExt as _;

use super::choose::choose;
use super::downstream::Downstream;
use super::kept::{self, Kept};
use super::turns::{Chosen, Turns};
use super::{Answered, Failure, Sent, Site, forward, stream, tunnel, words};
use crate::phases::{self, Exchange};
use crate::shared::within;
use crate::telemetry::events;
use crate::transaction::{Body, PeerFailure, Transaction, Verdict};
use crate::upstream::{Asked, Connection, Group, Lease, UpstreamError};

/// Bytes of a spooled body that are read at once.
const PIECE: usize = 64 << 10;
/// How long an upstream that stopped taking a body may need to say why.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Sends the request to its upstream and the answer to its client. No byte of the request leaves
/// before this is called: every verdict is known by then.
///
/// # Errors
/// The status for the client, where the upstream did not answer, or a page answers in its stead.
pub(super) async fn relay(
    site: &Site,
    exchange: &Exchange,
    downstream: &Downstream,
) -> Result<Sent, u16> {
    match try_upstream(site, exchange, downstream).await {
        Ok(answered) if answered.upgraded => {
            Ok(tunnel::tunnel(exchange, downstream, answered).await)
        }
        Ok(answered) => match replaced(exchange, &answered.connection) {
            Some(status) => Err(status),
            None => Ok(stream::stream(site, exchange, downstream, answered).await),
        },
        Err(failure) => {
            failure.note(exchange);
            Err(failure.status)
        }
    }
}

/// The status of an answer in whose place the route's settings want an error page.
fn replaced(exchange: &Exchange, connection: &Connection) -> Option<u16> {
    let status = connection.head().status();
    let wanted = {
        let transaction = exchange.subject.transaction.borrow();
        let onward = transaction.upstream.onward.as_ref();
        !transaction.is_subrequest && onward.is_some_and(|onward| onward.own_error_pages)
    };
    if status < 300 || !wanted || !phases::has_page_for(exchange, status) {
        return None;
    }
    if let Some(asks) = connection.head().get("www-authenticate").filter(|_| status == 401) {
        let headers = &mut exchange.subject.transaction.borrow_mut().reply.headers;
        headers.set("WWW-Authenticate", asks.to_vec());
    }
    Some(status)
}

async fn try_upstream(
    site: &Site,
    exchange: &Exchange,
    downstream: &Downstream,
) -> Result<Answered, Failure> {
    hold_body(exchange, downstream).await?;
    let mut turns = Turns::new(exchange, choose(site, exchange)?);
    let mut next = turns.next()?;
    loop {
        let Chosen { lease, fresh } = next;
        let head = forward::head(&exchange.subject.transaction.borrow(), turns.group().config())?;
        let asked = note_try(exchange, turns.group());
        let (error, reused) = match attempt(site, exchange, &lease, &head, fresh).await {
            Ok((connection, _)) if turns.has_more() && is_unwanted(exchange, &connection) => {
                next_after(exchange, &mut turns, (&lease, &connection));
                next = turns.next()?;
                continue;
            }
            Ok((connection, reply)) => {
                lease.succeeded();
                note_head(exchange, &connection, asked);
                report(turns.group(), "ok", connection.reused);
                let Heard { upgraded, took_all } = reply;
                return Ok(Answered { connection, lease, asked, upgraded, took_all });
            }
            Err(attempt) => attempt,
        };
        report(turns.group(), error.outcome(), reused);
        if reused && is_idempotent(exchange) && !fresh {
            // The peer closed an idle connection just as we took it: that says nothing of the peer.
            next = Chosen { lease, fresh: true };
            continue;
        }
        lease.failed();
        let failure = failure(&error);
        words::tell(exchange, &error);
        let may_repeat = error.is_before_request() || is_idempotent(exchange);
        let again = may_repeat && turns.has_more();
        turns.failed(&lease, PeerFailure { status: failure.status, is_sound: false });
        if !again {
            return Err(failure);
        }
        next = turns.next()?;
    }
}

/// Whether the upstream's settings say that another peer may know better.
fn is_unwanted(exchange: &Exchange, connection: &Connection) -> bool {
    let statuses = &connection.config().retry_on;
    statuses.contains(&connection.head().status()) && is_idempotent(exchange)
}

/// The peer answered what another may answer better. Its connection, with an answer that nobody reads,
/// is closed.
fn next_after(
    exchange: &Exchange,
    turns: &mut Turns<'_>,
    (lease, connection): (&Lease, &Connection),
) {
    let status = connection.head().status();
    let is_sound = matches!(status, 403 | 404);
    if is_sound {
        lease.succeeded();
    } else {
        lease.failed();
    }
    report(turns.group(), if is_sound { "ok" } else { "bad_response" }, connection.reused);
    exchange.subject.transaction.borrow_mut().upstream.peer = Some(connection.address.clone());
    turns.failed(lease, PeerFailure { status, is_sound });
}

async fn hold_body(exchange: &Exchange, downstream: &Downstream) -> Result<(), Failure> {
    let unread = matches!(exchange.subject.transaction.borrow().body, Body::Unread);
    if unread {
        let body = downstream.body().await?;
        exchange.subject.transaction.borrow_mut().body = body;
    }
    if is_disowned(&exchange.subject.transaction.borrow()) {
        exchange.subject.transaction.borrow_mut().body = Body::Empty;
    }
    // What a script dropped of it is not to be taken for the next request.
    downstream.drain().await;
    Ok(())
}

/// Whether a script took away what says that there is a body: nginx sends none then.
fn is_disowned(transaction: &Transaction) -> bool {
    let says = |name| transaction.request.headers.contains(name);
    transaction.upstream.onward.is_some()
        && !transaction.is_subrequest
        && transaction.body.length().is_some_and(|length| length > 0)
        && !says("content-length")
        && !says("transfer-encoding")
}

fn note_try(exchange: &Exchange, group: &Group) -> Instant {
    let upstream = &mut exchange.subject.transaction.borrow_mut().upstream;
    upstream.tries += 1;
    upstream.name = Some(group.label.clone());
    Instant::now()
}

fn note_head(exchange: &Exchange, connection: &Connection, since: Instant) {
    let mut transaction = exchange.subject.transaction.borrow_mut();
    transaction.upstream.peer = Some(connection.address.clone());
    transaction.upstream.status = Some(connection.head().status());
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
    if matches!(error, UpstreamError::Connect { source, .. } if words::is_unbound(source)) {
        return Failure::ours(500, "upstream::no_such_local_address");
    }
    match error.outcome() {
        "timeout" => Failure::ours(504, "upstream::timeout"),
        "connect_error" => Failure::ours(502, "upstream::connect_error"),
        "tls_error" => Failure::ours(502, "upstream::tls_error"),
        "bad_response" => Failure::ours(502, "upstream::bad_response"),
        _ => Failure::ours(502, "upstream::broken"),
    }
}

/// How a try that was answered went.
struct Heard {
    /// Whether a WebSocket follows.
    upgraded: bool,
    /// Whether the peer took the whole request.
    took_all: bool,
}

/// One try on one peer, up to its response head. The error comes with whether the connection had
/// served before.
async fn attempt(
    site: &Site,
    exchange: &Exchange,
    lease: &Lease,
    head: &[u8],
    fresh: bool,
) -> Result<(Connection, Heard), (UpstreamError, bool)> {
    let connecting = async {
        if fresh { site.pool.connect_fresh(lease).await } else { site.pool.connect(lease).await }
    };
    let mut connection = connecting.await.map_err(|error| (error, false))?;
    exchange.subject.transaction.borrow_mut().upstream.peer = Some(connection.address.clone());
    kept::tell(exchange, if connection.reused { Kept::Reused } else { Kept::Missing });
    match send_and_hear(exchange, &mut connection, head).await {
        Ok(reply) => Ok((connection, reply)),
        Err(error) => {
            let (error, reused) = (connection.error(error), connection.reused);
            Err((error, reused))
        }
    }
}

async fn send_and_hear(
    exchange: &Exchange,
    connection: &mut Connection,
    head: &[u8],
) -> pingora_error::Result<Heard> {
    let (body, asked) = {
        let transaction = exchange.subject.transaction.borrow();
        (transaction.body.clone(), asked(&transaction))
    };
    let Err(error) = send(connection, head, &body).await else {
        let upgraded = connection.hear(asked).await?;
        return Ok(Heard { upgraded, took_all: true });
    };
    // It may have answered and stopped reading: a refusal of a large body, mostly.
    match within(LAST_WORDS, connection.hear(asked)).await {
        Ok(Ok(upgraded)) => Ok(Heard { upgraded, took_all: false }),
        Ok(Err(_)) | Err(_) => Err(error),
    }
}

fn asked(transaction: &Transaction) -> Asked {
    match &transaction.request.method[..] {
        b"HEAD" => Asked::Head,
        _ if forward::is_upgrade(transaction) => Asked::Upgrade,
        _ => Asked::Anything,
    }
}

async fn send(connection: &mut Connection, head: &[u8], body: &Body) -> pingora_error::Result<()> {
    let path = match body {
        Body::Unread | Body::Empty => return connection.send(head, b"").await,
        Body::Memory(bytes) => return connection.send(head, bytes).await,
        Body::Spooled { path, .. } => path,
    };
    connection.send(head, b"").await?;
    let lost = |error| Error::because(ErrorType::FileReadError, "the spooled body", error);
    let mut file = tokio::fs::File::open(path).await.map_err(lost)?;
    let mut piece = vec![0; PIECE];
    loop {
        let length = file.read(&mut piece).await.map_err(lost)?;
        match piece.get(..length) {
            Some(bytes) if !bytes.is_empty() => connection.send(bytes, b"").await?,
            _ => return Ok(()),
        }
    }
}
