//! `header_filter`: the response head is there; handlers change status and headers.

use std::time::Instant;

use super::step::{End, after, call, closed, run_now};
use super::{Exchange, Flow, beside};
use crate::script::Exit;
use crate::telemetry::events;
use crate::transaction::Phase;

/// `Flow::Respond` here means: not this response, but one of our own with that status.
pub(super) fn run(exchange: &Exchange) -> Flow {
    beside::note_all(exchange, Phase::HeaderFilter);
    beside::note_all(exchange, Phase::BodyFilter);
    let steps = exchange.plan().of(Phase::HeaderFilter);
    if steps.is_empty() {
        return Flow::Continue;
    }
    let started = Instant::now();
    let mut flow = Flow::Continue;
    for id in steps {
        let Some((_, _, handler)) = exchange.live.step(*id) else { continue };
        let call = call(exchange, Phase::HeaderFilter, &handler.module);
        flow = match run_now(exchange, *id, &call) {
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
    events::PhaseRan { phase: Phase::HeaderFilter, took: started.elapsed() }.emit();
    flow
}

/// Whether a head that cannot be made ends the connection, as in nginx.
fn has_sites(exchange: &Exchange) -> bool {
    exchange.subject.transaction.borrow().site.is_some()
}
