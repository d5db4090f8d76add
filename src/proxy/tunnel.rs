//! A WebSocket: after its upgrade, bytes pass both ways until one side ends.

use pingora_core::protocols::http::ServerSession;
use pingora_core::protocols::http::v1::client::HttpSession;

use super::downstream::Downstream;
use super::{Answered, Sent, respond};
use crate::phases::{self, Exchange, Flow};
use crate::transaction::{Headers, Response};

/// Passes the upgrade on and then every byte. The connection ends with the tunnel.
pub(super) async fn tunnel(
    exchange: &Exchange,
    downstream: &Downstream,
    answered: Answered,
) -> Sent {
    let Answered { mut connection, lease: _busy, .. } = answered;
    let head = connection.session.resp_header();
    let mut headers = Headers::default();
    for (name, value) in head.iter().flat_map(|head| head.case_header_iter()) {
        let (name, value) = (name.as_slice().to_vec(), value.as_bytes().to_vec());
        headers.append(name, value);
    }
    let response = Response { status: 101, headers };
    exchange.subject.transaction.borrow_mut().response = Some(response);
    match phases::response_head(exchange).await {
        Flow::Continue => {}
        Flow::Close => return Sent::Cut,
        Flow::Respond(status) => return respond::respond(exchange, downstream, status).await,
    }
    let head = {
        let transaction = exchange.subject.transaction.borrow();
        let response = transaction.response.as_ref();
        response.and_then(|response| respond::head(response.status, &response.headers))
    };
    let (Some(head), Some(mut loan)) = (head, downstream.lend()) else { return Sent::Cut };
    let client = loan.session();
    connection.session.maybe_upgrade_body_writer();
    if client.write_response_header(head).await.is_ok() {
        pass(client, &mut connection.session).await;
    }
    Sent::Cut
}

/// Until either side ends or fails. Reads are safe to cancel; writes are awaited whole, so a side
/// that does not read slows the other down.
async fn pass(client: &mut ServerSession, upstream: &mut HttpSession) {
    client.set_read_timeout(None);
    loop {
        tokio::select! {
            bytes = client.read_request_body() => match bytes {
                Ok(Some(bytes)) => {
                    if upstream.write_body(&bytes).await.is_err() {
                        return;
                    }
                }
                Ok(None) | Err(_) => return,
            },
            bytes = upstream.read_body_bytes() => match bytes {
                Ok(Some(bytes)) => {
                    if client.write_response_body(bytes, false).await.is_err() {
                        return;
                    }
                }
                Ok(None) | Err(_) => return,
            },
        }
    }
}
