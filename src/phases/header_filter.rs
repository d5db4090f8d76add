//! `header_filter`: the response head is there; handlers change status and headers.

use super::span::Span;
use super::step::{End, after, call, closed, run_now};
use super::{Exchange, Flow, beside};
use crate::script::Exit;
use crate::transaction::Phase;

/// `Flow::Respond` here means: not this response, but one of our own with that status.
pub(super) fn run(exchange: &Exchange) -> Flow {
    beside::note_all(exchange, Phase::HeaderFilter);
    beside::note_all(exchange, Phase::BodyFilter);
    let steps = exchange.plan().of(Phase::HeaderFilter);
    if steps.is_empty() {
        return Flow::Continue;
    }
    let (mut span, mut flow) = (Span::of(Phase::HeaderFilter), Flow::Continue);
    for id in steps {
        let Some((_, _, handler)) = exchange.live.step(*id) else { continue };
        let call = call(exchange, Phase::HeaderFilter, &handler.module);
        let end = run_now(exchange, *id, &call);
        span.add(&call);
        flow = match end {
            End::Passed | End::Returned(_) | End::Left(Exit::Phase | Exit::Declined) => {
                Flow::Continue
            }
            End::Refused(_) if has_sites(exchange) => closed(exchange),
            end => after(exchange, end),
        };
        if flow != Flow::Continue {
            break;
        }
    }
    span.tell();
    flow
}

/// Whether a head that cannot be made ends the connection, as in nginx.
fn has_sites(exchange: &Exchange) -> bool {
    exchange.subject.transaction.borrow().site.is_some()
}
