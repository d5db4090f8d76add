//! A client's socket that gathers what is written and sends it at once.
//!
//! Pingora writes head, chunk sizes, chunks and the end apart, and flushes after each chunk; on a
//! socket that is a system call each, a third of what a small request costs. Under a [`Cork`]
//! writes and flushes wait, so that a whole small answer leaves in one call; without one, nothing
//! waits.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use async_trait::async_trait;
use bytes::{Buf as _, BytesMut};
use pingora_core::protocols::{
    GetProxyDigest, GetSocketDigest, GetTimingDigest, Peek, Shutdown, SocketDigest, Ssl,
    TimingDigest, UniqueID, UniqueIDType, raw_connect::ProxyDigest,
};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;

/// Bytes that are gathered at the most; more than that is sent, with what waits before it.
const GATHERED: usize = 32 << 10;

/// Whether flushes of one client's socket wait for more.
#[derive(Debug, Clone, Default)]
pub struct Cork(Arc<AtomicBool>);

/// A client's socket.
#[derive(Debug)]
pub struct ClientStream {
    socket: TcpStream,
    waiting: BytesMut,
    cork: Cork,
}

impl Cork {
    /// Whether flushes wait from now on. What waits is sent with the next flush that does not.
    pub(super) fn set(&self, holds: bool) {
        self.0.store(holds, Ordering::Relaxed);
    }

    fn holds(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl ClientStream {
    /// Takes over a socket.
    pub fn new(socket: TcpStream) -> (Self, Cork) {
        let cork = Cork::default();
        (Self { socket, waiting: BytesMut::new(), cork: cork.clone() }, cork)
    }

    /// Sends what waits and then as much of `slices` as the socket takes, in one call if it can be.
    fn poll_send_with(
        &mut self,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        while !self.waiting.is_empty() {
            let mut all = Vec::with_capacity(slices.len() + 1);
            all.push(IoSlice::new(&self.waiting));
            all.extend_from_slice(slices);
            let sent = ready!(Pin::new(&mut self.socket).poll_write_vectored(context, &all))?;
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            let waited = sent.min(self.waiting.len());
            self.waiting.advance(waited);
            if sent > waited {
                return Poll::Ready(Ok(sent - waited));
            }
        }
        Pin::new(&mut self.socket).poll_write_vectored(context, slices)
    }

    /// Sends what waits.
    fn poll_send(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.waiting.is_empty() {
            let sent = ready!(Pin::new(&mut self.socket).poll_write(context, &self.waiting))?;
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.waiting.advance(sent);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for ClientStream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(context, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let length = slices.iter().map(|slice| slice.len()).sum();
        if self.cork.holds() && self.waiting.len() + length <= GATHERED {
            self.waiting.reserve(length);
            for slice in slices {
                self.waiting.extend_from_slice(slice);
            }
            return Poll::Ready(Ok(length));
        }
        self.poll_send_with(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.cork.holds() { Poll::Ready(Ok(())) } else { self.poll_send(context) }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_send(context))?;
        Pin::new(&mut self.socket).poll_shutdown(context)
    }
}

impl AsyncRead for ClientStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_read(context, bytes)
    }
}

#[async_trait]
impl Shutdown for ClientStream {
    async fn shutdown(&mut self) {
        // The client may be gone already; there is nobody to tell.
        let _ = AsyncWriteExt::shutdown(&mut *self).await;
    }
}

impl UniqueID for ClientStream {
    fn id(&self) -> UniqueIDType {
        use std::os::fd::AsRawFd as _;
        self.socket.as_raw_fd()
    }
}

impl Ssl for ClientStream {}

#[async_trait]
impl Peek for ClientStream {}

impl GetTimingDigest for ClientStream {
    fn get_timing_digest(&self) -> Vec<Option<TimingDigest>> {
        Vec::new()
    }
}

impl GetProxyDigest for ClientStream {
    fn get_proxy_digest(&self) -> Option<Arc<ProxyDigest>> {
        None
    }

    fn set_proxy_digest(&mut self, _digest: ProxyDigest) {}
}

impl GetSocketDigest for ClientStream {
    fn get_socket_digest(&self) -> Option<Arc<SocketDigest>> {
        None
    }

    fn set_socket_digest(&mut self, _socket_digest: SocketDigest) {}
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt as _;
    use tokio::net::TcpListener;

    use super::*;

    async fn pair() -> (ClientStream, Cork, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (socket, _) = listener.accept().await.unwrap();
        let (stream, cork) = ClientStream::new(socket);
        (stream, cork, client)
    }

    #[tokio::test]
    async fn under_a_cork_nothing_leaves_before_its_release() {
        let (mut stream, cork, mut client) = pair().await;
        cork.set(true);
        stream.write_all(b"head ").await.unwrap();
        stream.flush().await.unwrap();
        stream.write_all(b"body").await.unwrap();
        assert!(client.try_read(&mut [0; 16]).is_err(), "something left");
        cork.set(false);
        stream.flush().await.unwrap();
        let mut bytes = [0; 9];
        client.read_exact(&mut bytes).await.unwrap();
        assert_eq!(&bytes, b"head body");
    }

    #[tokio::test]
    async fn without_a_cork_nothing_waits_for_a_flush() {
        let (mut stream, cork, mut client) = pair().await;
        cork.set(true);
        stream.write_all(b"head ").await.unwrap();
        cork.set(false);
        stream.write_all(b"body").await.unwrap();
        let mut bytes = [0; 9];
        client.read_exact(&mut bytes).await.unwrap();
        assert_eq!(&bytes, b"head body");
    }

    #[tokio::test]
    async fn more_than_is_gathered_leaves_in_its_order() {
        let (mut stream, cork, mut client) = pair().await;
        cork.set(true);
        let long: Vec<u8> = (0..3 * GATHERED).map(|index| index as u8).collect();
        let sent = [&b"head"[..], &long, b"tail"].concat();
        let writing = async {
            for part in [&b"head"[..], &long, b"tail"] {
                stream.write_all(part).await.unwrap();
            }
            cork.set(false);
            stream.flush().await.unwrap();
        };
        let mut seen = vec![0; sent.len()];
        let reading = client.read_exact(&mut seen);
        let ((), read) = tokio::join!(writing, reading);
        read.unwrap();
        assert!(seen == sent);
    }
}
