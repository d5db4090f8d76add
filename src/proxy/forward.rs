//! What the upstream is sent: the request as it was judged, written anew.

use bytes::Bytes;
use pingora_http::RequestHeader;

use super::framing::HOP_BY_HOP;
use super::head::encoded;
use super::{Failure, wire};
use crate::config;
use crate::transaction::{Body, Transaction};

const UNWRITABLE: Failure = Failure::ours(500, "proxy::request_not_writable");

/// Fields that end here or that we write ourselves, besides those of one connection.
const OURS: [&str; 5] =
    ["content-length", "expect", "http2-settings", "x-forwarded-for", "x-forwarded-proto"];

/// The head for the upstream. Where no script changed a field, it begins as Pingora's own reading of
/// the same bytes (the guard lets no head pass that could be read otherwise), which saves building
/// it anew.
pub(super) fn head(
    transaction: &Transaction,
    upstream: &config::Upstream,
    received: &RequestHeader,
) -> Result<Box<RequestHeader>, Failure> {
    let mut head = if transaction.request.headers.changed() {
        rebuilt(transaction)?
    } else {
        Box::new(received.clone())
    };
    let method = http::Method::from_bytes(&transaction.request.method).map_err(|_| UNWRITABLE)?;
    head.set_method(method);
    head.set_raw_path(&encoded(&transaction.request.target())).map_err(|_| UNWRITABLE)?;
    head.set_version(http::Version::HTTP_11);
    trim(&mut head, transaction);
    if let Some(host) = &upstream.host {
        head.insert_header("Host", host.as_str()).map_err(|_| UNWRITABLE)?;
    }
    append(&mut head, "X-Forwarded-For", forwarded_for(transaction))?;
    append(&mut head, "X-Forwarded-Proto", if transaction.client.tls { "https" } else { "http" })?;
    frame(&mut head, transaction)?;
    Ok(head)
}

fn rebuilt(transaction: &Transaction) -> Result<Box<RequestHeader>, Failure> {
    let fields = &transaction.request.headers;
    let built = RequestHeader::build("GET", b"/", Some(fields.len() + 4));
    let mut head = Box::new(built.map_err(|_| UNWRITABLE)?);
    for field in fields {
        append(&mut head, field.name.clone(), field.value.clone())?;
    }
    Ok(head)
}

/// Takes out what is not for the upstream.
fn trim(head: &mut RequestHeader, transaction: &Transaction) {
    for name in named_by_connection(transaction) {
        head.remove_header(name.as_str());
    }
    for name in HOP_BY_HOP.into_iter().chain(OURS) {
        if head.headers.contains_key(name) {
            head.remove_header(name);
        }
    }
}

/// What the client's `Connection` field names is for us alone.
fn named_by_connection(transaction: &Transaction) -> Vec<String> {
    let values = transaction.request.headers.get_all("connection");
    let options = values.flat_map(|value| value.split(|byte| *byte == b','));
    let named = options.map(<[u8]>::trim_ascii).filter(|option| {
        !option.eq_ignore_ascii_case(b"close") && !option.eq_ignore_ascii_case(b"keep-alive")
    });
    named.map(|name| String::from_utf8_lossy(name).to_ascii_lowercase()).collect()
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
