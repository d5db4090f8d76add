//! `set`: the request head is read; handlers compute variables.

use super::step::{End, call, refused, run_now};
use super::{Exchange, Flow};
use crate::config::HandlerSource;
use crate::transaction::Phase;

/// Each `set_by_lua_*` handler's result becomes its variable's value.
pub(super) fn run(exchange: &Exchange) -> Flow {
    for id in exchange.plan().of(Phase::Set) {
        let Some((step, _, handler)) = exchange.live.step(*id) else { continue };
        let call = call(exchange, Phase::Set, &handler.module);
        let value = match run_now(exchange, *id, &call) {
            End::Returned(value) => value,
            End::Left(_) => None,
            End::Refused => return refused(exchange),
        };
        if let HandlerSource::Chunk { variable: Some(name), .. } = &step.source {
            exchange.subject.transaction.borrow_mut().variables.set(name, value);
        }
    }
    Flow::Continue
}
