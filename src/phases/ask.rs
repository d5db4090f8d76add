//! Whether a request is admitted, asked of another route of the node: nginx's `auth_request`.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Instant;

use bytes::Bytes;

use super::moves::render;
use super::step::decided;
use super::{Exchange, Flow};
use crate::config::Template;
use crate::config::serving::Ask;
use crate::script::{Captured, DEEPEST, MOST, Origin, Subrequest, Waiting, apart, variable};
use crate::telemetry::events;
use crate::transaction::{Body, Request, Transaction};

/// Bytes of the other route's answer that are looked at; only its head counts.
const ROOM: usize = 64 << 10;
/// `ngx.ERR`.
const ERROR: i64 = 4;

/// Asks the route that serves the path: 2xx admits, 401 and 403 refuse, all else is a failure.
pub(super) async fn ask(exchange: &Exchange, ask: &Ask) -> Flow {
    let Some(waiting) = subrequest(exchange, ask) else { return failed(exchange, "no route") };
    let mut captured = apart(waiting).await;
    let variables = std::mem::take(&mut captured.variables);
    exchange.subject.transaction.borrow_mut().variables = variables;
    for (name, value) in &ask.set {
        let value = said(exchange, value, &captured);
        exchange.subject.transaction.borrow_mut().variables.set(name, Some(value));
    }
    match captured.status {
        200..300 => Flow::Continue,
        401 => {
            let asks = captured.headers.get("www-authenticate").cloned();
            if let Some(asks) = asks {
                let headers = &mut exchange.subject.transaction.borrow_mut().reply.headers;
                headers.set("WWW-Authenticate", asks);
            }
            decided(exchange, 401)
        }
        403 => decided(exchange, 403),
        other => failed(exchange, &format!("auth request unexpected status: {other}")),
    }
}

fn failed(exchange: &Exchange, message: &str) -> Flow {
    let transaction = exchange.subject.transaction.borrow();
    events::Said { level: ERROR, message, about: Some(&transaction) }.emit();
    drop(transaction);
    decided(exchange, 500)
}

/// A request of the node itself, without a body, which shares the variables of the one that waits.
fn subrequest(exchange: &Exchange, ask: &Ask) -> Option<Waiting<'static, Box<Captured>>> {
    let before = &exchange.subject.origin;
    if before.depth >= DEEPEST || before.made.get().get() >= MOST {
        return None;
    }
    let made = before.made.get();
    made.set(made.get() + 1);
    let (made, payer) = (before.made.share(), before.payer.clone());
    let (sockets, above) = (before.sockets.share(), before.above.clone());
    let origin = Origin { depth: before.depth + 1, made, payer, sockets, above };
    let path = render(exchange, &ask.path);
    let transaction = asking(&exchange.subject.transaction.borrow(), path);
    let room = Rc::new(Cell::new(ROOM));
    let contexts = crate::script::Contexts::default();
    exchange.subject.host.subrequest(Subrequest {
        transaction: Box::new(transaction),
        contexts,
        origin,
        room,
    })
}

fn asking(parent: &Transaction, path: Bytes) -> Transaction {
    let mut request = Request {
        method: Bytes::from_static(b"GET"),
        path,
        query: None,
        ..(*parent.request).clone()
    };
    request.headers.remove("content-length");
    request.headers.remove("transfer-encoding");
    let (id, client) = (parent.id.clone(), parent.client.clone());
    let mut transaction = Transaction::new(id, Instant::now(), client, request);
    transaction.internal = true;
    transaction.is_subrequest = true;
    transaction.body = Body::Empty;
    transaction.variables = parent.variables.clone();
    transaction
}

/// A text with variables, of which those of the answer are the other route's.
fn said(exchange: &Exchange, template: &Template, captured: &Captured) -> Bytes {
    let transaction = exchange.subject.transaction.borrow();
    template.render(|name| {
        let field = name.strip_prefix("sent_http_").or(name.strip_prefix("upstream_http_"));
        match (field, name) {
            (Some(field), _) => captured.headers.get(&field.replace('_', "-")).cloned(),
            (None, "status" | "upstream_status") => Some(captured.status.to_string().into()),
            (None, name) => variable(&transaction, name),
        }
    })
}
