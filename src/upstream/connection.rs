//! A connection to a peer: a request out, its response in.
//!
//! Heads are written and read here. A body in chunks is read by Pingora's session, to which the
//! response is given from its first byte.

use std::io::{self, IoSlice};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use pingora_core::protocols::http::v1::client::HttpSession;
use pingora_error::{Error, ErrorType, OrErr, Result};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use super::head::{Framing, Head};
use super::idle::Idle;
use super::peer::Peer;
use super::stream::Stream;
use super::{Group, Lease, UpstreamError};
use crate::shared::within;
use crate::transaction::PeerAddress;

/// Room for a head and a small body.
const ROOM: usize = 4096;
/// Bytes of a body that are read at once.
const PIECE: usize = 64 << 10;

/// A connection to a peer.
pub struct Connection {
    /// Whether it has served a request before: then the peer may have closed it just as the next
    /// one was sent, which says nothing against the peer.
    pub reused: bool,
    /// Where it goes.
    pub address: PeerAddress,
    /// Whether it was made from an address that the request wants: it serves no other.
    bound: bool,
    group: Arc<Group>,
    peer: Arc<Peer>,
    wire: Wire,
    /// Bytes that were read and are not used yet.
    unread: BytesMut,
    head: Head,
    body: Framing,
}

/// Who reads and writes.
enum Wire {
    /// Nobody any more.
    Lost,
    Ours(Box<Stream>),
    /// Pingora, until a body in chunks, or one without a length, was read.
    Pingora(Box<HttpSession>),
}

/// What of a request decides how its response is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// Nothing of it.
    Anything,
    /// `HEAD`: the response has no body.
    Head,
    /// A WebSocket.
    Upgrade,
}

impl Connection {
    pub(super) fn new(lease: &Lease, stream: Box<Stream>, address: PeerAddress) -> Self {
        Self::of(lease, Idle::fresh(stream, address))
    }

    /// A connection from one that waited.
    pub(super) fn of(lease: &Lease, idle: Idle) -> Self {
        let Idle { stream, address, unread, head, served, .. } = idle;
        let (group, peer) = (Arc::clone(lease.group()), Arc::clone(lease.peer()));
        let (wire, body) = (Wire::Ours(stream), Framing::Nothing);
        let bound = lease.local().is_some();
        Self { reused: served, address, bound, group, peer, wire, unread, head, body }
    }

    /// What an error on it means.
    pub fn error(&self, source: Box<Error>) -> UpstreamError {
        UpstreamError::of_session(&self.group, source)
    }

    /// The settings of the upstream that its peer is of.
    pub fn config(&self) -> &crate::config::Upstream {
        self.group.config()
    }

    pub(super) fn group(&self) -> &Arc<Group> {
        &self.group
    }

    pub(super) fn peer(&self) -> &Arc<Peer> {
        &self.peer
    }

    /// The head of the response.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// How the body of the response is framed.
    pub fn framing(&self) -> Framing {
        self.body
    }

    /// Sends bytes of a request, in one call if it can be.
    ///
    /// # Errors
    /// If the peer stopped reading, or reads too slowly.
    pub async fn send(&mut self, head: &[u8], body: &[u8]) -> Result<()> {
        // Until its response is read to the end, the connection serves nobody else.
        self.body = Framing::UntilClose;
        let limit = self.group.config().timeouts.write;
        let stream = self.stream()?;
        let mut slices = [IoSlice::new(head), IoSlice::new(body)];
        let mut rest = &mut slices[..];
        IoSlice::advance_slices(&mut rest, 0);
        while !rest.is_empty() {
            let written = timed_write(limit, stream.write_vectored(rest)).await?;
            if written == 0 {
                return Error::e_explain(ErrorType::WriteError, "nothing could be written");
            }
            IoSlice::advance_slices(&mut rest, written);
        }
        timed_write(limit, stream.flush()).await
    }

    /// Reads the head of the response; what is informational ends here. True: an upgrade.
    ///
    /// # Errors
    /// If the peer closed the connection, is too slow, or does not speak HTTP.
    pub async fn hear(&mut self, asked: Asked) -> Result<bool> {
        loop {
            self.read_head().await?;
            match self.head.status() {
                101 if asked == Asked::Upgrade && self.head.get("upgrade").is_some() => {
                    self.body = Framing::UntilClose;
                    return Ok(true);
                }
                // Nobody asked for it: what follows would pass as a tunnel that no rule looks into.
                101 => return Error::e_explain(ErrorType::InvalidHTTPHeader, "an upgrade unasked"),
                0..200 => {}
                _ => break,
            }
        }
        self.body = self.head.framing(asked == Asked::Head)?;
        if matches!(self.body, Framing::Chunked | Framing::UntilClose) {
            self.give_to_pingora().await?;
        }
        Ok(false)
    }

    async fn read_head(&mut self) -> Result<()> {
        while self.unread.is_empty() || !self.head.take(&mut self.unread)? {
            self.unread.reserve(ROOM);
            if self.read_more().await? == 0 {
                return Error::e_explain(ErrorType::ConnectionClosed, "before a whole head");
            }
        }
        Ok(())
    }

    async fn read_more(&mut self) -> Result<usize> {
        let limit = self.group.config().timeouts.read;
        let Wire::Ours(stream) = &mut self.wire else { return lost() };
        match within(limit, stream.read_buf(&mut self.unread)).await {
            Ok(read) => read.or_err(ErrorType::ReadError, "while reading a response"),
            Err(_) => Error::e_explain(ErrorType::ReadTimedout, "while reading a response"),
        }
    }

