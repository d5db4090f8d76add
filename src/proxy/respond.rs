//! Answers of our own: what scripts staged, refusals, failures.

use bytes::Bytes;

use super::answer::{Answer, Leaves};
use super::downstream::Downstream;
use super::forward::is_one_of;
use super::framing::{endless, is_final};
use super::outflow::{self, State};
use super::page::page;
use super::{Sent, conditional, ordered, wire};
use crate::phases::{self, BodyFilter, Exchange, Flow, HeldBody};
use crate::transaction::{Headers, Phase, Response, Transaction, Version};
use crate::upstream::Framing;

/// Answers with a status and with what is staged, through `header_filter` and `body_filter`.
pub(super) async fn respond(exchange: &Exchange, downstream: &Downstream, status: u16) -> Sent {
    let _gate = downstream.outflow.enter().await;
    let sent = match downstream.outflow.take() {
        State::Begun(framing, filter) => {
            outflow::finish(exchange, downstream, (framing, filter), status).await
        }
        State::Ended(sent) => sent,
        State::Held => {
            let body = exchange.subject.transaction.borrow_mut().reply.take_body();
            let flow = judge(exchange, &body).await;
            answer(exchange, downstream, body, flow).await
        }
        State::Opened if exchange.subject.transaction.borrow().reply.said => {
            let body = exchange.subject.transaction.borrow_mut().reply.take_body();
            let flow = match phases::judged_head(exchange).await {
                Flow::Continue => judge(exchange, &body).await,
                flow => flow,
            };
            answer(exchange, downstream, body, flow).await
        }
        // What was opened and then failed is answered anew: nothing of it left.
        State::Idle | State::Opened => {
            let body = stage(exchange, status);
            let flow = match phases::response_head(exchange).await {
                Flow::Continue => judge(exchange, &body).await,
                flow => flow,
            };
            answer(exchange, downstream, body, flow).await
        }
        State::Replaced(other) => {
            exchange.subject.transaction.borrow_mut().reply.drop_body();
            answer(exchange, downstream, Bytes::new(), Flow::Respond(other)).await
        }
    };
    downstream.outflow.set(State::Ended(sent));
    sent
}

/// A script says its first: at a site, handlers of `header_filter` see the head now. False if they want
/// another answer, or none.
pub(super) fn open(exchange: &Exchange, downstream: &Downstream) -> bool {
    let status = {
        let transaction = exchange.subject.transaction.borrow();
        let is_early = transaction.site.is_some() && transaction.response.is_none();
        is_early.then(|| transaction.status())
    };
    let Some(status) = status.filter(|_| !downstream.outflow.has_begun()) else { return true };
    stage_head(exchange, status);
    let refused = exchange.subject.transaction.borrow().status() == PRECONDITION_FAILED;
    let flow = if refused && status != PRECONDITION_FAILED {
        Flow::Respond(PRECONDITION_FAILED)
    } else {
        phases::filtered_head(exchange)
    };
    downstream.outflow.set(match flow {
        Flow::Continue => State::Opened,
        Flow::Respond(other) => State::Replaced(other),
        Flow::Close | Flow::Reroute => State::Ended(Sent::Cut),
    });
    if flow != Flow::Continue {
        exchange.subject.transaction.borrow_mut().reply.is_broken = true;
    }
    flow == Flow::Continue
}

/// Sends an answer that handlers and rules have seen: this body, or what they want in its place.
async fn answer(exchange: &Exchange, downstream: &Downstream, body: Bytes, flow: Flow) -> Sent {
    let body = match flow {
        Flow::Close | Flow::Reroute => return Sent::Cut,
        Flow::Continue => body,
        // A filter or rule that refuses our own answer has it replaced once; none is asked again.
        Flow::Respond(other) => stage(exchange, other),
    };
    foresee(exchange);
    let Some((body, leaves)) = filter(exchange, body) else { return Sent::Cut };
    downstream.drain().await;
    send(exchange, downstream, body, leaves).await
}

/// Whether the body will be sent in chunks is known to its filters already.
fn foresee(exchange: &Exchange) {
    let is_endless = is_endless(exchange);
    let transaction = &mut *exchange.subject.transaction.borrow_mut();
    let to_head = &transaction.request.method[..] == b"HEAD";
    let bodiless =
        transaction.response.as_ref().is_none_or(|response| is_bodiless(response.status));
    let in_chunks = endless(transaction) == Framing::Chunked;
    transaction.reply.is_chunked = is_endless && in_chunks && !to_head && !bodiless;
}

