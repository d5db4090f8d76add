//! `balancer`: a script chooses the peer of one try.

use super::span::Span;
use super::step::{End, call, run_now};
use super::{Exchange, Flow, onward};
use crate::policy::StepId;
use crate::script::Exit;
use crate::telemetry::events;
use crate::transaction::{Phase, Verdict};

/// Lets the script choose the peer of the try that begins: what it decided is in
/// [`crate::transaction::Upstream::turn`].
///
/// # Errors
/// The status for the client, if the script failed or wants no peer.
pub fn choose_peer(exchange: &Exchange, step: StepId) -> Result<(), u16> {
    if let Some(turn) = &mut exchange.subject.transaction.borrow_mut().upstream.turn {
        turn.begin();
    }
    let mut span = Span::of(Phase::Balancer);
    let result = run(exchange, step, &mut span);
    span.tell();
    if let Some(turn) = &mut exchange.subject.transaction.borrow_mut().upstream.turn {
        turn.settle();
    }
    result
}

fn run(exchange: &Exchange, step: StepId, span: &mut Span) -> Result<(), u16> {
    let failed = exchange.live.policy.config.lua.error_status;
    let Some((_, _, handler)) = exchange.live.step(step) else { return Err(failed) };
    let call = call(exchange, Phase::Balancer, &handler.module);
    let end = run_now(exchange, step, &call);
    span.add(&call);
    match end {
        End::Left(Exit::Respond(status @ 300..)) => Err(ended(exchange, status)),
        End::Left(Exit::Declined) => Err(ended(exchange, 502)),
        End::Left(Exit::Close | Exit::Reroute | Exit::Respond(_)) => Err(ended(exchange, failed)),
        End::Refused(status) => Err(ended(exchange, status.unwrap_or(failed))),
        End::Left(Exit::Phase) | End::Passed | End::Returned(_) => {
            recreate(exchange);
            Ok(())
        }
    }
}

/// The request as the upstream gets it is made anew, where the script wants that.
fn recreate(exchange: &Exchange) {
    let wanted = {
        let transaction = exchange.subject.transaction.borrow();
        transaction.upstream.turn.as_ref().is_some_and(|turn| turn.recreates)
    };
    let serving = exchange.plan().serving.clone();
    if let Some(forward) = serving.forward.as_ref().filter(|_| wanted)
        && onward::prepare(exchange, forward) != Flow::Continue
    {
        events::Trouble {
            what: "a request could not be made anew for its upstream",
            next: "look at the variables in the address of `forward`",
        }
        .emit();
    }
}

fn ended(exchange: &Exchange, status: u16) -> u16 {
    let mut transaction = exchange.subject.transaction.borrow_mut();
    transaction.outcome.verdict = Verdict::of_status(status);
    transaction.reply = crate::transaction::Reply::default();
    status
}
