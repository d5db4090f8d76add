//! `content`: a handler generates the answer, or leaves it to the upstream.

use std::time::Instant;

use super::step::{self, End, closed, decided, refused};
use super::{Exchange, Flow};
use crate::script::Exit;
use crate::telemetry::events;
use crate::transaction::Phase;

/// Where a route has a content handler, what that stages is the answer, even if it is nothing. A
/// handler that leaves with `ngx.exit(ngx.DECLINED)` passes the request on.
pub(super) async fn run(exchange: &Exchange) -> Flow {
    let steps = exchange.plan().of(Phase::Content);
    if steps.is_empty() {
        return Flow::Continue;
    }
    let started = Instant::now();
    let mut flow = Flow::Continue;
    for id in steps {
        flow = match step::run(exchange, *id).await {
            End::Left(Exit::Declined) => Flow::Continue,
            End::Left(Exit::Close) => closed(exchange),
            End::Left(Exit::Respond(status)) => decided(exchange, status),
            End::Passed | End::Returned(_) | End::Left(Exit::Phase) => {
                decided(exchange, staged_status(exchange))
            }
            End::Refused => refused(exchange),
        };
        if flow != Flow::Continue {
            break;
        }
    }
    events::PhaseRan { phase: Phase::Content, took: started.elapsed() }.emit();
    flow
}

fn staged_status(exchange: &Exchange) -> u16 {
    match exchange.subject.transaction.borrow().reply.status {
        0 => 200,
        status => status,
    }
}
