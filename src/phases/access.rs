//! `access`: handlers admit or refuse; after them the rules judge the request, head and body.

use super::step::{self, decided, run_all};
use super::{Exchange, Flow, admission, ask, request_body, rules, rules_beside};
use crate::transaction::{Phase, RulePhase};

/// Whether anybody has a say in who is admitted.
pub(super) fn has_any(exchange: &Exchange) -> bool {
    let serving = &exchange.plan().serving;
    step::has_any(exchange, Phase::Access)
        || exchange.rules.are_there()
        || serving.ask.is_some()
        || !serving.admission.is_empty()
}

/// What the operator's own scripts ask of the node was admitted with the request for which they ask,
/// as in nginx; what functions ask is judged as a client's request is.
pub(super) async fn run(exchange: &Exchange) -> Flow {
    if !exchange.is_judged() {
        return Flow::Continue;
    }
    let flow = admit(exchange).await;
    if flow != Flow::Continue || !exchange.rules.begin() {
        return flow;
    }
    rules_beside::note(exchange);
    let flow = rules::run(exchange, RulePhase::RequestHeaders).await;
    if flow != Flow::Continue {
        return flow;
    }
    let flow = request_body::inspect(exchange).await;
    if flow != Flow::Continue {
        return flow;
    }
    rules::run(exchange, RulePhase::RequestBody).await
}

/// Address, another route and handlers admit: all of them, or one of them.
async fn admit(exchange: &Exchange) -> Flow {
    if exchange.plan().serving.either_admits {
        return either_admits(exchange).await;
    }
    if admission::judge(exchange) == Some(false) {
        return admission::refuse(exchange);
    }
    if let Some(ask) = &exchange.plan().serving.ask {
        let flow = ask::ask(exchange, ask).await;
        if flow != Flow::Continue {
            return flow;
        }
    }
    run_all(exchange, Phase::Access).await
}

/// The first that admits is enough; where none does, the last refusal stands, but for 401: that says
/// how to be admitted.
async fn either_admits(exchange: &Exchange) -> Flow {
    let mut refused = match admission::judge(exchange) {
        Some(true) => return Flow::Continue,
        Some(false) => Some(403),
        None => None,
    };
    let serving = exchange.plan().serving.clone();
    if let Some(ask) = &serving.ask {
        match ask::ask(exchange, ask).await {
            Flow::Respond(status @ (401 | 403)) => refused = Some(status),
            flow => return flow,
        }
    }
    if exchange.has(Phase::Access) {
        let flow = run_all(exchange, Phase::Access).await;
        match flow {
            Flow::Respond(status @ (401 | 403)) if !is_said(exchange) => {
                refused = refused.filter(|before| *before == 401).or(Some(status));
            }
            Flow::Continue if exchange.is_declined() => {}
            flow => return flow,
        }
    }
    match refused {
        None => Flow::Continue,
        Some(403) => admission::refuse(exchange),
        Some(status) => decided(exchange, status),
    }
}

fn is_said(exchange: &Exchange) -> bool {
    exchange.subject.transaction.borrow().reply.said
}
