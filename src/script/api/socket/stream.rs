//! What bytes go through: TCP, a Unix socket, or TLS over either.

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::client::TlsStream;

use crate::script::ClientSide;
use crate::shared::Socket;

/// A stream.
pub enum Stream {
    /// The client's own, or a part of it.
    Client(Rc<dyn ClientSide>),
    /// It is being made another one.
    Gone,
    Plain(Socket),
    Tls(Box<TlsStream<Socket>>),
}

impl Stream {
    pub fn poll_write(
        &mut self,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self {
            Self::Client(client) => client.poll_write(context, bytes),
            Self::Gone => Poll::Ready(Ok(0)),
            Self::Plain(plain) => Pin::new(plain).poll_write(context, bytes),
            Self::Tls(tls) => Pin::new(tls).poll_write(context, bytes),
        }
    }

    pub fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tls(tls) => Pin::new(tls).poll_flush(context),
            Self::Client(_) | Self::Gone | Self::Plain(_) => Poll::Ready(Ok(())),
        }
    }

    /// The socket, for its options.
    pub fn socket(&self) -> Option<SockRef<'_>> {
        let plain = match self {
            Self::Client(_) | Self::Gone => return None,
            Self::Plain(plain) => plain,
            Self::Tls(tls) => tls.get_ref().0,
        };
        Some(plain.options())
    }

    pub fn say_goodbye(&mut self) {
        if let Self::Tls(tls) = self {
            let mut context = Context::from_waker(Waker::noop());
            let _ = Pin::new(tls).poll_shutdown(&mut context);
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            // The client's is read as whole pieces.
            Self::Client(_) | Self::Gone => Poll::Ready(Ok(())),
            Self::Plain(plain) => Pin::new(plain).poll_read(context, buffer),
            Self::Tls(tls) => Pin::new(tls).poll_read(context, buffer),
        }
    }
}
