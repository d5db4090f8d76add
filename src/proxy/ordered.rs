//! The head of a site's answer: its fields in nginx's order, which scripts and clients may count on.

use super::forward::is_one_of;
use super::framing::SWITCHING;
use super::{respond, wire};
use crate::phases::Exchange;
use crate::transaction::{Header, Headers, Response, reason};
use crate::upstream::Framing;

/// What comes first, in this order; the rest as it came.
const FIRST: [&str; 7] = [
    "server",
    "date",
    "content-type",
    "content-length",
    "last-modified",
    "location",
    "transfer-encoding",
];

/// Puts in what a site says of itself, so that handlers can change it.
pub(super) fn introduce(exchange: &Exchange, headers: &mut Headers) {
    let Some(server) = &exchange.plan().serving.server else { return };
    if !headers.contains("server") {
        headers.append("Server", server.clone());
    }
    if !headers.contains("date") {
        headers.append("Date", wire::now());
    }
}

/// Writes a head to its end: in nginx's order where its site introduces itself, else ours last. None if
/// it cannot be written.
pub(super) fn write(
    out: &mut Vec<u8>,
    exchange: &Exchange,
    response: &Response,
    end: (Option<u64>, Framing),
    goes_on: bool,
) -> Option<()> {
    if exchange.plan().serving.server.is_none() {
        respond::head(out, response, &respond::OURS)?;
        wire::end(out, end, goes_on);
        return Some(());
    }
    let mut sound = wire::status_line(out, response.status, reason(response.status).as_bytes());
    for name in FIRST {
        match (name, end) {
            ("content-length", (Some(length), _)) => wire::content_length(out, length),
            ("transfer-encoding", (None, Framing::Chunked)) => {
                out.extend_from_slice(b"Transfer-Encoding: chunked\r\n");
            }
            _ => {
                for field in response.headers.all(name) {
                    sound &= wire::field(out, &field.name, &field.value);
                }
            }
        }
    }
    let connection: &[u8] = match goes_on {
        _ if response.status == SWITCHING => b"Connection: upgrade\r\n",
        true => b"Connection: keep-alive\r\n",
        false => b"Connection: close\r\n",
    };
    out.extend_from_slice(connection);
    for field in &response.headers {
        if !is_one_of(&FIRST, &field.name) && !is(field, "connection") {
            sound &= wire::field(out, &field.name, &field.value);
        }
    }
    out.extend_from_slice(b"\r\n");
    if !sound {
        out.clear();
    }
    sound.then_some(())
}

fn is(field: &Header, name: &str) -> bool {
    field.name.eq_ignore_ascii_case(name.as_bytes())
}
