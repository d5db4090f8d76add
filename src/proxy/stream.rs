//! An upstream's answer on its way to the client: filtered, streamed, or held where a handler wants
//! it whole.

use std::time::Instant;

use bytes::{Bytes, BytesMut};

use super::answer::{Answer, Leaves};
use super::downstream::Downstream;
use super::framing::{Length, framed, is_unseen, pass, take_head};
use super::kept::{self, Kept};
use super::pieces::{Piece, Pieces};
use super::{Answered, Sent, Site, judge, respond};
use crate::phases::{self, BodyFilter, Exchange, Flow};
use crate::script::Chunk;
use crate::telemetry::events;
use crate::transaction::Verdict;
use crate::upstream::{Connection, UpstreamError};

/// `ngx.ERR`.
const ERROR: i64 = 4;

/// What nginx does while handlers see a head, and while they see a body.
const READING_HEAD: &str = "reading response header from upstream";
const SENDING: &str = "sending to client";

/// Sends the answer of an upstream whose head was read.
pub(super) async fn stream(
    site: &Site,
    exchange: &Exchange,
    downstream: &Downstream,
    answered: Answered,
) -> Sent {
    let Answered { mut connection, lease, asked, took_all, .. } = answered;
    if is_unseen(exchange) {
        let sent = copy(exchange, downstream, &mut connection, None, (None, None)).await;
        note_time(exchange, asked);
        return end((site, exchange), connection, sent, took_all).await;
    }
    take_head(exchange, &connection);
    exchange.subject.transaction.borrow_mut().doing = Some(READING_HEAD);
    let pieces = match judge(exchange, &mut connection).await {
        Ok((Flow::Continue, pieces)) => pieces,
        Ok((Flow::Close | Flow::Reroute, _)) => return Sent::Cut,
        Ok((Flow::Respond(status), _)) => {
            exchange.subject.transaction.borrow_mut().response = None;
            return respond::respond(exchange, downstream, status).await;
        }
        Err(error) => return cut(exchange, &connection, error),
    };
    exchange.subject.transaction.borrow_mut().doing = Some(SENDING);
    let filter = BodyFilter::of(exchange);
    let whole = filter.is_some() && exchange.plan().whole_body;
    let sent = match filter {
        Some(filter) if whole => {
            send_whole(exchange, downstream, &mut connection, (filter, pieces)).await
        }
        filter => send_chunks(exchange, downstream, &mut connection, (filter, pieces)).await,
    };
    note_time(exchange, asked);
    drop(lease);
    end((site, exchange), connection, sent, took_all).await
}

/// What handlers and rules say of the answer, in this order, before a byte of it is sent; and
/// the pieces of its body, if the rules had them begun. Handlers of `body_filter` come after the rules: these judge what
/// the upstream sent, and see it before anything of it is changed.
async fn judge(
    exchange: &Exchange,
    connection: &mut Connection,
) -> pingora_error::Result<(Flow, Option<Pieces>)> {
    match phases::response_head(exchange).await {
        Flow::Continue => judge::judge(exchange, connection).await,
        flow => Ok((flow, None)),
    }
}

/// Gives the connection back, if it can serve another request.
async fn end(
    (site, exchange): (&Site, &Exchange),
    connection: Connection,
    sent: Sent,
    took_all: bool,
) -> Sent {
    if sent == Sent::Whole && took_all && site.pool.release(connection).await {
        kept::tell(exchange, Kept::Saved);
    }
    sent
}

fn note_time(exchange: &Exchange, asked: Instant) {
    let mut transaction = exchange.subject.transaction.borrow_mut();
    transaction.upstream.response_time = Some(asked.elapsed());
}

/// Chunk by chunk, with constant memory. What follows at once is sent with what is before it; what
/// has to be waited for does not hold up what is there.
async fn send_chunks(
    exchange: &Exchange,
    downstream: &Downstream,
    connection: &mut Connection,
    (filter, pieces): (Option<BodyFilter>, Option<Pieces>),
) -> Sent {
    let length = if filter.is_some() { Length::Unknown } else { Length::of(connection) };
    copy(exchange, downstream, connection, Some(length), (filter, pieces)).await
}

