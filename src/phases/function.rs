//! `content` by a function: what it stages is the answer.

use super::content::{left, staged_status};
use super::span::Span;
use super::step::{self, decided, refused};
use super::{Exchange, Flow};
use crate::functions::{Beside, Found, Reach};
use crate::policy::Policy;
use crate::transaction::Phase;

/// Calls the function that serves this exchange. One that fails, or that as many call as may, is
/// answered as a failing script is.
pub(super) async fn run(exchange: &Exchange, found: &Found, span: &mut Span) -> Flow {
    let policy = &exchange.live.policy;
    let reach = reach(policy);
    let called = |name: &std::rc::Rc<str>| step::call(exchange, Phase::Content, name);
    let beside = Beside::of(found, &exchange.subject);
    let (call, result) = exchange.functions.call(found, reach, called).await;
    if let Some(call) = &call {
        span.add(call);
    }
    if let Some(mut beside) = beside {
        beside.answered(call.as_deref(), &result, reach);
        exchange.beside.replace(Some(Box::new(beside)));
    }
    let error = match (result, call.as_ref().and_then(|call| call.exit.get())) {
        (Ok(_), Some(exit)) => return left(exchange, exit),
        (Ok(_), None) => return decided(exchange, staged_status(exchange)),
        (Err(error), _) => error,
    };
    let call = call.unwrap_or_else(|| called(&found.function.name.as_str().into()));
    step::tell(exchange, &call, &found.function.owner.shared(), &error);
    let reason = format!("function::{}", found.function.name);
    exchange.subject.transaction.borrow_mut().outcome.reason = Some(reason);
    refused(exchange)
}

/// Runs what is to be run beside the function, now that the client has its answer. Nobody waits for
/// it.
pub(super) fn run_beside(exchange: &Exchange) {
    let Some(beside) = exchange.beside.take() else { return };
    let (holder, live) = (exchange.functions.clone(), exchange.live.clone());
    tokio::task::spawn_local(async move {
        let policy = &live.policy;
        beside.run(&holder, reach(policy)).await;
    });
}

/// What a policy has that functions may be granted.
fn reach(policy: &Policy) -> Reach<'_> {
    Reach {
        dictionaries: &policy.dictionaries,
        tables: &policy.tables,
        owners: &policy.config.owners,
        secrets: &policy.config.secrets,
    }
}
