//! What bytes to and from a peer go through: TCP, a Unix socket, or TLS over either.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use async_trait::async_trait;
use bytes::{Buf as _, BytesMut};
use pingora_core::protocols::l4::stream::Stream as Plain;
use pingora_core::protocols::{
    GetProxyDigest, GetSocketDigest, GetTimingDigest, Peek, Shutdown, SocketDigest, Ssl,
    TimingDigest, UniqueID, UniqueIDType, raw_connect::ProxyDigest,
};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio_rustls::client::TlsStream;

/// A stream to a peer.
#[derive(Debug)]
pub struct Stream {
    way: Way,
    /// Bytes that were read, and are to be read again first.
    again: BytesMut,
}

#[derive(Debug)]
enum Way {
    Plain(Box<Plain>),
    Tls(Box<TlsStream<Box<Plain>>>),
}

impl Stream {
    pub(super) fn plain(stream: Box<Plain>) -> Self {
        Self { way: Way::Plain(stream), again: BytesMut::new() }
    }

    pub(super) fn tls(stream: TlsStream<Box<Plain>>) -> Self {
        Self { way: Way::Tls(Box::new(stream)), again: BytesMut::new() }
    }

    /// Puts bytes back that were read, before what comes.
    pub(super) fn rewind(&mut self, bytes: BytesMut) {
        self.again = bytes;
    }

    fn below(&self) -> &Plain {
        match &self.way {
            Way::Plain(plain) => plain,
            Way::Tls(tls) => tls.get_ref().0,
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Self { way, again } = self.get_mut();
        if !again.is_empty() {
            let length = again.len().min(bytes.remaining());
            bytes.put_slice(again.get(..length).unwrap_or_default());
            again.advance(length);
            return Poll::Ready(Ok(()));
        }
        match way {
            Way::Plain(plain) => Pin::new(plain).poll_read(context, bytes),
            Way::Tls(tls) => Pin::new(tls).poll_read(context, bytes),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().way {
            Way::Plain(plain) => Pin::new(plain).poll_write(context, bytes),
            Way::Tls(tls) => Pin::new(tls).poll_write(context, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().way {
            Way::Plain(plain) => Pin::new(plain).poll_write_vectored(context, slices),
            Way::Tls(tls) => Pin::new(tls).poll_write_vectored(context, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match &self.way {
            Way::Plain(plain) => plain.is_write_vectored(),
            Way::Tls(tls) => tls.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().way {
            Way::Plain(plain) => Pin::new(plain).poll_flush(context),
            Way::Tls(tls) => Pin::new(tls).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().way {
            Way::Plain(plain) => Pin::new(plain).poll_shutdown(context),
            Way::Tls(tls) => Pin::new(tls).poll_shutdown(context),
        }
    }
}

#[async_trait]
impl Shutdown for Stream {
    async fn shutdown(&mut self) {
        match &mut self.way {
            Way::Plain(plain) => Shutdown::shutdown(&mut **plain).await,
            // The peer may be gone already.
            Way::Tls(tls) => drop(tls.shutdown().await),
        }
    }
}

impl UniqueID for Stream {
    fn id(&self) -> UniqueIDType {
        self.below().id()
    }
}

impl Ssl for Stream {}

#[async_trait]
impl Peek for Stream {}

impl GetTimingDigest for Stream {
    fn get_timing_digest(&self) -> Vec<Option<TimingDigest>> {
        self.below().get_timing_digest()
    }
}

impl GetProxyDigest for Stream {
    fn get_proxy_digest(&self) -> Option<Arc<ProxyDigest>> {
        None
    }
}

impl GetSocketDigest for Stream {
    fn get_socket_digest(&self) -> Option<Arc<SocketDigest>> {
        self.below().get_socket_digest()
    }
}
