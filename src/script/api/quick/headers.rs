//! Short ways into header fields and arguments, where no name comes twice.

use std::borrow::Cow;
use std::rc::Rc;

use bytes::Bytes;

use super::made::{Again, Made, Pairs};
use super::query::Seen;
use super::{Answer, Out, Quick, Run, Stack, spare};
use crate::script::Call;
use crate::script::api::arguments::{number_text, push_number};
use crate::script::api::encoding::{escape_into, is_component, space_into, unescape_into};
use crate::script::api::query::split_pair;
use crate::script::api::request_headers;
use crate::transaction::{Body, Headers, Phase, Transaction};

/// Bytes of a query or form body that do.
const SMALL: usize = 16 << 10;
/// What finds fields of a table in any spelling.
pub const IN_ANY_CASE: &str = "headers in any case";

pub const QUICK: &[Quick] = &[
    Quick { name: "ngx.decode_args", run: Run::answers(decode_args) },
    Quick { name: "ngx.encode_args", run: Run::answers(encode_args) },
    Quick { name: "ngx.header read", run: Run::answers(read) },
    Quick { name: "ngx.header write", run: Run::answers(write) },
    Quick { name: IN_ANY_CASE, run: Run::answers(in_any_case) },
    Quick { name: "ngx.req.clear_header", run: Run::answers(clear) },
    Quick { name: "ngx.req.get_headers", run: Run::answers(all) },
    Quick { name: "ngx.req.get_post_args", run: Run::answers(post_args) },
    Quick { name: "ngx.req.get_uri_args", run: Run::answers(uri_args) },
    Quick { name: "ngx.req.set_header", run: Run::answers(set) },
];

/// The name of a field that means nothing to us: `X-…` in letters, digits, `-` and `_`.
fn name<'a>(stack: &Stack<'a>, index: i32) -> Option<&'a str> {
    let name = stack.bytes(index)?;
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let fits = matches!(name, [b'x' | b'X', b'-' | b'_', _, ..]) && name.iter().all(plain);
    std::str::from_utf8(name).ok().filter(|_| fits)
}

/// The text of a field, which nothing must be taken out of.
fn value(stack: &Stack<'_>, index: i32) -> Option<Vec<u8>> {
    if let Some(number) = stack.number(index) {
        let mut text = Vec::with_capacity(8);
        push_number(number, &mut text);
        return Some(text);
    }
    let clean = |text: &&[u8]| text.iter().all(|byte| (0x20..0x7f).contains(byte));
    stack.bytes(index).filter(clean).map(<[u8]>::to_vec)
}

/// The name of a field of the response, whose route wants `_` to stand for `-`.
fn name_in<'a>(transaction: &Transaction, stack: &Stack<'a>) -> Option<Cow<'a, str>> {
    let name = name(stack, 2)?;
    match name.contains('_') {
        true if transaction.manner.keeps_underscores => None,
        true => Some(name.replace('_', "-").into()),
        false => Some(name.into()),
    }
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
    replaced(headers, &name, value, stack.is_nil(3))
}

fn replaced(headers: &mut Headers, name: &str, value: Option<Vec<u8>>, removes: bool) -> bool {
    match value {
        None if removes => {
            headers.remove(name);
            true
        }
        Some(value) if request_headers::room(headers, 1, name.len() + value.len()).is_ok() => {
            headers.set(name.to_owned(), value);
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
    let Some(exchange) = call.subject.as_ref().filter(|_| stack.len() == 0) else { return false };
    let Ok(transaction) = exchange.transaction.try_borrow() else { return false };
    let headers = &transaction.request.headers;
    let edition = headers.edition();
    if stack.facts().headers.get().edition == edition {
        return answer.give(Out::Again);
    }
    let mut pairs = Pairs::new(true).of(Again::Headers(edition));
    let unique = headers.pairs().all(|(name, value)| {
        let is_new = pairs.name(|text| push_lower(name, text));
        pairs.value(|text| text.extend_from_slice(value));
        is_new
    });
    unique && answer.give(Out::Made(Made::Pairs(pairs)))
}

fn push_lower(name: &[u8], text: &mut Vec<u8>) {
    let began = text.len();
    text.extend_from_slice(name);
    text.get_mut(began..).unwrap_or_default().make_ascii_lowercase();
}

/// A field of such a table in another spelling.
fn in_any_case<'a>(stack: &Stack<'a>, _: &Rc<Call>, answer: &mut Answer<'a>) -> bool {
    let Some(name) = stack.bytes(2).filter(|name| name.len() <= SMALL) else { return false };
    if !stack.is_table(1) {
        return false;
    }
    if answer.spelled() {
        return true;
    }
    let mut lower = spare();
    push_lower(name, &mut lower);
    for byte in &mut lower {
        *byte = if *byte == b'_' { b'-' } else { *byte };
    }
    answer.give(Out::Field(lower))
}

fn uri_args<'a>(stack: &Stack<'a>, call: &Rc<Call>, answer: &mut Answer<'a>) -> bool {
    let Some(exchange) = call.subject.as_ref().filter(|_| stack.len() == 0) else { return false };
    let Ok(transaction) = exchange.transaction.try_borrow() else { return false };
    decoded(stack, transaction.request.query.as_deref().unwrap_or_default(), answer)
}

fn post_args<'a>(stack: &Stack<'a>, call: &Rc<Call>, answer: &mut Answer<'a>) -> bool {
    let Some(exchange) = call.subject.as_ref().filter(|_| stack.len() == 0) else { return false };
    let Ok(transaction) = exchange.transaction.try_borrow() else { return false };
    match &transaction.body {
        Body::Memory(bytes) => decoded(stack, bytes, answer),
        _ => false,
    }
}

fn decode_args<'a>(stack: &Stack<'a>, _: &Rc<Call>, answer: &mut Answer<'a>) -> bool {
    stack.len() == 1 && stack.bytes(1).is_some_and(|query| decoded(stack, query, answer))
}

/// A query as a table, if it is short and no name comes twice.
fn decoded(stack: &Stack<'_>, query: &[u8], answer: &mut Answer<'_>) -> bool {
    if query.len() > SMALL {
        return false;
    }
    let again = match stack.facts().query.look(query) {
        Seen::Made => return answer.give(Out::Query),
        Seen::Once => Again::Query,
        Seen::Never => Again::Never,
    };
    let mut pairs = Pairs::new(false).of(again);
    let has_escapes = memchr::memchr(b'%', query).is_some();
    let unescape = if has_escapes { unescape_into } else { space_into };
    let ends = memchr::memchr_iter(b'&', query).chain(std::iter::once(query.len()));
    let mut start = 0;
    for end in ends {
        let (key, value) = split_pair(query.get(start..end).unwrap_or_default());
        start = end + 1;
        if key.is_empty() {
            continue;
        }
        if !pairs.name(|text| unescape(key, text)) {
            return false;
        }
        if let Some(value) = value {
            pairs.value(|text| unescape(value, text));
        }
    }
    answer.give(Out::Made(Made::Pairs(pairs)))
}

/// A table of texts, numbers and booleans as a query.
fn encode_args<'a>(stack: &Stack<'a>, _: &Rc<Call>, answer: &mut Answer<'a>) -> bool {
    let mut query = spare();
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
