//! A client's request on the left, our phases in the middle, an upstream on the right: the only
//! place that knows all three.
//!
//! Pingora connects, and reads bodies in chunks; heads, and the loop between the two sides, are ours
//! (`docs/decisions/0001-drive-pingora-core-directly.md`, `0008-heads-are-ours.md`).

mod address;
mod answer;
mod choose;
mod client_stream;
mod conditional;
mod downstream;
mod forward;
mod framing;
mod gate;
pub mod head;
mod hold;
mod incoming;
mod judge;
mod kept;
mod lent;
mod page;
mod ordered;
mod outflow;
mod pieces;
mod relay;
mod respond;
mod site;
mod spool;
mod stream;
mod subrequest;
mod tunnel;
mod turns;
mod wire;
mod words;

use std::rc::Rc;
use std::time::Instant;

use tokio::task::spawn_local;

pub use address::is_trusted;
pub use client_stream::ClientStream;
pub use site::Site;

use crate::phases::{self, Exchange, Flow};
use crate::policy::Live;
use crate::script::{Above, Origin, Subject};
use crate::shared::rc_in_place;
use crate::telemetry::events;
use crate::transaction::{Client, Id, Request, Transaction, Verdict};
use crate::upstream::{Connection, Lease};
use downstream::{Downstream, Shared};

/// A request whose head was read, and the connection that it came on.
pub struct Arrived<'a> {
    /// The connection, and what came after the head.
    pub stream: Box<ClientStream>,
    /// Who asks.
    pub client: &'a Client,
    /// The head.
    pub request: Box<Request>,
    /// When its first byte was there.
    pub started: Instant,
    /// Whether the connection is to end with it.
    pub last: bool,
    /// What scripts of the connection's TLS handshake keep in `ngx.ctx`.
    pub above: Option<Above>,
}

/// One request's whole way, from its parsed head to its log line; the connection, if it can take the
/// next request.
pub async fn serve(site: &Rc<Site>, arrived: Arrived<'_>) -> Option<Box<ClientStream>> {
    let Arrived { stream, client, request, started, last, above } = arrived;
    let order = (client.connection_requests, last);
    let downstream = rc_in_place(|| Downstream::new(stream, &request, order));
    let host = Box::new(Shared::new(site.clone(), downstream.clone()));
    let origin = Origin { above, ..Origin::default() };
    let subject = rc_in_place(|| {
        let mut transaction = Transaction::new(Id::new(), started, client.clone(), request);
        transaction.outcome.bytes_received = transaction.request.raw_head.len() as u64;
        Subject::within(transaction, host, origin)
    });
    let live = judging(site, &mut subject.transaction.borrow_mut());
    let exchange = Exchange::begin(subject, live, site.functions.clone())?;
    downstream.belong_to(&exchange);
    let next = answer(site, &exchange, &downstream).await;
    phases::end(&exchange).await;
    site.count(&exchange);
    events::ExchangeEnded { transaction: &exchange.subject.transaction.borrow() }.emit();
    next
}

/// The copy of the policy that judges an exchange, once it is known who really asks.
fn judging(site: &Site, transaction: &mut Transaction) -> Rc<Live> {
    let (live, Transaction { client, request, .. }) = (site.current(), transaction);
    address::believe_proxies(client, &request.headers, &live.policy.config.trusted_proxies);
    site.choose(live, request, client)
}

/// Runs the phases, sends the answer, and gives the connection back if it can go on.
async fn answer(
    site: &Site,
    exchange: &Exchange,
    downstream: &Rc<Downstream>,
) -> Option<Box<ClientStream>> {
    let flow = phases::request(exchange).await;
    let sent = follow(site, exchange, downstream, flow).await;
    let mut stream = downstream.take()?;
    note_bytes(exchange, &stream, sent);
    if sent == Sent::Whole && downstream.stays() {
        stream.idle_time = exchange.plan().serving.idle_time;
        return Some(stream);
    }
    // The client may be gone already; there is nobody to tell.
    let _ = stream.shutdown().await;
    if downstream.may_linger() {
        spawn_local(async move { stream.linger().await });
    }
    None
}

/// Does what the phases before the upstream came to.
async fn follow(site: &Site, exchange: &Exchange, downstream: &Downstream, mut flow: Flow) -> Sent {
    loop {
        let status = match flow {
            // `phases::request` follows redirects itself.
            Flow::Close | Flow::Reroute => return Sent::Cut,
            // What a script answered already it cannot leave to the upstream.
            Flow::Continue if downstream.outflow.has_begun() => {
                exchange.subject.transaction.borrow().status()
            }
            Flow::Continue => match relay::relay(site, exchange, downstream).await {
                Ok(sent) => return sent,
                Err(status) => {
                    flow = phases::instead(exchange, status).await;
                    continue;
                }
            },
            Flow::Respond(status) => status,
        };
        return respond::respond(exchange, downstream, status).await;
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
    /// When it was asked.
    asked: Instant,
    /// Whether a WebSocket follows.
    upgraded: bool,
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

fn note_bytes(exchange: &Exchange, stream: &ClientStream, sent: Sent) {
    let mut transaction = exchange.subject.transaction.borrow_mut();
    transaction.outcome.body_bytes_sent = stream.body_sent;
    transaction.outcome.bytes_received += stream.body_read;
    transaction.outcome.completed = sent == Sent::Whole;
}
