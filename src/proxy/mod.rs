//! A client's request on the left, our phases in the middle, an upstream on the right: the only
//! place that knows all three.
//!
//! Pingora's sessions speak HTTP on both sides; the loop between them is ours
//! (`docs/decisions/0001-drive-pingora-core-directly.md`).

mod address;
mod choose;
mod client_stream;
mod downstream;
mod forward;
mod framing;
pub mod head;
mod hold;
mod judge;
mod pieces;
mod relay;
mod respond;
mod site;
mod stream;
mod tunnel;
mod wire;

use std::rc::Rc;
use std::time::Instant;

use bytes::BytesMut;
use pingora_core::protocols::Stream;
use pingora_core::protocols::http::ServerSession;

pub use address::is_trusted;
pub use client_stream::{ClientStream, Cork};
pub use site::Site;

use crate::phases::{self, Exchange, Flow};
use crate::telemetry::events;
use crate::transaction::{Client, Request, Transaction, Verdict};
use crate::upstream::{Connection, Lease};
use downstream::{Downstream, Shared};

/// A connection that can take the next request, and bytes of it that were already read.
pub type NextRequest = Option<(Stream, BytesMut)>;

/// One request's whole way, from its parsed head to its log line.
pub async fn serve(
    site: &Site,
    (session, cork): (Box<ServerSession>, Cork),
    mut client: Client,
    request: Request,
    started: Instant,
) -> NextRequest {
    let live = site.current();
    let received = request.raw_head.len() as u64;
    let trusted = &live.policy.config.trusted_proxies;
    address::believe_proxies(&mut client, &request.headers, trusted);
    let downstream = Rc::new(Downstream::new(session, cork, &request));
    let mut transaction = Transaction::new(site.next_id(), started, client, request);
    transaction.outcome.bytes_received = received;
    let host = Box::new(Shared(downstream.clone()));
    let exchange = Exchange::begin(transaction, host, live)?;
    downstream.limit(exchange.plan().body, &exchange.live.policy.config);
    let next = answer(site, &exchange, &downstream).await;
    phases::end(&exchange).await;
    events::ExchangeEnded { transaction: &exchange.subject.transaction.borrow() }.emit();
    next
}

/// Runs the phases, sends the answer, and gives the connection back if it can go on.
async fn answer(site: &Site, exchange: &Exchange, downstream: &Rc<Downstream>) -> NextRequest {
    let flow = phases::request(exchange).await;
    let sent = match flow {
        Flow::Close => Sent::Cut,
        Flow::Continue => relay::relay(site, exchange, downstream).await,
        Flow::Respond(status) => respond::respond(exchange, downstream, status).await,
    };
    let mut session = downstream.take()?;
    note_bytes(exchange, &session, sent);
    match sent {
        Sent::Cut => {
            session.shutdown().await;
            None
        }
        Sent::Whole => {
            let (stream, overread) = session.finish().await.ok()??.into_parts();
            Some((stream, overread.unwrap_or_default()))
        }
    }
}

/// How much of an answer left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sent {
    /// Not all of it: the connection cannot go on.
    Cut,
    /// All of it.
    Whole,
}

/// Why an exchange could not be answered by its upstream, before a byte of an answer was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Failure {
    /// What the client is told.
    status: u16,
    /// What the logs are told: stable and searchable.
    reason: &'static str,
    /// What it means.
    verdict: Verdict,
}

/// An upstream that answered: its response head was read.
struct Answered {
    connection: Connection,
    /// Counts the peer as busy.
    lease: Lease,
    /// Whether it took the whole request; if not, the connection can serve no other.
    took_all: bool,
}

impl Failure {
    const fn ours(status: u16, reason: &'static str) -> Self {
        Self { status, reason, verdict: Verdict::Failed }
    }

    const fn theirs(status: u16, reason: &'static str) -> Self {
        Self { status, reason, verdict: Verdict::Refused }
    }

    fn note(self, exchange: &Exchange) {
        let mut transaction = exchange.subject.transaction.borrow_mut();
        transaction.outcome.verdict = self.verdict;
        transaction.outcome.reason = Some(self.reason.to_owned());
    }
}

fn note_bytes(exchange: &Exchange, session: &ServerSession, sent: Sent) {
    let mut transaction = exchange.subject.transaction.borrow_mut();
    transaction.outcome.body_bytes_sent = session.body_bytes_sent() as u64;
    transaction.outcome.bytes_received += session.body_bytes_read() as u64;
    transaction.outcome.completed = sent == Sent::Whole;
}
