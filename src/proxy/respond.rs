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
use crate::script::Chunk;
use crate::transaction::{Headers, Response, Version, reason};
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
        State::Idle => {
            let body = stage(exchange, status);
            let flow = match phases::response_head(exchange).await {
                Flow::Continue => judge(exchange, &body).await,
                flow => flow,
            };
            answer(exchange, downstream, body, flow).await
        }
        State::Replaced(other) => {
            answer(exchange, downstream, Bytes::new(), Flow::Respond(other)).await
        }
    };
    downstream.outflow.set(State::Ended(sent));
    sent
}

/// Sends an answer that handlers and rules have seen: this body, or what they want in its place.
async fn answer(exchange: &Exchange, downstream: &Downstream, body: Bytes, flow: Flow) -> Sent {
    let body = match flow {
        Flow::Close | Flow::Reroute => return Sent::Cut,
        Flow::Continue => body,
        // A filter or rule that refuses our own answer has it replaced once; none is asked again.
        Flow::Respond(other) => stage(exchange, other),
    };
    let Some(body) = filter(exchange, body) else { return Sent::Cut };
    downstream.drain().await;
    send(exchange, downstream, body).await
}

/// Answers with a status alone: after a handler failed on a response, none is asked again.
pub(super) async fn plain(exchange: &Exchange, downstream: &Downstream, status: u16) -> Sent {
    let body = stage(exchange, status);
    downstream.drain().await;
    send(exchange, downstream, body).await
}

/// What the rules say of an answer that a script made.
async fn judge(exchange: &Exchange, body: &Bytes) -> Flow {
    let encoding = {
        let transaction = exchange.subject.transaction.borrow();
        let response = transaction.response.as_ref();
        response.and_then(|response| response.headers.get("content-encoding").cloned())
    };
    let held = HeldBody { bytes: body, ended: true, encoding: encoding.as_deref() };
    let held = phases::response_limit(exchange).map(|_| held);
    phases::response_body(exchange, held).await
}

/// Makes the response head from what is staged, for a body that is not whole.
pub(super) fn stage_head(exchange: &Exchange, status: u16) {
    let mut transaction = exchange.subject.transaction.borrow_mut();
    let mut headers = std::mem::take(&mut transaction.reply.headers);
    complete(exchange, &mut headers, true);
    let status = exchange.page_status().unwrap_or(status);
    transaction.response = Some(Response { status, headers });
}

/// What a head says where nobody said it: the type of what is said.
fn complete(exchange: &Exchange, headers: &mut Headers, says: bool) {
    let plan = exchange.plan();
    if says && plan.lua.use_default_type && !headers.contains("content-type") {
        let kind = plan.serving.default_type.as_deref().unwrap_or("text/plain");
        headers.set("Content-Type", kind.to_owned());
    }
    ordered::introduce(exchange, headers);
}

/// Makes the response head from what is staged; the body beside it.
fn stage(exchange: &Exchange, status: u16) -> Bytes {
    let mut transaction = exchange.subject.transaction.borrow_mut();
    let mut headers = std::mem::take(&mut transaction.reply.headers);
    let said = transaction.reply.said;
    let mut body = transaction.reply.take_body();
    let mut status = exchange.page_status().unwrap_or(status);
    if status == 200 && transaction.site.is_some() && !transaction.is_subrequest {
        status = conditional::status(&transaction.request, &headers);
    }
    let pages = exchange.live.policy.config.pages;
    // Who asked from within sees the status.
    if !said && has_page(status) && !transaction.is_subrequest {
        let (shown, kind) = page(pages, status, &transaction.id);
        body = shown;
        headers.set("Content-Type", kind);
        if transaction.site.is_some() {
            headers.set("Content-Length", body.len().to_string());
        }
    }
    let is_typed = exchange.plan().serving.default_type.is_some() && status < 300;
    let says = !body.is_empty() || is_typed;
    complete(exchange, &mut headers, says);
    transaction.response = Some(Response { status, headers });
    body
}

fn has_page(status: u16) -> bool {
    status >= 300 && status != 304
}

/// The body as `body_filter` leaves it; none if nothing may be sent.
fn filter(exchange: &Exchange, body: Bytes) -> Option<Bytes> {
    phases::see_chunk(exchange, &body, true);
    match BodyFilter::of(exchange) {
        None => Some(body),
        Some(mut filter) => filter.pass(exchange, Chunk { bytes: body, last: true }).ok(),
    }
}

async fn send(exchange: &Exchange, downstream: &Downstream, body: Bytes) -> Sent {
    let Some(mut loan) = downstream.lend() else { return Sent::Cut };
    let client = loan.stream();
    let told = told_length(exchange, body.len());
    let body = body.slice(..told.unwrap_or(body.len()));
    let length = if is_endless(exchange, told) { None } else { Some(body.len()) };
    let Some(framing) = write_head(&mut client.waiting, exchange, downstream, length) else {
        return Sent::Cut;
    };
    Answer::new(client, framing).give(&body, Leaves::AsTheEnd).await
}

/// The length that a site's script or file says, if there are as many bytes: what comes after them is
/// not sent, as in nginx.
fn told_length(exchange: &Exchange, length: usize) -> Option<usize> {
    let transaction = exchange.subject.transaction.borrow();
    transaction.site.as_ref()?;
    let told = transaction.response.as_ref()?.headers.get_str("content-length")?;
    told.parse().ok().filter(|told| *told <= length)
}

/// Whether the answer says no length: what scripts of a site say, unless they say how long it is.
fn is_endless(exchange: &Exchange, told: Option<usize>) -> bool {
    let transaction = exchange.subject.transaction.borrow();
    let buffers =
        exchange.plan().lua.buffers_http10 && transaction.request.version == Version::Http10;
    let to_head = &transaction.request.method[..] == b"HEAD";
    transaction.site.is_some() && told.is_none() && (to_head || !buffers)
}

fn write_head(
    out: &mut Vec<u8>,
    exchange: &Exchange,
    downstream: &Downstream,
    length: Option<usize>,
) -> Option<Framing> {
    let mut transaction = exchange.subject.transaction.borrow_mut();
    let to_head = &transaction.request.method[..] == b"HEAD";
    let endless = endless(&transaction);
    let for_script = transaction.is_subrequest;
    let response = transaction.response.as_mut().filter(|response| is_final(response.status))?;
    let bodiless = matches!(response.status, 204 | 304);
    response.headers.remove("transfer-encoding");
    response.headers.remove("content-length");
    let length = length.filter(|_| !bodiless).map(|length| length as u64);
    let framing = match length {
        Some(length) if !to_head => Framing::Length(length),
        None if !to_head && !bodiless => endless,
        _ => Framing::Nothing,
    };
    let goes_on = downstream.goes_on(framing);
    ordered::write(out, exchange, response, (length, framing), goes_on)?;
    if let Some(length) = length.filter(|_| for_script) {
        response.headers.set("Content-Length", length.to_string());
    }
    Some(framing)
}

/// What says when an answer was made and how the connection goes on is not a script's to say.
pub(super) const OURS: [&str; 2] = ["connection", "date"];

/// Writes status and fields of a response, without the fields `not`; none if it cannot be written.
pub(super) fn head(out: &mut Vec<u8>, response: &Response, not: &[&str]) -> Option<()> {
    let mut sound = wire::status_line(out, response.status, reason(response.status).as_bytes());
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
