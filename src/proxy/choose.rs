//! Which upstream an exchange goes to: its route's own, or the one that a script wants.

use std::sync::Arc;

use super::{Failure, Site};
use crate::config::Address;
use crate::phases::Exchange;
use crate::telemetry::events;
use crate::upstream::{Group, allowed};

/// Letters of a wanted upstream that the log shows.
const LONGEST_NAME: usize = 128;
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
        return if choice.by_name { Ok(group.clone()) } else { Err(refuse(exchange, wanted)) };
    }
    match parse(wanted) {
        // What the settings themselves compute they allow.
        Some(address)
            if transaction.upstream.onward.is_some() || allowed(&choice.computed, &address) =>
        {
            Ok(site.computed(&address))
        }
        Some(_) => Err(refuse(exchange, wanted)),
        None => Err(unknown(exchange, wanted)),
    }
}

fn refuse(exchange: &Exchange, wanted: &str) -> Failure {
    let route = &exchange.plan().name;
    events::Trouble {
        what: &format!(
            "route `{route}` may not send requests to `{}`, which a script wants",
            shortened(wanted)
        ),
        next: "name it in the route's `dynamic_upstream`, or have the script set another \
               `ngx.var.upstream`",
    }
    .emit();
    NOT_ALLOWED
}

fn unknown(exchange: &Exchange, wanted: &str) -> Failure {
    let route = &exchange.plan().name;
    events::Trouble {
        what: &format!(
            "route `{route}`: a script wants the upstream `{}`, which is neither declared nor an \
             address",
            shortened(wanted)
        ),
        next: "declare it in `upstreams`, or have the script write `host:port`",
    }
    .emit();
    NO_UPSTREAM
}

/// What a script made, perhaps of what a client sent, on one line of bounded length.
fn shortened(wanted: &str) -> String {
    wanted.chars().take(LONGEST_NAME).collect::<String>().escape_debug().to_string()
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
