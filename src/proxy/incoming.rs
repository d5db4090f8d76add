//! A request's body as it arrives.
//!
//! A body in chunks is read by Pingora's session: it gets a head of ours that says just that, for the
//! client's own was read and judged already.

use bytes::{Bytes, BytesMut};
use pingora_core::protocols::http::ServerSession;

use super::lent::Lent;
use super::{ClientStream, Failure};

/// What Pingora needs to know of a request to read its body.
const CHUNKED: &[u8] = b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
const MALFORMED: Failure = Failure::theirs(400, "body::malformed");

/// A request's body as it arrives.
pub(super) enum Incoming<'a> {
    /// In chunks.
    Chunked(Chunked<'a>),
    /// So many bytes are still to come.
    Sized { client: &'a mut ClientStream, left: u64 },
}

impl<'a> Incoming<'a> {
    /// A body in chunks.
    pub(super) async fn chunked(client: &'a mut ClientStream) -> Result<Self, Failure> {
        Chunked::begin(client).await.map(Self::Chunked)
    }

    /// A body of so many bytes.
    pub(super) fn sized(client: &'a mut ClientStream, length: u64) -> Self {
        Self::Sized { client, left: length }
    }

    /// The next bytes; none at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, Failure> {
        let (client, left) = match self {
            Self::Chunked(chunked) => return chunked.next().await,
            Self::Sized { client, left } => (client, left),
        };
        let most = usize::try_from(*left).unwrap_or(usize::MAX);
        if most == 0 {
            return Ok(None);
        }
        if client.unread.is_empty() && client.read(most).await.unwrap_or(0) == 0 {
            return Err(MALFORMED);
        }
        let bytes = client.unread.split_to(most.min(client.unread.len())).freeze();
        *left -= bytes.len() as u64;
        client.body_read += bytes.len() as u64;
        Ok(Some(bytes))
    }
}

/// A body in chunks, and who reads it. The client's socket is back when it is dropped.
pub(super) struct Chunked<'a> {
    /// None once the end was read.
    session: Option<Box<ServerSession>>,
    lent: Lent,
    client: &'a mut ClientStream,
}

impl<'a> Chunked<'a> {
    async fn begin(client: &'a mut ClientStream) -> Result<Self, Failure> {
        let lent = Lent::new(client.take().ok_or(MALFORMED)?);
        let mut session = Box::new(ServerSession::new_http1(Box::new(lent.clone())));
        let mut read = BytesMut::from(CHUNKED);
        read.extend_from_slice(&std::mem::take(&mut client.unread));
        session.set_pipelining_enabled(true);
        session.set_pipelined_prefix(read);
        // The whole body has its time; see `hold`.
        session.set_read_timeout(None);
        let begun = session.read_request().await;
        let chunked = Self { session: Some(session), lent, client };
        if matches!(begun, Ok(true)) { Ok(chunked) } else { Err(MALFORMED) }
    }

    async fn next(&mut self) -> Result<Option<Bytes>, Failure> {
        let Some(session) = &mut self.session else { return Ok(None) };
        let bytes = session.read_request_body().await.map_err(|_| MALFORMED)?;
        match &bytes {
            Some(bytes) => self.client.body_read += bytes.len() as u64,
            None => self.end().await?,
        }
        Ok(bytes)
    }

    /// What was read beyond the end is the next request's.
    async fn end(&mut self) -> Result<(), Failure> {
        let Some(session) = self.session.take() else { return Ok(()) };
        let rest = session.finish().await.map_err(|_| MALFORMED)?.ok_or(MALFORMED)?;
        self.client.unread = rest.into_parts().1.unwrap_or_default();
        Ok(())
    }
}

impl Drop for Chunked<'_> {
    fn drop(&mut self) {
        self.session = None;
        self.client.give_back(self.lent.back());
    }
}
