//! What the upstream is sent: the request as it was judged, written anew.

use super::framing::HOP_BY_HOP;
use super::head::{encoded, is_token};
use super::{Failure, wire};
use crate::config;
use crate::transaction::{Body, Headers, Onward, Transaction};

const UNWRITABLE: Failure = Failure::ours(500, "proxy::request_not_writable");

/// Fields that end here or that we write ourselves, besides those of one connection.
const OURS: [&str; 5] =
    ["content-length", "expect", "http2-settings", "x-forwarded-for", "x-forwarded-proto"];

/// The head for the upstream, as it leaves.
pub(super) fn head(
    transaction: &Transaction,
    upstream: &config::Upstream,
) -> Result<Vec<u8>, Failure> {
    let mut out = Vec::with_capacity(transaction.request.raw_head.len() + ROOM);
    request_line(&mut out, transaction)?;
    if let Some(onward) = &transaction.upstream.onward {
        told(&mut out, transaction, onward)?;
    } else {
        fields(&mut out, transaction, upstream)?;
        forwarded(&mut out, transaction);
    }
    frame(&mut out, transaction);
    out.extend_from_slice(b"\r\n");
    Ok(out)
}

/// Room for the fields that we write ourselves.
const ROOM: usize = 256;

fn request_line(out: &mut Vec<u8>, transaction: &Transaction) -> Result<(), Failure> {
    let onward = transaction.upstream.onward.as_deref();
    let method = onward.and_then(|onward| onward.method.as_ref());
    let method = method.unwrap_or(&transaction.request.method);
    let target = onward.and_then(|onward| onward.target.clone());
    let target = target.unwrap_or_else(|| transaction.request.target());
    let target = encoded(&target);
    let visible = |byte: &u8| byte.is_ascii_graphic();
    if method.is_empty() || !is_token(method) || target.is_empty() || !target.iter().all(visible) {
        return Err(UNWRITABLE);
    }
    let is_old = onward.is_some_and(|onward| onward.http10);
    let version: &[u8] = if is_old { b" HTTP/1.0\r\n" } else { b" HTTP/1.1\r\n" };
    for part in [&method[..], b" ", &target, version] {
        out.extend_from_slice(part);
    }
    Ok(())
}

/// What the client or a script wants the upstream to see.
fn fields(
    out: &mut Vec<u8>,
    transaction: &Transaction,
    upstream: &config::Upstream,
) -> Result<(), Failure> {
    let headers = &transaction.request.headers;
    let named = named_by_connection(transaction);
    let host = upstream.host.as_deref();
    let passes = |(name, _): &(&[u8], &[u8])| {
        let ours = is_one_of(&OURS, name) || (host.is_some() && is_one_of(&["host"], name));
        let hop_by_hop = is_one_of(&HOP_BY_HOP, name)
            || named.iter().any(|named| name.eq_ignore_ascii_case(named));
        !(ours || hop_by_hop)
    };
    if let Some(host) = host {
        wire::tame_field(out, b"Host", host.as_bytes());
    }
    for (name, value) in headers.pairs().filter(passes) {
        if !client_field(out, headers, name, value) {
            return Err(UNWRITABLE);
        }
    }
    Ok(())
}

/// One of the client's fields; false, and nothing is written, if its name cannot be one.
fn client_field(out: &mut Vec<u8>, headers: &Headers, name: &[u8], value: &[u8]) -> bool {
    // What was received is as the guard read it.
    if headers.changed() {
        return wire::field(out, name, value);
    }
    wire::known_field(out, name, value);
    true
}

/// What the route's settings want the upstream to see, of what the client said and besides.
fn told(out: &mut Vec<u8>, transaction: &Transaction, onward: &Onward) -> Result<(), Failure> {
    let set = |name: &[u8]| {
        onward.headers.iter().any(|(known, _)| name.eq_ignore_ascii_case(known.as_bytes()))
    };
    if let Some(host) = onward.host.as_ref().filter(|_| !set(b"host")) {
        wire::tame_field(out, b"Host", host);
    }
    for (name, value) in &onward.headers {
        let framing = is_one_of(&["content-length", "transfer-encoding"], name.as_bytes());
        if !value.is_empty() && !framing && !wire::field(out, name.as_bytes(), value) {
            return Err(UNWRITABLE);
        }
    }
    let upgrades = is_upgrade(transaction);
    if !set(b"connection") && !upgrades {
        out.extend_from_slice(b"Connection: close\r\n");
    }
    let ours = ["host", "content-length", "expect", "http2-settings"];
    let headers = &transaction.request.headers;
    for (name, value) in headers.pairs().filter(|_| onward.client_headers) {
        if is_one_of(&ours, name) || is_one_of(&HOP_BY_HOP, name) || set(name) {
            continue;
        }
        if !client_field(out, headers, name, value) {
            return Err(UNWRITABLE);
        }
    }
    Ok(())
}

/// What the client's `Connection` field names is for us alone.
fn named_by_connection(transaction: &Transaction) -> Vec<&[u8]> {
    let values = transaction.request.headers.values("connection");
    let options = values.flat_map(|value| value.split(|byte| *byte == b','));
    let named = options.map(<[u8]>::trim_ascii).filter(|option| {
        !option.eq_ignore_ascii_case(b"close") && !option.eq_ignore_ascii_case(b"keep-alive")
    });
    named.collect()
}

/// Who asked: the chain so far, if the one who wrote it is trusted, and the other end of the socket.
fn forwarded(out: &mut Vec<u8>, transaction: &Transaction) {
    let client = &transaction.client;
    let socket = client.socket.ip().to_canonical();
    out.extend_from_slice(b"X-Forwarded-For: ");
    if client.address != socket {
        for value in transaction.request.headers.values("x-forwarded-for") {
            out.extend(value.iter().filter(|byte| !byte.is_ascii_control()));
            out.extend_from_slice(b", ");
        }
    }
    wire::address(out, socket);
    out.extend_from_slice(b"\r\nX-Forwarded-Proto: ");
    out.extend_from_slice(if client.tls.is_some() { b"https\r\n" } else { b"http\r\n" });
}

/// The body's length as it is now, or an upgrade.
fn frame(out: &mut Vec<u8>, transaction: &Transaction) {
    if is_upgrade(transaction) {
        return out.extend_from_slice(b"Connection: Upgrade\r\nUpgrade: websocket\r\n");
    }
    // A method that usually has a body says that there is none.
    let usual = transaction.upstream.onward.is_none()
        && matches!(&transaction.request.method[..], b"POST" | b"PUT" | b"PATCH");
    let length = transaction.body.length().unwrap_or_default();
    if length > 0 || usual {
        wire::content_length(out, length);
    }
}

/// Whether the request asks for a WebSocket; no other upgrade is passed on.
pub(super) fn is_upgrade(transaction: &Transaction) -> bool {
    let headers = &transaction.request.headers;
    let wants = headers.get_str("upgrade").is_some_and(|to| to.eq_ignore_ascii_case("websocket"));
    wants
        && !transaction.is_subrequest
        && &transaction.request.method[..] == b"GET"
        && matches!(transaction.body, Body::Unread | Body::Empty)
}

pub(super) fn is_one_of(names: &[&str], name: &[u8]) -> bool {
    names.iter().any(|known| name.eq_ignore_ascii_case(known.as_bytes()))
}