    /// Puts back what was read, so that Pingora reads the response from its first byte.
    async fn give_to_pingora(&mut self) -> Result<()> {
        let Wire::Ours(mut stream) = std::mem::replace(&mut self.wire, Wire::Lost) else {
            return lost();
        };
        let mut read = BytesMut::from(self.head.bytes());
        read.extend_from_slice(&self.unread);
        self.unread.clear();
        stream.rewind(read);
        let mut session = Box::new(HttpSession::new(stream));
        session.read_timeout = Some(self.group.config().timeouts.read);
        session.read_response().await?;
        self.wire = Wire::Pingora(session);
        Ok(())
    }

    /// The next bytes of the body; none at its end.
    ///
    /// # Errors
    /// If the peer broke off, or is too slow.
    pub async fn body(&mut self) -> Result<Option<Bytes>> {
        if let Wire::Pingora(session) = &mut self.wire {
            return session.read_body_bytes().await;
        }
        let limit = self.group.config().timeouts.read;
        let read = within(limit, std::future::poll_fn(|context| self.poll_sized(context))).await;
        read.unwrap_or_else(|_| Error::e_explain(ErrorType::ReadTimedout, "while reading a body"))
    }

    /// The next bytes of the body, if they are there already.
    pub async fn body_at_once(&mut self) -> Option<Result<Option<Bytes>>> {
        let polled = if let Wire::Pingora(session) = &mut self.wire {
            // Pingora's reads are safe to give up.
            let mut read = pin!(session.read_body_bytes());
            std::future::poll_fn(|context| Poll::Ready(read.as_mut().poll(context))).await
        } else {
            std::future::poll_fn(|context| Poll::Ready(self.poll_sized(context))).await
        };
        match polled {
            Poll::Ready(read) => Some(read),
            Poll::Pending => None,
        }
    }

    /// A body whose length is known, or none.
    fn poll_sized(&mut self, context: &mut Context<'_>) -> Poll<Result<Option<Bytes>>> {
        let Framing::Length(left @ 1..) = self.body else { return Poll::Ready(Ok(None)) };
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(PIECE);
        if self.unread.is_empty() {
            let Wire::Ours(stream) = &mut self.wire else { return Poll::Ready(lost()) };
            self.unread.reserve(most);
            let read = ready!(pin!(stream.read_buf(&mut self.unread)).poll(context));
            if read.or_err(ErrorType::ReadError, "while reading a body")? == 0 {
                let early = Error::e_explain(ErrorType::ConnectionClosed, "before a body's end");
                return Poll::Ready(early);
            }
        }
        let bytes = self.unread.split_to(most.min(self.unread.len())).freeze();
        self.body = Framing::Length(left - bytes.len() as u64);
        Poll::Ready(Ok(Some(bytes)))
    }

    fn stream(&mut self) -> Result<&mut Stream> {
        match &mut self.wire {
            Wire::Ours(stream) => Ok(stream),
            Wire::Lost | Wire::Pingora(_) => lost(),
        }
    }

    /// After an upgrade: the stream, and bytes that came after the head.
    pub fn into_tunnel(self) -> Option<(impl AsyncRead + AsyncWrite + Unpin, BytesMut)> {
        let Self { wire: Wire::Ours(stream), unread, .. } = self else { return None };
        Some((stream, unread))
    }

    /// Ready for the next request, if the response was read to its end and both sides keep the
    /// connection alive; else it is closed.
    pub(super) async fn rest(self) -> Option<Idle> {
        if self.bound {
            return None;
        }
        let time = self.group.config().keepalive_time.min(kept_by_peer(&self.head));
        let stream = match self.wire {
            Wire::Ours(stream) => {
                let ended = matches!(self.body, Framing::Nothing | Framing::Length(0));
                let clean = ended && self.unread.is_empty() && self.head.keeps_alive();
                clean.then_some(stream)?
            }
            Wire::Pingora(mut session) => {
                session.respect_keepalive();
                // Dropped here: Pingora's own end would wait for the peer to read what is left.
                if !session.will_keepalive() || !self.head.keeps_alive() {
                    return None;
                }
                session.reuse().await?.into_any().downcast().ok()?
            }
            Wire::Lost => return None,
        };
        let tls = self.group.tls().cloned();
        Some(Idle::after(stream, (self.address, tls), (self.unread, self.head), time))
    }
}

fn lost<T>() -> Result<T> {
    Error::e_explain(ErrorType::ReadError, "on a connection that is gone")
}

async fn timed_write<T>(limit: Duration, write: impl Future<Output = io::Result<T>>) -> Result<T> {
    match within(limit, write).await {
        Ok(written) => written.or_err(ErrorType::WriteError, "while sending a request"),
        Err(_) => Error::e_explain(ErrorType::WriteTimedout, "while sending a request"),
    }
}

/// How long the peer said that it keeps the connection (`Keep-Alive: timeout=5`), less a second,
/// so that a request does not cross its end on the way.
fn kept_by_peer(head: &Head) -> Duration {
    let field = str::from_utf8(head.get("keep-alive").unwrap_or_default()).unwrap_or_default();
    let seconds = field.split(',').find_map(|part| {
        let (name, value) = part.split_once('=')?;
        name.trim().eq_ignore_ascii_case("timeout").then(|| value.trim().parse::<u32>().ok())?
    });
    seconds.map_or(Duration::MAX, |seconds| Duration::from_secs(seconds.saturating_sub(1).into()))
}
