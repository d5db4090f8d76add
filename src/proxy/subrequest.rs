//! A request that a script makes of the node itself: the same way as a client's, but for the socket.

use std::rc::Rc;

use super::client_stream::Kept;
use super::downstream::{Downstream, Shared};
use super::{Sent, Site, follow};
use crate::phases::{self, Exchange};
use crate::policy::Live;
use crate::script::{Captured, Subject, Subrequest};
use crate::shared::rc_in_place;
use crate::transaction::Headers;

/// nginx's status for an answer that was refused.
const CLOSED: u16 = 444;

/// From its beginning to what came of it.
pub(super) async fn run(site: Rc<Site>, live: Rc<Live>, wanted: Subrequest) -> Box<Captured> {
    let Subrequest { transaction, contexts, origin, room } = wanted;
    let downstream = rc_in_place(|| Downstream::of_script(transaction.body.clone(), room));
    let host = Box::new(Shared::new(site.clone(), downstream.clone()));
    let subject = rc_in_place(|| Subject::within(*transaction, host, origin));
    subject.contexts.replace(contexts);
    let Some(exchange) = Exchange::begin(subject, live, site.functions.clone()) else {
        return Box::new(Captured::lost());
    };
    downstream.belong_to(&exchange);
    phases::renew(&exchange);
    let flow = phases::request(&exchange).await;
    let sent = follow(&site, &exchange, &downstream, flow).await;
    phases::renew(&exchange);
    Box::new(captured(&exchange, &downstream, sent))
}

/// What came of it; of an answer that was closed without a head, the status alone.
fn captured(exchange: &Exchange, downstream: &Downstream, sent: Sent) -> Captured {
    let kept = downstream.take().and_then(|stream| stream.kept);
    let contexts = exchange.subject.contexts.take();
    let mut transaction = exchange.subject.transaction.borrow_mut();
    let variables = std::mem::take(&mut transaction.variables);
    let mut body = kept.map(Kept::body).unwrap_or_default();
    let response = transaction.response.take();
    let reply = &mut transaction.reply;
    let (status, headers) = match response {
        Some(response) => {
            // It was cut before what was said left: that is what there is.
            if sent == Sent::Cut && body.is_empty() {
                body = reply.take_body();
            }
            (response.status, response.headers)
        }
        // What was said before the end is what there is.
        None if reply.said => {
            body = reply.take_body();
            (reply.status, std::mem::take(&mut reply.headers))
        }
        None => (CLOSED, Headers::default()),
    };
    let (truncated, doing) = (sent == Sent::Cut, transaction.doing);
    Captured { status, headers, body, truncated, variables, contexts, doing }
}
