//! Who is admitted to a route, by address: `allow` and `deny`.

use super::step::decided;
use super::{Exchange, Flow};
use crate::telemetry::events;

/// What the first rule that names the client says; `None`: no rule does.
pub(super) fn judge(exchange: &Exchange) -> Option<bool> {
    let rules = &exchange.plan().serving.admission;
    let address = exchange.subject.transaction.borrow().client.address.to_canonical();
    let rule =
        rules.iter().find(|rule| rule.network.is_none_or(|network| network.contains(&address)));
    rule.map(|rule| rule.allowed)
}

/// Refuses a client that a rule denies.
pub(super) fn refuse(exchange: &Exchange) -> Flow {
    let transaction = exchange.subject.transaction.borrow();
    events::Said { level: 4, message: "access forbidden by rule", about: Some(&transaction) }
        .emit();
    drop(transaction);
    exchange.subject.transaction.borrow_mut().outcome.reason = Some("route::denied".to_owned());
    decided(exchange, 403)
}
