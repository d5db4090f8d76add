//! Answers of our own: what scripts staged, refusals, failures.

use bytes::Bytes;
use pingora_http::ResponseHeader;

use super::downstream::Downstream;
use super::{Sent, wire};
use crate::phases::{self, BodyFilter, Exchange, Flow, HeldBody};
use crate::script::Chunk;
use crate::transaction::{Headers, Response, reason};

/// Answers with a status and with what is staged, through `header_filter` and `body_filter`.
pub(super) async fn respond(exchange: &Exchange, downstream: &Downstream, status: u16) -> Sent {
    let body = stage(exchange, status);
    let flow = match phases::response_head(exchange).await {
        Flow::Continue => judge(exchange, &body).await,
        flow => flow,
    };
    let body = match flow {
        Flow::Close => return Sent::Cut,
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

/// Makes the response head from what is staged; the body beside it.
fn stage(exchange: &Exchange, status: u16) -> Bytes {
    let mut transaction = exchange.subject.transaction.borrow_mut();
    let mut headers = std::mem::take(&mut transaction.reply.headers);
    let said = transaction.reply.said;
    let mut body = transaction.reply.take_body();
    if !said && has_page(status) {
        body = page(status, &transaction.id);
        headers.set("Content-Type", "text/plain; charset=utf-8");
    } else if !headers.contains("content-type") && !body.is_empty() {
        headers.set("Content-Type", "text/plain");
    }
    transaction.response = Some(Response { status, headers });
    body
}

fn has_page(status: u16) -> bool {
    status >= 300 && status != 304
}

/// What a person sees: the status, and the id under which operators find the reason.
fn page(status: u16, id: &str) -> Bytes {
    format!("{status} {}\nrequest id: {id}\n", reason(status)).into()
}

/// The body as `body_filter` leaves it; none if nothing may be sent.
fn filter(exchange: &Exchange, body: Bytes) -> Option<Bytes> {
    match BodyFilter::of(exchange) {
        None => Some(body),
        Some(mut filter) => filter.pass(exchange, Chunk { bytes: body, last: true }).ok(),
    }
}

async fn send(exchange: &Exchange, downstream: &Downstream, body: Bytes) -> Sent {
    let head = {
        let mut transaction = exchange.subject.transaction.borrow_mut();
        let Some(response) = &mut transaction.response else { return Sent::Cut };
        let bodiless = matches!(response.status, 204 | 304);
        response.headers.remove("transfer-encoding");
        response.headers.remove("content-length");
        if !bodiless {
            response.headers.append("Content-Length", body.len().to_string());
        }
        head(response.status, &response.headers)
    };
    let Some(head) = head else { return Sent::Cut };
    let Some(mut loan) = downstream.lend() else { return Sent::Cut };
    let session = loan.session();
    downstream.cork.set(true);
    let sent = async {
        session.write_response_header(head).await?;
        downstream.cork.set(false);
        session.write_response_body(body, true).await
    };
    let sent = sent.await;
    downstream.cork.set(false);
    if sent.is_ok() { Sent::Whole } else { Sent::Cut }
}

/// A head as Pingora writes it; none if a header cannot be written.
pub(super) fn head(status: u16, headers: &Headers) -> Option<Box<ResponseHeader>> {
    let mut head = ResponseHeader::build(status, Some(headers.len() + 2)).ok()?;
    for field in headers {
        head.append_header(field.name.clone(), wire::value(field.value.clone())).ok()?;
    }
    Some(Box::new(head))
}
