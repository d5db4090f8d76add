//! What a script says, on its way to the client while the script goes on.

use std::cell::{Cell, RefCell};

use bytes::Bytes;

use super::answer::{Answer, Leaves};
use super::downstream::Downstream;
use super::framing::{Length, framed};
use super::gate::{Gate, Passing};
use super::{Sent, respond};
use crate::phases::{self, BodyFilter, Exchange, Flow};
use crate::transaction::Version;
use crate::upstream::Framing;

/// How far an answer has come.
#[derive(Default)]
pub(super) struct Outflow {
    state: RefCell<State>,
    /// One at a time sends.
    gate: Gate,
    /// A task is to send what is staged, and has not begun to.
    is_nudged: Cell<bool>,
}

/// How far an answer has come.
#[derive(Default)]
pub(super) enum State {
    /// Its head left, and what was flushed of its body.
    Begun(Framing, Option<BodyFilter>),
    /// It is over.
    Ended(Sent),
    /// Its head was seen by handlers and rules; the body is to be judged whole.
    Held,
    /// Nothing of it is decided.
    #[default]
    Idle,
    /// Its head was seen by handlers, and not yet by the rules.
    Opened,
    /// Handlers or rules want another answer, with this status.
    Replaced(u16),
}

impl Outflow {
    /// Waits until nobody sends.
    pub(super) async fn enter(&self) -> Passing<'_> {
        self.gate.enter().await
    }

    pub(super) fn take(&self) -> State {
        self.state.take()
    }

    pub(super) fn set(&self, state: State) {
        self.state.replace(state);
    }

    /// Whether something of the answer was decided while the script ran.
    pub(super) fn has_begun(&self) -> bool {
        !matches!(*self.state.borrow(), State::Idle)
    }

    /// Whether what was said so far left as it is.
    pub(super) fn is_idle_or_begun(&self) -> bool {
        matches!(*self.state.borrow(), State::Idle | State::Begun(..))
    }

    /// Nothing more of it is sent: a script answers by itself.
    pub(super) fn give_up(&self) {
        self.set(State::Ended(Sent::Cut));
    }

    /// Whether a task has to be made that sends what is staged.
    pub(super) fn nudge(&self) -> bool {
        !self.is_nudged.replace(true)
    }
}

/// Sends what a script said so far; all of it, if the script ended its answer.
pub(super) async fn flush(exchange: &Exchange, downstream: &Downstream) -> Sent {
    let outflow = &downstream.outflow;
    let gate = outflow.enter().await;
    outflow.is_nudged.set(false);
    let (ended, status) = {
        let transaction = exchange.subject.transaction.borrow();
        (transaction.reply.ended, transaction.status())
    };
    if ended {
        drop(gate);
        return respond::respond(exchange, downstream, status).await;
    }
    let state = match outflow.take() {
        State::Idle if flows(exchange) => {
            respond::stage_head(exchange, status);
            let flow = phases::response_head(exchange).await;
            begin(exchange, downstream, flow).await
        }
        State::Opened if flows(exchange) => {
            let flow = phases::judged_head(exchange).await;
            begin(exchange, downstream, flow).await
        }
        state => state,
    };
    let (state, sent) = match state {
        State::Begun(framing, filter) => {
            send(exchange, downstream, (framing, filter), Leaves::Now).await
        }
        State::Ended(sent) => (State::Ended(sent), sent),
        state => (state, Sent::Whole),
    };
    outflow.set(state);
    exchange.subject.transaction.borrow_mut().reply.is_broken = sent == Sent::Cut;
    sent
}

/// The rest of an answer that has begun. One whose status is no longer wanted cannot be taken back: it
/// is cut, so that the client does not take it for whole.
pub(super) async fn finish(
    exchange: &Exchange,
    downstream: &Downstream,
    begun: (Framing, Option<BodyFilter>),
    status: u16,
) -> Sent {
    if exchange.subject.transaction.borrow().status() != status {
        return Sent::Cut;
    }
    send(exchange, downstream, begun, Leaves::AsTheEnd).await.1
}

/// Whether an answer may leave before it is whole: nobody wants to see it whole, and its client can tell
/// where it ends.
fn flows(exchange: &Exchange) -> bool {
    let transaction = exchange.subject.transaction.borrow();
    let buffers = !transaction.manner.streams_http10;
    !transaction.is_subrequest
        && (transaction.request.version > Version::Http10 || !buffers)
        && !exchange.plan().whole_body
}

/// The head, which handlers and rules have seen, to the client.
async fn begin(exchange: &Exchange, downstream: &Downstream, flow: Flow) -> State {
    match flow {
        Flow::Close | Flow::Reroute => return State::Ended(Sent::Cut),
        Flow::Respond(other) => return State::Replaced(other),
        Flow::Continue if phases::response_limit(exchange).is_some() => return State::Held,
        Flow::Continue => {}
    }
    downstream.drain().await;
    let Some(mut loan) = downstream.lend() else { return State::Ended(Sent::Cut) };
    let filter = BodyFilter::of(exchange);
    match framed(&mut loan.stream().waiting, (exchange, downstream), Length::Unknown) {
        Some(framing) => State::Begun(framing, filter),
        None => State::Ended(Sent::Cut),
    }
}

/// Sends what is staged of the body.
async fn send(
    exchange: &Exchange,
    downstream: &Downstream,
    (framing, mut filter): (Framing, Option<BodyFilter>),
    leaves: Leaves,
) -> (State, Sent) {
    let cut = (State::Ended(Sent::Cut), Sent::Cut);
    let last = leaves == Leaves::AsTheEnd;
    // It may be on loan to whoever reads the request's body: the bytes wait then.
    let Some(mut loan) = downstream.lend() else {
        return if last { cut } else { (State::Begun(framing, filter), Sent::Whole) };
    };
    let bytes = staged(exchange);
    let bytes = match &mut filter {
        None => bytes,
        Some(filter) => match filter.pass_said(exchange, bytes, last) {
            Ok(bytes) => bytes,
            Err(_) => return cut,
        },
    };
    let ends = last || filter.as_ref().is_some_and(BodyFilter::has_ended);
    let leaves = if ends { Leaves::AsTheEnd } else { leaves };
    match Answer::new(loan.stream(), framing).give(&bytes, leaves).await {
        Sent::Cut => cut,
        Sent::Whole if ends => (State::Ended(Sent::Whole), Sent::Whole),
        Sent::Whole => (State::Begun(framing, filter), Sent::Whole),
    }
}

fn staged(exchange: &Exchange) -> Bytes {
    let reply = &mut exchange.subject.transaction.borrow_mut().reply;
    let bytes = reply.body.split().freeze();
    reply.sent += bytes.len();
    bytes
}
