//! The response head, and what scripts stage before there is one.

use bytes::{Bytes, BytesMut};

use super::Headers;

/// A response head as it will be sent.
#[derive(Debug, Clone)]
pub struct Response {
    /// 100 to 999.
    pub status: u16,
    /// As received and as changed since.
    pub headers: Headers,
}

/// What scripts stage for the client before there is a response.
#[derive(Debug, Default)]
pub struct Reply {
    /// `ngx.status`; 0 until a script sets it.
    pub status: u16,
    /// `ngx.header`. They are added to the upstream's answer too, as in OpenResty.
    pub headers: Headers,
    /// `ngx.say` and `ngx.print`.
    pub body: BytesMut,
    /// Whether a script said anything (an empty body counts).
    pub said: bool,
    /// Whether something was said that cannot be taken back: status and fields are as they are.
    pub is_locked: bool,
    /// Whether nothing more of it can be sent: the client is gone.
    pub is_broken: bool,
    /// Bytes of the body that left already.
    pub sent: usize,
    /// Whether a script ended its answer (`ngx.eof`).
    pub ended: bool,
    /// Whether a script took the type away that an answer would have by itself.
    pub is_untyped: bool,
    /// Whether its body is sent in chunks, once that is known.
    pub is_chunked: bool,
    /// Where the pieces of the staged body end that were said one by one; see [`Manner::pieces`].
    pub pieces: Vec<usize>,
    /// Whether a script took the connection, and answers by itself.
    pub is_raw: bool,
}

/// How a route wants what scripts answer to be treated.
#[derive(Debug, Clone, Copy, Default)]
pub struct Manner {
    /// Whether filters of the body see each piece as it was said, and the end on its own.
    pub pieces: bool,
    /// Whether `_` stays in the names of response fields.
    pub keeps_underscores: bool,
    /// Whether an answer to HTTP/1.0 may leave before it is whole.
    pub streams_http10: bool,
}

/// Pieces that are told apart at the most; what is said after them is one.
const PIECES: usize = 4096;

impl Reply {
    /// The staged body, which is then no longer staged.
    pub fn take_body(&mut self) -> Bytes {
        self.said = false;
        std::mem::take(&mut self.body).freeze()
    }

    /// What is staged is dropped.
    pub fn drop_body(&mut self) {
        self.pieces.clear();
        drop(self.take_body());
    }

    /// A piece of the body ends here; with `joined`, it is one with those before it.
    pub fn end_piece(&mut self, joined: bool) {
        if joined || self.pieces.len() >= PIECES {
            self.pieces.pop();
        }
        self.pieces.push(self.body.len());
    }
}

/// The standard words for a status.
pub fn reason(status: u16) -> &'static str {
    http::StatusCode::from_u16(status)
        .ok()
        .and_then(|status| status.canonical_reason())
        .unwrap_or("Unknown")
}
