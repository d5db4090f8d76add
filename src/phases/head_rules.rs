//! What a route's settings change of a response's head: `response_headers`.

use bytes::Bytes;

use super::Exchange;
use crate::config::serving::HeaderRule;
use crate::script::variable;
use crate::transaction::{Headers, Transaction};

/// Statuses of which nginx takes it that a field of the settings makes sense.
const USUAL: [u16; 10] = [200, 201, 204, 206, 301, 302, 303, 304, 307, 308];

/// Changes the head.
pub(super) fn apply(exchange: &Exchange) {
    let rules = &exchange.plan().serving.response_headers;
    if rules.is_empty() {
        return;
    }
    let mut transaction = exchange.subject.transaction.borrow_mut();
    for rule in rules {
        one(&mut transaction, rule);
    }
}

fn one(transaction: &mut Transaction, rule: &HeaderRule) {
    let value = match rule {
        HeaderRule::Add(_, value, _) | HeaderRule::Set(_, value) => {
            value.render(|name| variable(transaction, name))
        }
        HeaderRule::Clear(_) => Bytes::new(),
    };
    let Some(response) = &mut transaction.response else { return };
    match rule {
        HeaderRule::Add(name, _, always) => {
            if !value.is_empty() && (*always || USUAL.contains(&response.status)) {
                response.headers.append(name.clone(), value);
            }
        }
        HeaderRule::Clear(name) => clear(&mut response.headers, name),
        HeaderRule::Set(name, _) => response.headers.set(name.clone(), value),
    }
}

fn clear(headers: &mut Headers, name: &str) {
    match name.strip_suffix('*') {
        None => drop(headers.remove(name)),
        Some(start) => headers.retain(|field| {
            let head = field.name.get(..start.len());
            !head.is_some_and(|head| head.eq_ignore_ascii_case(start.as_bytes()))
        }),
    }
}