fn is_bodiless(status: u16) -> bool {
    matches!(status, 204 | 304)
}

/// Answers with a status alone: after a handler failed on a response, none is asked again.
pub(super) async fn plain(exchange: &Exchange, downstream: &Downstream, status: u16) -> Sent {
    let body = stage(exchange, status);
    downstream.drain().await;
    send(exchange, downstream, body, Leaves::AsTheEnd).await
}

/// What the rules say of an answer that a script made.
async fn judge(exchange: &Exchange, body: &Bytes) -> Flow {
    if phases::response_limit(exchange).is_none() {
        return phases::response_body(exchange, None).await;
    }
    let encoding = {
        let transaction = exchange.subject.transaction.borrow();
        let response = transaction.response.as_ref();
        response.and_then(|response| response.headers.get("content-encoding").cloned())
    };
    let held = HeldBody { bytes: body, ended: true, encoding: encoding.as_deref() };
    phases::response_body(exchange, Some(held)).await
}

/// Makes the response head from what is staged, for a body that is not whole.
pub(super) fn stage_head(exchange: &Exchange, status: u16) {
    let mut transaction = exchange.subject.transaction.borrow_mut();
    let mut headers = std::mem::take(&mut transaction.reply.headers);
    let says = !transaction.reply.is_untyped;
    complete(exchange, &mut headers, says);
    let status = exchange.page_status().unwrap_or(status);
    let status = conditional(exchange, &transaction, &headers, status);
    transaction.response = Some(Response { status, headers });
}

/// What a head says where nobody said it: the type of what is said.
fn complete(exchange: &Exchange, headers: &mut Headers, says: bool) {
    let plan = exchange.plan();
    if says && plan.lua.use_default_type && !headers.contains("content-type") {
        let kind = plan.serving.default_type.clone();
        headers.append("Content-Type", kind.unwrap_or(Bytes::from_static(b"text/plain")));
    }
    ordered::introduce(exchange, headers);
}

/// Makes the response head from what is staged; the body beside it.
fn stage(exchange: &Exchange, status: u16) -> Bytes {
    let mut transaction = exchange.subject.transaction.borrow_mut();
    let mut headers = std::mem::take(&mut transaction.reply.headers);
    let was_said = transaction.reply.said;
    let mut body = transaction.reply.take_body();
    let wanted = exchange.page_status().unwrap_or(status);
    let status = conditional(exchange, &transaction, &headers, wanted);
    let said = was_said && (status == wanted || status != PRECONDITION_FAILED);
    let pages = exchange.live.policy.config.pages;
    // Who asked from within sees the status.
    let is_shown = !transaction.is_subrequest || transaction.wants_pages;
    if !said && has_page(status) && is_shown {
        let (shown, kind) = page(pages, status, &transaction.id);
        body = shown;
        transaction.reply.pieces.clear();
        headers.set("Content-Type", kind);
        if transaction.site.is_some() {
            headers.set("Content-Length", body.len().to_string());
        }
    }
    let may_say = status < 300 || (said && !is_bodiless(status));
    let is_typed = exchange.plan().serving.default_type.is_some() && may_say;
    let says = (!body.is_empty() || is_typed) && !transaction.reply.is_untyped;
    complete(exchange, &mut headers, says);
    if said && is_whole(exchange, &transaction) && !headers.contains("content-length") {
        headers.set("Content-Length", body.len().to_string());
    }
    transaction.response = Some(Response { status, headers });
    body
}

/// The status of a site's answer, as far as that is up to what its client has already.
fn conditional(
    exchange: &Exchange,
    transaction: &Transaction,
    headers: &Headers,
    status: u16,
) -> u16 {
    if status != 200 || transaction.site.is_none() || transaction.is_subrequest {
        return status;
    }
    let rule = exchange.plan().serving.if_modified_since;
    conditional::status(&transaction.request, headers, rule)
}

/// The status of an answer whose client wanted it only if it had not changed.
const PRECONDITION_FAILED: u16 = 412;

/// Whether the answer of a site's script is whole before its head leaves, and stays as long as it is.
fn is_whole(exchange: &Exchange, transaction: &Transaction) -> bool {
    transaction.site.is_some()
        && transaction.request.version == Version::Http10
        && !transaction.is_subrequest
        && !transaction.manner.streams_http10
        && &transaction.request.method[..] != b"HEAD"
        && !exchange.has(Phase::BodyFilter)
}

fn has_page(status: u16) -> bool {
    status >= 300 && status != 304
}

