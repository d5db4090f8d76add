//! Which upstream an exchange goes to: its route's own, or the one that a script wants.

use std::sync::Arc;

use super::{Failure, Site};
use crate::config::Address;
use crate::phases::Exchange;
use crate::upstream::{Group, allowed};

const NO_UPSTREAM: Failure = Failure::ours(502, "upstream::none");
const NOT_ALLOWED: Failure = Failure::ours(502, "upstream::not_allowed");

/// The upstream of an exchange, as its route and its scripts decided.
pub(super) fn choose(site: &Site, exchange: &Exchange) -> Result<Arc<Group>, Failure> {
    let upstreams = &exchange.live.policy.upstreams;
    let choice = &exchange.plan().upstream;
    let transaction = exchange.subject.transaction.borrow();
    let Some(wanted) = transaction.upstream.wanted.as_deref() else {
        return choice.upstream.and_then(|index| upstreams.get(index)).cloned().ok_or(NO_UPSTREAM);
    };
    if let Some(group) = upstreams.by_name(wanted) {
        return if choice.by_name { Ok(group.clone()) } else { Err(NOT_ALLOWED) };
    }
    let address = parse(wanted).ok_or(NO_UPSTREAM)?;
    if allowed(&choice.computed, &address) { Ok(site.computed(&address)) } else { Err(NOT_ALLOWED) }
}

/// `host:port` or `address:port`, as scripts write it.
fn parse(wanted: &str) -> Option<Address> {
    let wanted = wanted.strip_prefix("http://").unwrap_or(wanted).trim_end_matches('/');
    if let Ok(socket) = wanted.parse() {
        return Some(Address::Socket(socket));
    }
    let (host, port) = wanted.rsplit_once(':')?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    if host.is_empty() || host.len() > 253 || !host.bytes().all(plain) {
        return None;
    }
    Some(Address::Name(host.to_owned(), port.parse().ok()?))
}
