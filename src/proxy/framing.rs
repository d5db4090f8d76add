//! The head of an upstream's answer: what the client gets of it, and how it says where the body ends.
//!
//! Where the body ends is ours to say: no field of a script or of an upstream can say otherwise.

use bytes::Bytes;
use pingora_http::ResponseHeader;

use super::respond;
use crate::phases::Exchange;
use crate::transaction::{Header, Headers, Response, Version};
use crate::upstream::Connection;

/// Fields that belong to one connection (RFC 9110, 7.6.1).
pub(super) const HOP_BY_HOP: [&str; 7] = [
    "connection",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Fields of which there is one: what scripts stage before the upstream answers gives way to what it
/// says, as in nginx.
const SINGLE: [&str; 10] = [
    "accept-ranges",
    "content-encoding",
    "content-range",
    "content-type",
    "date",
    "etag",
    "expires",
    "last-modified",
    "location",
    "server",
];

/// The head as the client gets it, where no handler looks at responses and no script staged
/// anything: Pingora's own, without the fields that belong to one connection.
pub(super) fn unseen(exchange: &Exchange, connection: &Connection) -> Option<Box<ResponseHeader>> {
    let mut transaction = exchange.subject.transaction.borrow_mut();
    let staged = transaction.reply.status != 0 || !transaction.reply.headers.is_empty();
    if staged || exchange.plan().sees_responses() {
        return None;
    }
    let mut head = Box::new(connection.session.resp_header()?.clone());
    if head.headers.contains_key(http::header::TRANSFER_ENCODING) {
        // Its body was read in chunks: another length beside them is not its length.
        head.remove_header(&http::header::CONTENT_LENGTH);
    }
    for hop in HOP_BY_HOP {
        if head.headers.contains_key(hop) {
            head.remove_header(hop);
        }
    }
    let bodiless = matches!(head.status.as_u16(), 204 | 304);
    let sized = bodiless || head.headers.contains_key(http::header::CONTENT_LENGTH);
    let asks_head = &transaction.request.method[..] == b"HEAD";
    if !sized && !asks_head && transaction.request.version >= Version::Http11 {
        head.append_header("Transfer-Encoding", "chunked").ok()?;
    }
    let status = head.status.as_u16();
    transaction.response = Some(Response { status, headers: Headers::default() });
    Some(head)
}

/// The upstream's head, with the fields that scripts staged before, becomes the response.
pub(super) fn take_head(exchange: &Exchange, connection: &Connection) {
    let mut transaction = exchange.subject.transaction.borrow_mut();
    let Some(head) = connection.session.resp_header() else { return };
    let staged = std::mem::take(&mut transaction.reply.headers);
    let mut headers = Headers::with_capacity(head.headers.len() + staged.len() + 2);
    for (name, value) in head.case_header_iter() {
        let name = Bytes::copy_from_slice(name.as_slice());
        if !is_one_of(&HOP_BY_HOP, &name) {
            headers.append(name, Bytes::copy_from_slice(value.as_bytes()));
        }
    }
    let received = headers.len();
    for field in &staged {
        let given = headers.iter().take(received).any(|known| same(known, field));
        let framing = is_one_of(&["content-length"], &field.name);
        let doubled = given && is_one_of(&SINGLE, &field.name);
        if !framing && !doubled {
            headers.append(field.name.clone(), field.value.clone());
        }
    }
    transaction.response = Some(Response { status: head.status.as_u16(), headers });
}

fn same(known: &Header, field: &Header) -> bool {
    known.name.eq_ignore_ascii_case(&field.name)
}

fn is_one_of(names: &[&str], name: &[u8]) -> bool {
    names.iter().any(|known| name.eq_ignore_ascii_case(known.as_bytes()))
}

/// How long a response's body will be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Length {
    /// As the upstream said, if it did: its body passes unchanged.
    AsReceived(Option<Bytes>),
    /// This many bytes.
    Known(usize),
    /// Not known before its end.
    Unknown,
}

impl Length {
    /// The length of a body that passes unchanged.
    pub(super) fn of(connection: &Connection) -> Self {
        let head = connection.session.resp_header();
        let chunked = head.is_some_and(|head| head.headers.contains_key("transfer-encoding"));
        let length = head.and_then(|head| head.headers.get("content-length"));
        let length = length.map(|length| Bytes::copy_from_slice(length.as_bytes()));
        Self::AsReceived(length.filter(|_| !chunked))
    }
}

/// The head for the client, with the body's framing; none if it cannot be written.
pub(super) fn framed(exchange: &Exchange, length: Length) -> Option<Box<ResponseHeader>> {
    let mut transaction = exchange.subject.transaction.borrow_mut();
    let can_chunk = transaction.request.version >= Version::Http11;
    let to_head = &transaction.request.method[..] == b"HEAD";
    let response = transaction.response.as_mut()?;
    // A script may remove the length (as it must in nginx before it changes a body); a length of its
    // own making would let the next answer begin in the middle of this one.
    let told = response.headers.remove("content-length") > 0;
    response.headers.retain(|field| !is_one_of(&HOP_BY_HOP, &field.name));
    let bodiless = to_head || matches!(response.status, 204 | 304);
    let length = match length {
        Length::AsReceived(length) => length.filter(|_| told),
        Length::Known(bytes) if !bodiless => Some(bytes.to_string().into()),
        Length::Known(_) | Length::Unknown => None,
    };
    match length {
        Some(length) if response.status != 204 => response.headers.append("Content-Length", length),
        None if can_chunk && !bodiless => response.headers.append("Transfer-Encoding", "chunked"),
        Some(_) | None => {}
    }
    respond::head(response.status, &response.headers)
}
