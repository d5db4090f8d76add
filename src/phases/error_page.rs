//! What answers instead of a status: `error_pages`.

use super::moves::render;
use super::{Exchange, Flow, files};
use crate::config::serving::ErrorPage;
use crate::transaction::Reply;

/// The way on, where a page answers instead of this status; the status, where none does. A page that
/// fails itself has none.
pub(super) fn instead(exchange: &Exchange, status: u16) -> Flow {
    if exchange.plan().serving.error_pages.is_empty() {
        return Flow::Respond(status);
    }
    let serving = exchange.plan().serving.clone();
    let page = serving.error_pages.iter().find(|page| page.statuses.contains(&status));
    let Some(page) = page.filter(|_| is_there(exchange, status)) else {
        return Flow::Respond(status);
    };
    forget_upstream(exchange);
    let to = render(exchange, &page.to);
    exchange.takes_page(answer(page, status));
    if !to.starts_with(b"/") && !to.starts_with(b"@") {
        let status = page.answer.filter(|status| (301..=308).contains(status)).unwrap_or(302);
        exchange.subject.transaction.borrow_mut().reply.headers.set("Location", to);
        return Flow::Respond(status);
    }
    let mut transaction = exchange.subject.transaction.borrow_mut();
    // A page that may say its status itself goes by that of `ngx.exit` until it does.
    let said = transaction.reply.status;
    transaction.reply = Reply { status: answer(page, status).unwrap_or(said), ..Reply::default() };
    if !to.starts_with(b"@") && &transaction.request.method[..] != b"HEAD" {
        transaction.request.method = bytes::Bytes::from_static(b"GET");
    }
    drop(transaction);
    files::go(exchange, &to)
}

/// Whether a page answers instead of this status.
pub(super) fn is_there(exchange: &Exchange, status: u16) -> bool {
    let pages = &exchange.plan().serving.error_pages;
    let known = pages.iter().any(|page| page.statuses.contains(&status));
    known && !exchange.has_page() && !said(exchange)
}

/// What settings made of the request for an upstream is not for the one of the page.
fn forget_upstream(exchange: &Exchange) {
    let upstream = &mut exchange.subject.transaction.borrow_mut().upstream;
    if upstream.onward.take().is_some() {
        upstream.wanted = None;
    }
}

/// The status with which a page answers; none: its own.
fn answer(page: &ErrorPage, status: u16) -> Option<u16> {
    match page.answer {
        None => Some(status),
        Some(0) => None,
        Some(other) => Some(other),
    }
}

/// Whether there is a body already that a script made.
fn said(exchange: &Exchange) -> bool {
    let transaction = exchange.subject.transaction.borrow();
    transaction.reply.said || transaction.is_answered()
}
