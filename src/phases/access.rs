//! `access`: handlers admit or refuse; after them the rules judge the request, head and body.

use super::step::run_all;
use super::{Exchange, Flow, admission, request_body, rules, rules_beside};
use crate::transaction::{Phase, RulePhase};

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

/// Address and handlers admit: both, or either.
async fn admit(exchange: &Exchange) -> Flow {
    let either = exchange.plan().serving.either_admits;
    match admission::judge(exchange) {
        Some(true) if either => return Flow::Continue,
        Some(false) if !either || !exchange.has(Phase::Access) => {
            return admission::refuse(exchange);
        }
        _ => {}
    }
    run_all(exchange, Phase::Access).await
}
