//! An upstream's body under the eyes of the rules, before its first byte is sent on.

use bytes::{Bytes, BytesMut};

use super::pieces::{Piece, Pieces};
use crate::phases::{self, Exchange, Flow, HeldBody};
use crate::upstream::Connection;

/// Holds as much of the body as the rules want to see and has them judge it. The pieces, if they
/// were begun, bring what was held first, unchanged.
pub(super) async fn judge(
    exchange: &Exchange,
    connection: &mut Connection,
) -> pingora_error::Result<(Flow, Option<Pieces>)> {
    let Some(limit) = phases::response_limit(exchange) else {
        return Ok((phases::response_body(exchange, None).await, None));
    };
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut pieces = Pieces::begin(connection).await;
    let held = hold(&mut pieces, connection, limit).await?;
    let encoding = encoding(connection);
    let body = HeldBody { bytes: &held.bytes, ended: held.last, encoding: encoding.as_deref() };
    let flow = phases::response_body(exchange, Some(body)).await;
    Ok((flow, Some(pieces.after(held))))
}

/// The whole body, or a beginning that is longer than the limit.
async fn hold(
    pieces: &mut Pieces,
    connection: &mut Connection,
    limit: usize,
) -> pingora_error::Result<Piece> {
    let mut held = pieces.next(connection).await?;
    while !held.last && held.bytes.len() <= limit {
        let next = pieces.next(connection).await?;
        held = Piece { bytes: join(held.bytes, next.bytes), last: next.last };
    }
    Ok(held)
}

fn join(before: Bytes, after: Bytes) -> Bytes {
    if before.is_empty() {
        return after;
    }
    let mut joined = before.try_into_mut().unwrap_or_else(|bytes| BytesMut::from(&bytes[..]));
    joined.extend_from_slice(&after);
    joined.freeze()
}

/// How the upstream says that it encoded the body, whatever scripts made of that.
fn encoding(connection: &Connection) -> Option<Vec<u8>> {
    let values: Vec<&[u8]> = connection.head().get_all("content-encoding").collect();
    (!values.is_empty()).then(|| values.join(&b", "[..]))
}
