//! `set`: the request head is read; handlers compute variables.

use bytes::Bytes;

use super::span::Span;
use super::step::{End, call, refused, run_now};
use super::{Exchange, Flow, beside};
use crate::config::HandlerSource;
use crate::policy::StepId;
use crate::transaction::Phase;

/// Each `set_by_lua_*` handler's result becomes its variable's value.
pub(super) fn run(exchange: &Exchange) -> Flow {
    beside::note_all(exchange, Phase::Set);
    let plan = exchange.plan();
    let steps = plan.of(Phase::Set);
    // The last ones are called by the route's steps.
    let steps = steps.get(..steps.len().saturating_sub(plan.serving.scripts())).unwrap_or_default();
    if steps.is_empty() {
        return Flow::Continue;
    }
    let mut span = Span::of(Phase::Set);
    let flow = compute(exchange, steps, &mut span);
    span.tell();
    flow
}

fn compute(exchange: &Exchange, steps: &[StepId], span: &mut Span) -> Flow {
    for id in steps {
        if let Some(flow) = one(exchange, *id, Vec::new(), span) {
            return flow;
        }
    }
    Flow::Continue
}

/// A `set` handler that a step of this route calls, by its place among those; a flow if it failed.
pub(super) fn script(
    exchange: &Exchange,
    route: usize,
    handler: usize,
    arguments: Vec<Bytes>,
) -> Option<Flow> {
    let plan = exchange.live.policy.plans.get(route)?;
    let steps = plan.of(Phase::Set);
    let first = steps.len().checked_sub(plan.serving.scripts())?;
    // The steps of a route are not told as a phase, nor is what they call.
    one(exchange, *steps.get(first + handler)?, arguments, &mut Span::of(Phase::Set))
}

fn one(exchange: &Exchange, id: StepId, arguments: Vec<Bytes>, span: &mut Span) -> Option<Flow> {
    let (step, _, handler) = exchange.live.step(id)?;
    let call = call(exchange, Phase::Set, &handler.module);
    if !arguments.is_empty() {
        call.aside.arguments.replace(arguments);
    }
    let end = run_now(exchange, id, &call);
    span.add(&call);
    let value = match end {
        End::Returned(value) => value,
        End::Left(_) | End::Passed => None,
        End::Refused(_) => return Some(refused(exchange)),
    };
    if let HandlerSource::Chunk { variable: Some(name), .. }
    | HandlerSource::File { variable: Some(name), .. } = &step.source
    {
        exchange.subject.transaction.borrow_mut().variables.set(name, value);
    }
    None
}
