//! `access`: handlers admit or refuse; after them the rules judge the request, head and body.

use super::step::run_all;
use super::{Exchange, Flow, request_body, rules, rules_beside};
use crate::transaction::{Phase, RulePhase};

pub(super) async fn run(exchange: &Exchange) -> Flow {
    let flow = run_all(exchange, Phase::Access).await;
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