/// The body as `body_filter` leaves it, and whether it ends with that; none if nothing may be sent.
fn filter(exchange: &Exchange, body: Bytes) -> Option<(Bytes, Leaves)> {
    phases::see_chunk(exchange, &body, true);
    let Some(mut filter) = BodyFilter::of(exchange) else { return Some((body, Leaves::AsTheEnd)) };
    let body = filter.pass_said(exchange, body, true).ok()?;
    let ends = filter.has_ended() || exchange.subject.transaction.borrow().site.is_none();
    Some((body, if ends { Leaves::AsTheEnd } else { Leaves::Now }))
}

async fn send(exchange: &Exchange, downstream: &Downstream, body: Bytes, leaves: Leaves) -> Sent {
    let Some(mut loan) = downstream.lend() else { return Sent::Cut };
    let client = loan.stream();
    let told = told_length(exchange, body.len());
    let body = match told {
        Some(told) if told < body.len() => body.slice(..told),
        _ => body,
    };
    let length = if told.is_none() && is_endless(exchange) {
        None
    } else {
        Some(told.unwrap_or(body.len()))
    };
    let leaves = if length > Some(body.len()) { Leaves::Now } else { leaves };
    let Some(framing) = write_head(&mut client.waiting, (exchange, downstream), length, leaves)
    else {
        return Sent::Cut;
    };
    let leaves = if framing == Framing::Nothing { Leaves::AsTheEnd } else { leaves };
    let sent = Answer::new(client, framing).give_whole(body, leaves).await;
    if leaves == Leaves::AsTheEnd { sent } else { Sent::Cut }
}

/// The length that a site's script or file says: what comes after it is not sent, and where there is
/// less the connection ends, as in nginx. Where filters made the body another, it counts no further than
/// that.
fn told_length(exchange: &Exchange, length: usize) -> Option<usize> {
    let transaction = exchange.subject.transaction.borrow();
    let told = told(&transaction)?;
    (told <= length || !exchange.has(Phase::BodyFilter)).then_some(told)
}

fn told(transaction: &Transaction) -> Option<usize> {
    transaction.site.as_ref()?;
    let told = transaction.response.as_ref()?.headers.get_str("content-length")?;
    told.parse().ok()
}

/// Whether the answer says no length: what scripts of a site say, unless they say how long it is.
fn is_endless(exchange: &Exchange) -> bool {
    let transaction = exchange.subject.transaction.borrow();
    let buffers =
        exchange.plan().lua.buffers_http10 && transaction.request.version == Version::Http10;
    let to_head = &transaction.request.method[..] == b"HEAD";
    transaction.site.is_some() && told(&transaction).is_none() && (to_head || !buffers)
}

fn write_head(
    out: &mut Vec<u8>,
    (exchange, downstream): (&Exchange, &Downstream),
    length: Option<usize>,
    leaves: Leaves,
) -> Option<Framing> {
    let mut transaction = exchange.subject.transaction.borrow_mut();
    let to_head = &transaction.request.method[..] == b"HEAD";
    let endless = endless(&transaction);
    let for_script = transaction.is_subrequest;
    let response = transaction.response.as_mut().filter(|response| is_final(response.status))?;
    let bodiless = is_bodiless(response.status);
    response.headers.remove("transfer-encoding");
    response.headers.remove("content-length");
    let length = length.filter(|_| !bodiless).map(|length| length as u64);
    let framing = match length {
        Some(length) if !to_head => Framing::Length(length),
        None if !to_head && !bodiless => endless,
        _ => Framing::Nothing,
    };
    let ends = leaves == Leaves::AsTheEnd || framing == Framing::Nothing;
    let goes_on = downstream.goes_on(if ends { framing } else { Framing::UntilClose });
    if for_script {
        ordered::could_write(response)?;
    } else {
        ordered::write(out, exchange, response, (length, framing), goes_on)?;
    }
    if let Some(length) = length.filter(|_| for_script || exchange.has(Phase::Log)) {
        response.headers.set("Content-Length", length.to_string());
    }
    Some(framing)
}

/// What says when an answer was made and how the connection goes on is not a script's to say.
pub(super) const OURS: [&str; 2] = ["connection", "date"];

/// Writes status and fields of a response, without the fields `not`; none if it cannot be written.
pub(super) fn head(out: &mut Vec<u8>, response: &Response, not: &[&str]) -> Option<()> {
    let mut sound = wire::own_status_line(out, response.status);
    for field in &response.headers {
        if !is_one_of(not, &field.name) {
            sound &= wire::field(out, &field.name, &field.value);
        }
    }
    if !sound {
        out.clear();
    }
    sound.then_some(())
}
