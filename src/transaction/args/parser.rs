//! The machine for a body of any format.

use super::{Limits, Parsed};

/// How a body is read: SecLang's body processors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// `JSON`
    Json,
    /// `MULTIPART`
    Multipart,
    /// `RAW`: nothing is read out of it.
    Raw,
    /// `URLENCODED`
    UrlEncoded,
    /// `XML`
    Xml,
}

/// Reads a body piece by piece.
#[derive(Debug)]
pub struct Parser {}

impl Parser {
    /// A parser at a body's beginning. `content_type` is the whole header field (a multipart body's
    /// boundary is in it).
    pub fn new(format: Format, content_type: &[u8], limits: Limits) -> Self {
        let _ = (format, content_type, limits);
        Self {}
    }

    /// The next piece. What comes after an error is ignored.
    pub fn feed(&mut self, piece: &[u8]) {
        let _ = piece;
    }

    /// The body is over.
    pub fn finish(self) -> Parsed {
        Parsed::default()
    }
}
