//! The nine phases, one file each, and what an [`Exchange`] carries through them.
//!
//! `init` and `init_worker` run when a policy's [`crate::policy::Live`] copies are prepared; the
//! other seven run here, and between them the rule engine's five. Nothing in this folder touches a
//! client's or an upstream's socket.

mod access;
mod admission;
mod ask;
mod balancer;
mod beside;
mod body_filter;
mod content;
mod detour;
mod error_page;
mod exchange;
mod files;
mod function;
mod handshake;
mod head_rules;
mod header_filter;
mod hidden;
mod judgement;
mod log;
mod moves;
mod onward;
mod request_body;
mod response_body;
mod rewrite;
mod rule_script;
mod rules;
mod rules_beside;
mod set;
mod span;
mod step;
mod told;

pub use balancer::choose_peer;
pub use beside::see_chunk;
pub use body_filter::{Aborted, BodyFilter};
pub use exchange::Exchange;
pub use handshake::{Ended, handshake};
pub use response_body::{HeldBody, response_body, response_limit};

use crate::transaction::{Phase, RulePhase};
use std::cell::Cell;

/// What a phase leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// Close the connection without an answer.
    Close,
    /// On to the next phase.
    Continue,
    /// The request goes another way, from the beginning.
    Reroute,
    /// Answer now with this status, and with the headers and body that are staged in
    /// [`crate::transaction::Transaction::reply`].
    Respond(u16),
}

/// The client asks for another site than the one with which it shook hands.
const MISDIRECTED: u16 = 421;

/// Everything before the upstream: `set` ▸ `rewrite` ▸ `access` ▸ `content`.
pub async fn request(exchange: &Exchange) -> Flow {
    if handshake::is_misdirected(exchange) {
        return step::decided(exchange, MISDIRECTED);
    }
    travel(exchange, None).await
}

/// After an upstream did not answer: the way to the page that does in its stead, or the status.
pub async fn instead(exchange: &Exchange, status: u16) -> Flow {
    travel(exchange, Some(status)).await
}

/// Whether a page answers instead of this status.
pub fn has_page_for(exchange: &Exchange, status: u16) -> bool {
    error_page::is_there(exchange, status)
}

/// The way of a request; `failed`: where it has led to by now.
async fn travel(exchange: &Exchange, mut failed: Option<u16>) -> Flow {
    let mut begins = true;
    loop {
        let flow = match failed.take() {
            Some(status) => Flow::Respond(status),
            None if begins => moves::of_site(exchange).await,
            None => Flow::Continue,
        };
        let flow = match flow {
            Flow::Continue => way(exchange).await,
            flow => flow,
        };
        let flow = match flow {
            // A script that asked sees the status itself, as in lua-nginx-module.
            Flow::Respond(status) if !is_subrequest(exchange) => {
                error_page::instead(exchange, status)
            }
            flow => flow,
        };
        if flow != Flow::Reroute {
            return flow;
        }
        begins = exchange.begins_anew();
        let flow = detour::follow(exchange);
        if flow != Flow::Continue {
            return flow;
        }
    }
}

fn is_subrequest(exchange: &Exchange) -> bool {
    exchange.subject.transaction.borrow().is_subrequest
}

/// The way of a request through the route that serves it now.
async fn way(exchange: &Exchange) -> Flow {
    if exchange.is_withheld() {
        // As if the route were not there.
        return step::decided(exchange, 404);
    }
    if let Some(flow) = moves::to_folder(exchange) {
        return flow;
    }
    if exchange.plan().lua.needs_body {
        let flow = request_body::fetch(exchange).await;
        if flow != Flow::Continue {
            return flow;
        }
    }
    let flow = set::run(exchange);
    if flow != Flow::Continue {
        return flow;
    }
    let flow = moves::run(exchange);
    if flow != Flow::Continue {
        return flow;
    }
    if step::has_any(exchange, Phase::Rewrite) {
        let flow = rewrite::run(exchange).await;
        if flow != Flow::Continue {
            return flow;
        }
    }
    if access::has_any(exchange) {
        let flow = access::run(exchange).await;
        if flow != Flow::Continue {
            return flow;
        }
    }
    if step::has_any(exchange, Phase::Precontent) {
        let flow = step::run_all(exchange, Phase::Precontent).await;
        if flow != Flow::Continue {
            return flow;
        }
    }
    content::run(exchange).await
}

/// The response head, before a byte of it is sent: `header_filter`, then the rules.
pub async fn response_head(exchange: &Exchange) -> Flow {
    match filtered_head(exchange) {
        Flow::Continue => judged_head(exchange).await,
        flow => flow,
    }
}

/// The first half of [`response_head`]: what waits for nobody.
pub fn filtered_head(exchange: &Exchange) -> Flow {
    let flow = header_filter::run(exchange);
    told::head(exchange);
    head_rules::apply(exchange);
    flow
}

/// The other half: what the rules say.
pub async fn judged_head(exchange: &Exchange) -> Flow {
    if !response_body::judges(exchange) {
        return Flow::Continue;
    }
    rules::run(exchange, RulePhase::ResponseHeaders).await
}

/// Has the exchange, or what comes after it, begin with fresh states where none is to be kept.
pub fn renew(exchange: &Exchange) {
    if !exchange.live.policy.config.lua.code_cache {
        exchange.live.states().iter().for_each(|state| state.forget());
    }
}

thread_local! {
    /// Exchanges of this worker since it last gave memory back.
    static SINCE_TRIMMED: Cell<u32> = const { Cell::new(0) };
}

/// Gives free memory back to the system, if that is wanted after so many exchanges.
fn give_back(exchange: &Exchange) {
    let after = exchange.live.policy.config.lua.trim_after;
    if after == 0 {
        return;
    }
    let since = SINCE_TRIMMED.get() + 1;
    SINCE_TRIMMED.set(if since >= after { 0 } else { since });
    if since >= after {
        told::trimmed(exchange, crate::memory::trim());
    }
}

/// After the last byte: the rules' last phase, then `log`, so that handlers see all that was found.
pub async fn end(exchange: &Exchange) {
    rules::run(exchange, RulePhase::Logging).await;
    log::run(exchange);
    rules::tell(exchange);
    function::run_beside(exchange);
    renew(exchange);
    give_back(exchange);
    beside::run(exchange);
    rules_beside::run(exchange);
}
