//! Short ways into header fields and arguments, where no name comes twice.

use std::rc::Rc;

use bytes::Bytes;

use super::request::looked;
use super::{Answer, Key, Out, Quick, Run, Stack};
use crate::script::Call;
use crate::script::api::arguments::number_text;
use crate::script::api::encoding::{escape_into, is_component, unescape};
use crate::script::api::query::split_pair;
use crate::script::api::request_headers;
use crate::transaction::{Body, Headers, Phase, Transaction};

/// Fields and arguments that go the short way: names are compared each with each.
const FEW: usize = 40;
/// Bytes of a query or form body that do.
const SMALL: usize = 16 << 10;

pub const QUICK: &[Quick] = &[
    Quick { name: "ngx.decode_args", run: Run::Answers(decode_args) },
    Quick { name: "ngx.encode_args", run: Run::Answers(encode_args) },
    Quick { name: "ngx.header read", run: Run::Answers(read) },
    Quick { name: "ngx.header write", run: Run::Answers(write) },
    Quick { name: "ngx.req.clear_header", run: Run::Answers(clear) },
    Quick { name: "ngx.req.get_headers", run: Run::Answers(all) },
    Quick { name: "ngx.req.get_post_args", run: Run::Answers(post_args) },
    Quick { name: "ngx.req.get_uri_args", run: Run::Answers(uri_args) },
    Quick { name: "ngx.req.set_header", run: Run::Answers(set) },
];

/// The name of a field that means nothing to us: `X-…` in letters, digits, `-` and `_`.
fn name(stack: &Stack<'_>, index: i32) -> Option<String> {
    let name = stack.bytes(index)?;
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let fits = matches!(name, [b'x' | b'X', b'-' | b'_', _, ..]) && name.iter().all(plain);
    fits.then(|| String::from_utf8_lossy(name).into_owned())
}

/// The text of a field, which nothing must be taken out of.
fn value(stack: &Stack<'_>, index: i32) -> Option<Vec<u8>> {
    if let Some(number) = stack.number(index) {
        return Some(number_text(number).into_bytes());
    }
    let clean = |text: &&[u8]| text.iter().all(|byte| (0x20..0x7f).contains(byte));
    stack.bytes(index).filter(clean).map(<[u8]>::to_vec)
}

/// The name of a field of the response, whose route wants `_` to stand for `-`.
fn name_in(transaction: &Transaction, stack: &Stack<'_>) -> Option<String> {
    let name = name(stack, 2)?;
    let keeps = transaction.manner.keeps_underscores && name.contains('_');
    (!keeps).then(|| name.replace('_', "-"))
}

fn read<'a>(stack: &Stack<'a>, call: &Rc<Call>, answer: &mut Answer<'a>) -> bool {
    let Some(exchange) = &call.subject else { return false };
    let Ok(transaction) = exchange.transaction.try_borrow() else { return false };
    let Some(name) = name_in(&transaction, stack) else { return false };
    let Transaction { reply, response, .. } = &*transaction;
    let headers = response.as_ref().map_or(&reply.headers, |response| &response.headers);
    let mut values = headers.get_all(&name);
    let (first, second) = (values.next(), values.next());
    second.is_none() && answer.shared(first.cloned())
}

fn write<'a>(stack: &Stack<'a>, call: &Rc<Call>, _: &mut Answer<'a>) -> bool {
    let value = value(stack, 3);
    let Some(exchange) = &call.subject else { return false };
    let Ok(mut transaction) = exchange.transaction.try_borrow_mut() else { return false };
    let Some(name) = name_in(&transaction, stack) else { return false };
    let Transaction { reply, response, .. } = &mut *transaction;
    let headers = match response {
        None if !reply.is_locked => &mut reply.headers,
        Some(response) if call.phase == Phase::HeaderFilter => &mut response.headers,
        None | Some(_) => return false,
    };
    replaced(headers, name, value, stack.is_nil(3))
}

fn replaced(headers: &mut Headers, name: String, value: Option<Vec<u8>>, removes: bool) -> bool {
    match value {
        None if removes => {
            headers.remove(&name);
            true
        }
        Some(value) if request_headers::room(headers, 1, name.len() + value.len()).is_ok() => {
            headers.set(name, value);
            true
        }
        _ => false,
    }
}

fn set<'a>(stack: &Stack<'a>, call: &Rc<Call>, _: &mut Answer<'a>) -> bool {
    change(stack, call, value(stack, 2), stack.is_nil(2))
}

