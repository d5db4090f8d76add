//! A script that a rule calls: it is run for one value, and says whether the rule matches.

use bytes::Bytes;

use super::Exchange;
use super::step::{call, tell};
use crate::script::Exit;
use crate::transaction::Phase;

/// Whether the script matched; none: it failed, or its budget is spent, which the log then tells.
pub(super) async fn run(exchange: &Exchange, path: &str, value: &[u8]) -> Option<bool> {
    let step = exchange.plan().script(path).and_then(|id| exchange.live.step(id));
    let (_, state, handler) = step?;
    let call = call(exchange, Phase::Access, &handler.module);
    call.aside.argument.replace(Some(Bytes::copy_from_slice(value)));
    match state.judge(handler, &call).await {
        // What a refusal looks like is the rule's business.
        Ok(said) => {
            Some(said || matches!(call.exit.get(), Some(Exit::Close | Exit::Respond(400..))))
        }
        Err(error) => {
            tell(exchange, &call, &state.spec().owner, &error);
            None
        }
    }
}
