//! A client's connection with TLS.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncBufRead, AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::rustls::ServerConnection;
use tokio_rustls::server::TlsStream;

use crate::shared::Socket;

/// A client's connection with TLS. What was written is on its way when a write is over, as with a
/// socket: nobody has to flush.
#[derive(Debug)]
pub struct Secure {
    stream: TlsStream<Socket>,
    /// Bytes that were taken, and of which not all left: the write is not over.
    taken: Option<usize>,
}

impl Secure {
    /// After its handshake.
    pub fn new(stream: TlsStream<Socket>) -> Self {
        Self { stream, taken: None }
    }

    /// What lies below.
    pub fn below(&self) -> &Socket {
        self.stream.get_ref().0
    }

    /// What was agreed on.
    pub fn session(&self) -> &ServerConnection {
        self.stream.get_ref().1
    }

    /// Waits until the other side closed it, as far as that can be seen past what it sent before.
    pub fn poll_end(&mut self, context: &mut Context<'_>) -> Poll<()> {
        match Pin::new(&mut self.stream).poll_fill_buf(context) {
            Poll::Ready(Ok([]) | Err(_)) => Poll::Ready(()),
            Poll::Ready(Ok(_)) | Poll::Pending => Poll::Pending,
        }
    }

    fn poll_taken(
        &mut self,
        context: &mut Context<'_>,
        write: impl FnOnce(Pin<&mut TlsStream<Socket>>, &mut Context<'_>) -> Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        let taken = match self.taken {
            Some(taken) => taken,
            None => ready!(write(Pin::new(&mut self.stream), context))?,
        };
        self.taken = Some(taken);
        let flushed = ready!(Pin::new(&mut self.stream).poll_flush(context));
        self.taken = None;
        Poll::Ready(flushed.map(|()| taken))
    }
}

impl AsyncRead for Secure {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_read(context, bytes)
    }
}

impl AsyncWrite for Secure {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().poll_taken(context, |stream, context| stream.poll_write(context, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let write = |stream: Pin<&mut TlsStream<Socket>>, context: &mut Context<'_>| {
            stream.poll_write_vectored(context, slices)
        };
        self.get_mut().poll_taken(context, write)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}
