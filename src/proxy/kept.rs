//! What nginx tells at level `debug` of connections to upstreams that serve more than one request.

use crate::phases::Exchange;
use crate::telemetry::events;

/// `ngx.DEBUG`.
const DEBUG: i64 = 8;

/// What became of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kept {
    /// There was none to be used again.
    Missing,
    /// It is used again.
    Reused,
    /// It is kept for another request.
    Saved,
}

/// Tells what became of the connection to the peer of an exchange, where anybody wants to know.
pub(super) fn tell(exchange: &Exchange, kept: Kept) {
    if !events::ScriptSaid::is_wanted(DEBUG) {
        return;
    }
    let transaction = exchange.subject.transaction.borrow();
    let upstream = &transaction.upstream;
    let chosen = upstream.turn.as_ref().is_some_and(|turn| turn.kept.is_some());
    let peer = upstream.peer.as_ref().map(ToString::to_string).unwrap_or_default();
    let message = match (chosen, kept) {
        (true, Kept::Missing) => {
            format!("lua balancer: keepalive no free connection, host: {peer}, name: ")
        }
        (true, Kept::Reused) => {
            format!("lua balancer: keepalive reusing connection, host: {peer}, name: ")
        }
        (true, Kept::Saved) => {
            format!("lua balancer: keepalive saving connection, host: {peer}, name: ")
        }
        (false, Kept::Missing) => return,
        (false, Kept::Reused) => "get keepalive peer: using connection".to_owned(),
        (false, Kept::Saved) => "free keepalive peer: saving connection".to_owned(),
    };
    events::Said { level: DEBUG, message: &message, about: Some(&transaction) }.emit();
}
