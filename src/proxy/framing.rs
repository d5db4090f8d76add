//! The head of an upstream's answer: what the client gets of it, and how it says where the body ends.
//!
//! Where the body ends is ours to say: no field of a script or of an upstream can say otherwise.

use super::downstream::Downstream;
use super::forward::is_one_of;
use super::{ordered, wire};
use crate::phases::Exchange;
use crate::transaction::{Header, Headers, Phase, Response, Transaction, Version};
use crate::upstream::{Connection, Framing, Head};

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

/// Whether no handler looks at the response, and no script staged anything for it.
pub(super) fn is_unseen(exchange: &Exchange) -> bool {
    let transaction = exchange.subject.transaction.borrow();
    let staged = transaction.reply.status != 0 || !transaction.reply.headers.is_empty();
    // A script that asked wants to see all of it.
    let introduces = exchange.plan().serving.server.is_some();
    !staged && !introduces && !transaction.is_subrequest && !exchange.plan().sees_responses()
}

/// Writes the head of an unseen response: the upstream's, without the fields that belong to one
/// connection. None if it cannot be written.
pub(super) fn pass(
    out: &mut Vec<u8>,
    (exchange, downstream): (&Exchange, &Downstream),
    connection: &Connection,
) -> Option<Framing> {
    let mut transaction = exchange.subject.transaction.borrow_mut();
    let head = connection.head();
    let (length, framing) = match connection.framing() {
        Framing::Chunked | Framing::UntilClose => (None, endless(&transaction)),
        Framing::Length(length) => (Some(length), Framing::Length(length)),
        Framing::Nothing => (length(head).filter(|_| head.status() != 204), Framing::Nothing),
    };
    if !wire::status_line(out, head.status(), head.reason()) {
        return None;
    }
    let passes = |name: &[u8]| {
        !is_one_of(&HOP_BY_HOP, name) && !is_one_of(&["content-length", "date"], name)
    };
    for (name, value) in head.iter().filter(|(name, _)| passes(name)) {
        wire::tame_field(out, name, value);
    }
    wire::end(out, (length, framing), downstream.goes_on(framing));
    transaction.response = Some(Response { status: head.status(), headers: Headers::default() });
    Some(framing)
}

/// How a body is sent whose length is not known before its end.
pub(super) fn endless(transaction: &Transaction) -> Framing {
    match transaction.request.version {
        Version::Http10 => Framing::UntilClose,
        Version::Http11 | Version::Http2 => Framing::Chunked,
    }
}

/// The upstream's head, with the fields that scripts staged before, becomes the response.
pub(super) fn take_head(exchange: &Exchange, connection: &Connection) {
    let mut transaction = exchange.subject.transaction.borrow_mut();
    let head = connection.head();
    let staged = std::mem::take(&mut transaction.reply.headers);
    let mut headers = Headers::with_capacity(head.len() + staged.len() + 2);
    let introduces = exchange.plan().serving.server.is_some();
    for (name, value) in head.shared() {
        let is_sites_own = introduces && is_one_of(&["date", "server", "x-pad"], &name);
        if !is_one_of(&HOP_BY_HOP, &name) && !is_sites_own {
            headers.append(name, value);
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
    ordered::introduce(exchange, &mut headers);
    transaction.response = Some(Response { status: head.status(), headers });
}

/// The upstream's head as it is becomes the response: an upgrade, which is all about the connection.
pub(super) fn take_all(exchange: &Exchange, connection: &Connection) {
    let mut headers = Headers::with_capacity(connection.head().len());
    for (name, value) in connection.head().shared() {
        headers.append(name, value);
    }
    let response = Response { status: connection.head().status(), headers };
    exchange.subject.transaction.borrow_mut().response = Some(response);
}

fn same(known: &Header, field: &Header) -> bool {
    known.name.eq_ignore_ascii_case(&field.name)
}

/// The status before another protocol.
pub(super) const SWITCHING: u16 = 101;

/// Whether an answer ends with this status: after an informational one the client would take the body
/// for the next answer.
pub(super) fn is_final(status: u16) -> bool {
    status >= 200
}

/// How long a response's body will be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Length {
    /// As the upstream said, if it did: its body passes unchanged.
    AsReceived(Option<u64>),
    /// This many bytes.
    Known(usize),
    /// Not known before its end.
    Unknown,
}

impl Length {
    /// The length of a body that passes unchanged.
    pub(super) fn of(connection: &Connection) -> Self {
        Self::AsReceived(length(connection.head()))
    }
}

/// What the upstream says of the length; beside chunks it says nothing.
fn length(head: &Head) -> Option<u64> {
    let chunked = head.get("transfer-encoding").is_some();
    // A length that is none was seen before, where it mattered.
    head.length().ok().flatten().filter(|_| !chunked)
}

/// Writes the head for the client, with the body's framing; none if it cannot be written.
pub(super) fn framed(
    out: &mut Vec<u8>,
    (exchange, downstream): (&Exchange, &Downstream),
    length: Length,
) -> Option<Framing> {
    let mut transaction = exchange.subject.transaction.borrow_mut();
    let endless = endless(&transaction);
    let to_head = &transaction.request.method[..] == b"HEAD";
    let for_script = transaction.is_subrequest;
    let switches = transaction
        .response
        .as_ref()
        .is_some_and(|response| response.status == SWITCHING && length == Length::Unknown);
    let response = transaction.response.as_mut();
    let response = response.filter(|response| switches || is_final(response.status))?;
    // A script may remove the length (as it must in nginx before it changes a body); a length of its
    // own making would let the next answer begin in the middle of this one.
    let told = response.headers.remove("content-length") > 0;
    response.headers.retain(|field| {
        (switches && is_one_of(&["upgrade"], &field.name)) || !is_one_of(&HOP_BY_HOP, &field.name)
    });
    let bodiless = to_head || switches || matches!(response.status, 204 | 304);
    let length = match length {
        Length::AsReceived(length) => length.filter(|_| told && response.status != 204),
        Length::Known(bytes) if !bodiless => Some(bytes as u64),
        Length::Known(_) | Length::Unknown => None,
    };
    let framing = match length {
        _ if bodiless => Framing::Nothing,
        Some(length) => Framing::Length(length),
        None => endless,
    };
    // What follows a switch is no HTTP, whoever speaks it.
    let framed = if switches { Framing::UntilClose } else { framing };
    let goes_on = downstream.goes_on(framed);
    if for_script {
        ordered::could_write(response)?;
    } else {
        ordered::write(out, exchange, response, (length, framing), goes_on)?;
    }
    if let Some(length) = length.filter(|_| for_script || exchange.has(Phase::Log)) {
        response.headers.set("Content-Length", length.to_string());
    }
    transaction.reply.is_chunked = framing == Framing::Chunked;
    Some(framing)
}