/// The head (the upstream's own where no length is given), and then the body chunk by chunk.
async fn copy(
    exchange: &Exchange,
    downstream: &Downstream,
    connection: &mut Connection,
    length: Option<Length>,
    (mut filter, pieces): (Option<BodyFilter>, Option<Pieces>),
) -> Sent {
    let Some(mut loan) = downstream.lend() else { return Sent::Cut };
    let client = loan.stream();
    let framing = match length {
        None => pass(&mut client.waiting, (exchange, downstream), connection),
        Some(length) => framed(&mut client.waiting, (exchange, downstream), length),
    };
    let Some(framing) = framing else { return Sent::Cut };
    let mut answer = Answer::new(client, framing);
    let mut pieces = begun(pieces, connection).await;
    if !pieces.is_there() && answer.give(b"", Leaves::Now).await == Sent::Cut {
        return Sent::Cut;
    }
    loop {
        let Piece { bytes, last } = match pieces.next(connection).await {
            Ok(piece) => piece,
            Err(error) => {
                // The client gets what there is, and sees that it is not all.
                let _ = answer.give(b"", Leaves::Now).await;
                return cut(exchange, connection, error);
            }
        };
        let Some(bytes) = filtered(exchange, &mut filter, bytes, last) else { return Sent::Cut };
        // What a filter ended early ends for the client at once, however long the upstream goes on.
        let last = last || filter.as_ref().is_some_and(BodyFilter::has_ended);
        let leaves = leaves(last, &pieces);
        if answer.give(&bytes, leaves).await == Sent::Cut {
            return Sent::Cut;
        }
        if last {
            return Sent::Whole;
        }
    }
}

fn leaves(last: bool, pieces: &Pieces) -> Leaves {
    match last {
        true => Leaves::AsTheEnd,
        false if pieces.is_there() => Leaves::WithWhatFollows,
        false => Leaves::Now,
    }
}

async fn begun(pieces: Option<Pieces>, connection: &mut Connection) -> Pieces {
    match pieces {
        Some(pieces) => pieces,
        None => Pieces::begin(connection).await,
    }
}

/// The upstream died in the middle of its answer: the client must not take what it has for all.
fn cut(exchange: &Exchange, connection: &Connection, error: Box<pingora_error::Error>) -> Sent {
    let error = connection.error(error);
    if exchange.subject.transaction.borrow().site.is_some() {
        let transaction = exchange.subject.transaction.borrow();
        let what = match error {
            UpstreamError::Timeout { .. } => "upstream timed out (110: Connection timed out)",
            _ => "upstream prematurely closed connection",
        };
        let message = format!("{what} while reading upstream");
        events::Said { level: ERROR, message: &message, about: Some(&transaction) }.emit();
    }
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

fn filtered(
    exchange: &Exchange,
    filter: &mut Option<BodyFilter>,
    bytes: Bytes,
    last: bool,
) -> Option<Bytes> {
    phases::see_chunk(exchange, &bytes, last);
    match filter {
        None => Some(bytes),
        Some(filter) => filter.pass_received(exchange, Chunk { bytes, last }).ok(),
    }
}

/// Held up to the route's limit and given to the handlers in one piece. What is longer passes
/// unchanged or is cut, as the handler's `on_error` says.
async fn send_whole(
    exchange: &Exchange,
    downstream: &Downstream,
    connection: &mut Connection,
    (mut filter, pieces): (BodyFilter, Option<Pieces>),
) -> Sent {
    let limit = exchange.plan().body.response;
    let mut pieces = begun(pieces, connection).await;
    let mut body = BytesMut::new();
    loop {
        let last = match pieces.next(connection).await {
            Ok(piece) => {
                body.extend_from_slice(&piece.bytes);
                piece.last
            }
            Err(error) => return cut(exchange, connection, error),
        };
        if body.len() > limit {
            let pieces = pieces.after(Piece { bytes: body.freeze(), last });
            return send_too_long(exchange, downstream, connection, pieces).await;
        }
        if last {
            break;
        }
    }
    let chunk = Chunk { bytes: body.freeze(), last: true };
    phases::see_chunk(exchange, &chunk.bytes, true);
    let Ok(body) = filter.pass(exchange, chunk) else {
        return refuse(exchange, downstream).await;
    };
    let Some(mut loan) = downstream.lend() else { return Sent::Cut };
    let client = loan.stream();
    let length = Length::Known(body.len());
    match framed(&mut client.waiting, (exchange, downstream), length) {
        Some(framing) => Answer::new(client, framing).give(&body, Leaves::AsTheEnd).await,
        None => Sent::Cut,
    }
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
    pieces: Pieces,
) -> Sent {
    events::ResponseTooLong { route: &exchange.plan().name }.emit();
    if exchange.plan().refuses_long_responses {
        super::Failure::ours(502, "body::response_too_long").note(exchange);
        return respond::plain(exchange, downstream, 502).await;
    }
    let length = Length::of(connection);
    copy(exchange, downstream, connection, Some(length), (None, Some(pieces))).await
}