fn clear<'a>(stack: &Stack<'a>, call: &Rc<Call>, _: &mut Answer<'a>) -> bool {
    change(stack, call, None, true)
}

fn change(stack: &Stack<'_>, call: &Rc<Call>, value: Option<Vec<u8>>, removes: bool) -> bool {
    let (Some(name), Some(exchange)) = (name(stack, 1), &call.subject) else { return false };
    let Ok(mut transaction) = exchange.transaction.try_borrow_mut() else { return false };
    replaced(&mut transaction.request.headers, name, value, removes)
}

fn all<'a>(stack: &Stack<'a>, call: &Rc<Call>, answer: &mut Answer<'a>) -> bool {
    if stack.len() > 0 {
        return false;
    }
    let mut unique = true;
    let went = looked(call, answer, |transaction| {
        let headers = &transaction.request.headers;
        unique = headers.len() <= FEW && !has_twins(headers);
        let shown = if unique { headers.len() } else { 0 };
        Out::Fields(
            headers
                .iter()
                .take(shown)
                .map(|field| (Key::Lower(field.name.clone()), Out::Shared(field.value.clone())))
                .collect(),
            true,
        )
    });
    went && unique
}

fn has_twins(headers: &Headers) -> bool {
    headers.iter().enumerate().any(|(place, one)| {
        headers.iter().skip(place + 1).any(|other| one.name.eq_ignore_ascii_case(&other.name))
    })
}

fn uri_args<'a>(stack: &Stack<'a>, call: &Rc<Call>, answer: &mut Answer<'a>) -> bool {
    let Some(exchange) = call.subject.as_ref().filter(|_| stack.len() == 0) else { return false };
    let Ok(transaction) = exchange.transaction.try_borrow() else { return false };
    decoded(transaction.request.query.as_deref().unwrap_or_default(), answer)
}

fn post_args<'a>(stack: &Stack<'a>, call: &Rc<Call>, answer: &mut Answer<'a>) -> bool {
    let Some(exchange) = call.subject.as_ref().filter(|_| stack.len() == 0) else { return false };
    let Ok(transaction) = exchange.transaction.try_borrow() else { return false };
    match &transaction.body {
        Body::Memory(bytes) => decoded(bytes, answer),
        _ => false,
    }
}

fn decode_args<'a>(stack: &Stack<'a>, _: &Rc<Call>, answer: &mut Answer<'a>) -> bool {
    stack.len() == 1 && stack.bytes(1).is_some_and(|query| decoded(query, answer))
}

/// A query as a table, if it is short and no name comes twice.
fn decoded(query: &[u8], answer: &mut Answer<'_>) -> bool {
    if query.len() > SMALL {
        return false;
    }
    let mut entries: Vec<(Key, Out<'_>)> = Vec::new();
    for pair in query.split(|byte| *byte == b'&') {
        let (key, value) = split_pair(pair);
        if key.is_empty() {
            continue;
        }
        let key = unescape(key);
        let known =
            |(known, _): &(Key, Out<'_>)| matches!(known, Key::Text(known) if *known == key);
        if entries.len() == FEW || entries.iter().any(known) {
            return false;
        }
        let value = value.map_or(Out::Boolean(true), |value| Out::Owned(unescape(value)));
        entries.push((Key::Text(key), value));
    }
    answer.give(Out::Fields(entries, false))
}

/// A table of texts, numbers and booleans as a query.
fn encode_args<'a>(stack: &Stack<'a>, _: &Rc<Call>, answer: &mut Answer<'a>) -> bool {
    let mut query = Vec::new();
    let fits = stack.is_plain_table(1)
        && stack.walk(1, |key, value| {
            query.len() <= SMALL && encoded_pair(stack, key, value, &mut query)
        });
    fits && answer.give(Out::Owned(query))
}

fn encoded_pair(stack: &Stack<'_>, key: i32, value: i32, query: &mut Vec<u8>) -> bool {
    let flag = stack.boolean(value);
    if flag == Some(false) {
        return true;
    }
    let written = stack.number(value).map(|number| Bytes::from(number_text(number)));
    let text = stack.bytes(value).or(written.as_deref());
    let (Some(key), true) = (stack.bytes(key), text.is_some() || flag.is_some()) else {
        return false;
    };
    if !query.is_empty() {
        query.push(b'&');
    }
    escape_into(key, is_component, query);
    if let Some(text) = text.filter(|text| text.len() <= SMALL) {
        query.push(b'=');
        escape_into(text, is_component, query);
    }
    text.is_none_or(|text| text.len() <= SMALL)
}
