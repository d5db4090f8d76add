//! `log`: the last byte was sent; handlers read everything and can change nothing.

use std::time::Instant;

use super::step::{call, run_now};
use super::{Exchange, beside};
use crate::telemetry::events;
use crate::transaction::Phase;

pub(super) fn run(exchange: &Exchange) {
    beside::note_all(exchange, Phase::Log);
    let steps = exchange.plan().of(Phase::Log);
    if steps.is_empty() {
        return;
    }
    let started = Instant::now();
    for id in steps {
        let Some((_, _, handler)) = exchange.live.step(*id) else { continue };
        // A failing log handler changes nothing for the client: its error is in the log.
        run_now(exchange, *id, &call(exchange, Phase::Log, &handler.module));
    }
    events::PhaseRan { phase: Phase::Log, took: started.elapsed() }.emit();
}
