//! `content`: a handler generates the answer, or leaves it to the upstream.

use super::span::Span;
use super::step::{self, End, closed, decided, refused_with};
use super::{Exchange, Flow, beside, files, function, onward};
use crate::policy::StepId;
use crate::script::Exit;
use crate::transaction::Phase;

/// Where a route has a content handler, what that stages is the answer, even if it is nothing. A
/// handler that leaves with `ngx.exit(ngx.DECLINED)` passes the request on.
pub(super) async fn run(exchange: &Exchange) -> Flow {
    beside::note_all(exchange, Phase::Content);
    let steps = exchange.plan().of(Phase::Content);
    if steps.is_empty() && !exchange.has_function() {
        return by_settings(exchange).await;
    }
    let mut span = Span::of(Phase::Content);
    let function = if steps.is_empty() { exchange.function() } else { None };
    let flow = match function {
        Some(found) => function::run(exchange, &found, &mut span).await,
        None => scripts(exchange, steps, &mut span).await,
    };
    // A script that stands for an upstream, with what a route says of one.
    if !steps.is_empty() && exchange.plan().serving.forward.is_some() {
        exchange.subject.transaction.borrow_mut().doing = Some("sending to client");
    }
    span.tell();
    flow
}

/// Files answer, or the upstream.
async fn by_settings(exchange: &Exchange) -> Flow {
    let serving = &exchange.plan().serving;
    match (&serving.files, &serving.forward) {
        (Some(found), _) => files::run(exchange, found).await,
        (None, Some(forward)) => onward::prepare(exchange, forward),
        (None, None) => Flow::Continue,
    }
}

/// The operator's own handlers, which come before functions.
async fn scripts(exchange: &Exchange, steps: &[StepId], span: &mut Span) -> Flow {
    let mut flow = Flow::Continue;
    for id in steps {
        flow = match step::run(exchange, *id, span).await {
            End::Left(exit) => left(exchange, exit),
            End::Passed => decided(exchange, staged_status(exchange)),
            End::Returned(_) => returned(exchange),
            End::Refused(status) => refused_with(exchange, status),
        };
        if flow != Flow::Continue {
            break;
        }
    }
    flow
}

/// A script left by `ngx.exit` or its like.
pub(super) fn left(exchange: &Exchange, exit: Exit) -> Flow {
    match exit {
        Exit::Declined => Flow::Continue,
        Exit::Close => closed(exchange),
        Exit::Reroute => Flow::Reroute,
        Exit::Respond(status) => decided(exchange, status),
        Exit::Phase => returned(exchange),
    }
}

/// What it said is the answer; at a site also if that is nothing.
fn returned(exchange: &Exchange) -> Flow {
    let mut transaction = exchange.subject.transaction.borrow_mut();
    transaction.reply.said |= transaction.site.is_some();
    drop(transaction);
    decided(exchange, staged_status(exchange))
}

pub(super) fn staged_status(exchange: &Exchange) -> u16 {
    match exchange.subject.transaction.borrow().reply.status {
        0 => 200,
        status => status,
    }
}
