//! `log`: the last byte was sent; handlers read everything and can change nothing.

use super::span::Span;
use super::step::{call, run_now};
use super::{Exchange, beside};
use crate::transaction::Phase;

pub(super) fn run(exchange: &Exchange) {
    beside::note_all(exchange, Phase::Log);
    let steps = exchange.plan().of(Phase::Log);
    if steps.is_empty() {
        return;
    }
    let mut span = Span::of(Phase::Log);
    for id in steps {
        let Some((_, _, handler)) = exchange.live.step(*id) else { continue };
        // A failing log handler changes nothing for the client: its error is in the log.
        let call = call(exchange, Phase::Log, &handler.module);
        run_now(exchange, *id, &call);
        span.add(&call);
    }
    span.tell();
}
