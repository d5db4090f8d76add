//! What the upstream is sent: the request as it was judged, written anew.

use bytes::Bytes;
use pingora_http::RequestHeader;

use super::{Failure, wire};
use crate::config;
use crate::transaction::{Body, Header, Transaction};

const UNWRITABLE: Failure = Failure::ours(500, "proxy::request_not_writable");

/// Fields that belong to one connection, not to the request (RFC 9110, 7.6.1), and those that we
/// write ourselves.
const DROPPED: [&str; 11] = [
    "connection",
    "content-length",
    "expect",
    "http2-settings",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "x-forwarded-proto",
];

/// The head for the upstream.
pub(super) fn head(
    transaction: &Transaction,
    upstream: &config::Upstream,
) -> Result<Box<RequestHeader>, Failure> {
    let request = &transaction.request;
    let method = std::str::from_utf8(&request.method).map_err(|_| UNWRITABLE)?;
    let size = Some(request.headers.len() + 4);
    let target = request.target();
    let built = RequestHeader::build(method, &target, size).map_err(|_| UNWRITABLE)?;
    let mut head = Box::new(built);
    head.set_version(http::Version::HTTP_11);
    let named = named_by_connection(transaction);
    for field in &request.headers {
        let keep = !is_dropped(&field.name) && !named.iter().any(|name| name == &*field.name);
        if keep && !field.name.eq_ignore_ascii_case(b"x-forwarded-for") {
            append(&mut head, field.name.clone(), host_or(field, upstream))?;
        }
    }
    append(&mut head, "X-Forwarded-For", forwarded_for(transaction))?;
    append(&mut head, "X-Forwarded-Proto", if transaction.client.tls { "https" } else { "http" })?;
    frame(&mut head, transaction)?;
    Ok(head)
}

fn is_dropped(name: &[u8]) -> bool {
    DROPPED.iter().any(|dropped| name.eq_ignore_ascii_case(dropped.as_bytes()))
}

fn host_or(field: &Header, upstream: &config::Upstream) -> Bytes {
    match &upstream.host {
        Some(host) if field.name.eq_ignore_ascii_case(b"host") => host.clone().into(),
        _ => field.value.clone(),
    }
}

/// What the client's `Connection` field names is for us alone.
fn named_by_connection(transaction: &Transaction) -> Vec<Vec<u8>> {
    let values = transaction.request.headers.get_all("connection");
    let options = values.flat_map(|value| value.split(|byte| *byte == b','));
    let named = options.map(<[u8]>::trim_ascii).filter(|option| {
        !option.eq_ignore_ascii_case(b"close") && !option.eq_ignore_ascii_case(b"keep-alive")
    });
    named
        .flat_map(|name| {
            let fields = transaction.request.headers.iter();
            fields.filter(move |field| field.name.eq_ignore_ascii_case(name))
        })
        .map(|field| field.name.to_vec())
        .collect()
}

/// The chain so far, if the one who wrote it is trusted, and the other end of the socket.
fn forwarded_for(transaction: &Transaction) -> String {
    let client = &transaction.client;
    let socket = client.socket.ip().to_canonical();
    if client.address == socket {
        return socket.to_string();
    }
    let values = transaction.request.headers.get_all("x-forwarded-for");
    let chain: Vec<_> = values.map(|value| String::from_utf8_lossy(value)).collect();
    format!("{}, {socket}", chain.join(", "))
}

/// The body's length as it is now, or an upgrade.
fn frame(head: &mut RequestHeader, transaction: &Transaction) -> Result<(), Failure> {
    if is_upgrade(transaction) {
        append(head, "Connection", "Upgrade")?;
        return append(head, "Upgrade", "websocket");
    }
    match transaction.body.length() {
        None | Some(0) => {
            // A method that usually has a body says that there is none.
            if matches!(&transaction.request.method[..], b"POST" | b"PUT" | b"PATCH") {
                return append(head, "Content-Length", "0");
            }
            Ok(())
        }
        Some(length) => append(head, "Content-Length", length.to_string()),
    }
}

/// Whether the request asks for a WebSocket; no other upgrade is passed on.
pub(super) fn is_upgrade(transaction: &Transaction) -> bool {
    let headers = &transaction.request.headers;
    let wants = headers.get_str("upgrade").is_some_and(|to| to.eq_ignore_ascii_case("websocket"));
    wants
        && &transaction.request.method[..] == b"GET"
        && matches!(transaction.body, Body::Unread | Body::Empty)
}

fn append(
    head: &mut RequestHeader,
    name: impl Into<Bytes>,
    value: impl Into<Bytes>,
) -> Result<(), Failure> {
    head.append_header(name.into(), wire::value(value.into())).map(drop).map_err(|_| UNWRITABLE)
}
