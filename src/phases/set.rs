//! `set`: the request head is read; handlers compute variables.

use std::time::Instant;

use super::step::{End, call, refused, run_now};
use super::{Exchange, Flow, beside};
use crate::config::HandlerSource;
use crate::policy::StepId;
use crate::telemetry::events;
use crate::transaction::Phase;

/// Each `set_by_lua_*` handler's result becomes its variable's value.
pub(super) fn run(exchange: &Exchange) -> Flow {
    beside::note_all(exchange, Phase::Set);
    let steps = exchange.plan().of(Phase::Set);
    if steps.is_empty() {
        return Flow::Continue;
    }
    let started = Instant::now();
    let flow = compute(exchange, steps);
    events::PhaseRan { phase: Phase::Set, took: started.elapsed() }.emit();
    flow
}

fn compute(exchange: &Exchange, steps: &[StepId]) -> Flow {
    for id in steps {
        let Some((step, _, handler)) = exchange.live.step(*id) else { continue };
        let call = call(exchange, Phase::Set, &handler.module);
        let value = match run_now(exchange, *id, &call) {
            End::Returned(value) => value,
            End::Left(_) | End::Passed => None,
            End::Refused => return refused(exchange),
        };
        if let HandlerSource::Chunk { variable: Some(name), .. } = &step.source {
            exchange.subject.transaction.borrow_mut().variables.set(name, value);
        }
    }
    Flow::Continue
}
