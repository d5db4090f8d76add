//! An upstream's body in pieces: what is there at once comes together, what has to be waited for
//! does not hold it up.
//!
//! A body of a few reads so costs its client one write, and its `body_filter` handlers one call.

use bytes::{Bytes, BytesMut};

use crate::upstream::Connection;

/// Bytes that come together at the most.
const TOGETHER: usize = 64 << 10;

/// What reading a body gives: a chunk, its end, or that it broke.
type Chunk = pingora_error::Result<Option<Bytes>>;

/// A piece of a body.
pub(super) struct Piece {
    /// May be empty.
    pub(super) bytes: Bytes,
    /// Whether the body ends with it.
    pub(super) last: bool,
}

/// The pieces of one body.
pub(super) struct Pieces {
    /// A piece that was held back until now.
    held: Option<Piece>,
    /// A chunk that was read already.
    ahead: Option<Chunk>,
}

impl Pieces {
    /// Looks whether something is there already.
    pub(super) async fn begin(connection: &mut Connection) -> Self {
        Self { held: None, ahead: connection.body_at_once().await }
    }

    /// The same, with a piece that comes before all others.
    pub(super) fn after(self, held: Piece) -> Self {
        Self { held: Some(held), ..self }
    }

    /// Whether the next piece is there already.
    pub(super) fn is_there(&self) -> bool {
        self.held.is_some() || self.ahead.is_some()
    }

    /// The next piece.
    pub(super) async fn next(
        &mut self,
        connection: &mut Connection,
    ) -> pingora_error::Result<Piece> {
        if let Some(held) = self.held.take() {
            return Ok(held);
        }
        let chunk = match self.ahead.take() {
            Some(chunk) => chunk?,
            None => connection.body().await?,
        };
        let Some(first) = chunk else { return Ok(Piece { bytes: Bytes::new(), last: true }) };
        self.gather(connection, first).await
    }

    async fn gather(
        &mut self,
        connection: &mut Connection,
        first: Bytes,
    ) -> pingora_error::Result<Piece> {
        let mut bytes = first;
        loop {
            match connection.body_at_once().await {
                Some(Ok(None)) => return Ok(Piece { bytes, last: true }),
                Some(Ok(Some(more))) if bytes.len() + more.len() <= TOGETHER => {
                    bytes = join(bytes, &more);
                }
                ahead => {
                    self.ahead = ahead;
                    return Ok(Piece { bytes, last: false });
                }
            }
        }
    }
}

fn join(bytes: Bytes, more: &[u8]) -> Bytes {
    let mut joined = bytes.try_into_mut().unwrap_or_else(|bytes| BytesMut::from(&bytes[..]));
    joined.extend_from_slice(more);
    joined.freeze()
}
