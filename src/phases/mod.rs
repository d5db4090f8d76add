//! The nine phases, one file each, and what an [`Exchange`] carries through them.
//!
//! `init` and `init_worker` run when a policy's [`crate::policy::Live`] copies are prepared; the
//! other seven run here. Nothing in this folder touches a socket.

mod access;
mod body_filter;
mod content;
mod exchange;
mod header_filter;
mod log;
mod rewrite;
mod set;
mod step;

pub use body_filter::{Aborted, BodyFilter};
pub use exchange::Exchange;

/// What a phase leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// Close the connection without an answer.
    Close,
    /// On to the next phase.
    Continue,
    /// Answer now with this status, and with the headers and body that are staged in
    /// [`crate::transaction::Transaction::reply`].
    Respond(u16),
}

/// Everything before the upstream: `set` ▸ `rewrite` ▸ `access` ▸ `content`.
pub async fn request(exchange: &Exchange) -> Flow {
    let flow = set::run(exchange);
    if flow != Flow::Continue {
        return flow;
    }
    let flow = rewrite::run(exchange).await;
    if flow != Flow::Continue {
        return flow;
    }
    let flow = access::run(exchange).await;
    if flow != Flow::Continue {
        return flow;
    }
    content::run(exchange).await
}

/// The response head, before a byte of it is sent.
pub fn response_head(exchange: &Exchange) -> Flow {
    header_filter::run(exchange)
}

/// After the last byte.
pub fn end(exchange: &Exchange) {
    log::run(exchange);
}
