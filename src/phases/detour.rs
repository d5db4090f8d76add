//! An internal redirect: a script sends its request another way.

use super::{Exchange, Flow};
use crate::script::{Detour, REDIRECTS, Way};
use crate::telemetry::events;
use crate::transaction::Verdict;

/// `ngx.ERR`.
const ERROR: i64 = 4;

/// Follows the redirect that a script wanted; a flow if that leads nowhere.
pub(super) fn follow(exchange: &Exchange) -> Flow {
    let Some(Detour { to, inside }) = exchange.subject.detour.take().map(|detour| *detour) else {
        return Flow::Continue;
    };
    if exchange.redirects.get() >= REDIRECTS {
        return lost(exchange, &cycle(exchange, &to));
    }
    exchange.redirects.set(exchange.redirects.get() + 1);
    {
        let mut transaction = exchange.subject.transaction.borrow_mut();
        (transaction.internal, transaction.doing) = (true, None);
    }
    let by_name = match to {
        Way::Named(name) => {
            let Some(plan) = exchange.live.policy.router.named(&name) else {
                return lost(exchange, &format!("could not find named location \"{name}\""));
            };
            forget(exchange);
            Some(plan)
        }
        Way::Rewritten => None,
        Way::Target(path, query) => {
            let request = &mut exchange.subject.transaction.borrow_mut().request;
            (request.path, request.query) = (path, query);
            forget(exchange);
            None
        }
    };
    exchange.go_to(by_name, inside);
    Flow::Continue
}

/// The way begins anew: what its scripts kept for each other is gone.
fn forget(exchange: &Exchange) {
    exchange.subject.contexts.borrow_mut().forget();
}

fn cycle(exchange: &Exchange, to: &Way) -> String {
    let words = "rewrite or internal redirection cycle while";
    let shown = |path: &[u8]| String::from_utf8_lossy(path).into_owned();
    match to {
        Way::Named(name) => format!("{words} redirect to named location \"{name}\""),
        Way::Rewritten => {
            let path = shown(&exchange.subject.transaction.borrow().request.path);
            format!("{words} processing \"{path}\"")
        }
        Way::Target(path, _) => format!("{words} internally redirecting to \"{}\"", shown(path)),
    }
}

/// The request leads nowhere: the log tells why, the client gets 500.
fn lost(exchange: &Exchange, message: &str) -> Flow {
    let mut transaction = exchange.subject.transaction.borrow_mut();
    events::Said { level: ERROR, message, about: Some(&transaction) }.emit();
    transaction.outcome.verdict = Verdict::Failed;
    transaction.outcome.reason = Some("exec::lost".to_owned());
    transaction.reply = crate::transaction::Reply::default();
    Flow::Respond(500)
}
