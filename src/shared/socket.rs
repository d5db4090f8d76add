//! A stream of bytes: TCP, or a Unix socket of this machine; and a client's with TLS over either.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

use super::tls::Secure;

/// A stream of bytes.
#[derive(Debug)]
pub enum Socket {
    /// To or from anywhere.
    Tcp(TcpStream),
    /// A client's, with TLS over one of the others.
    Tls(Box<Secure>),
    /// Within this machine.
    Unix(UnixStream),
}

impl Socket {
    /// For its options.
    pub fn options(&self) -> SockRef<'_> {
        match self {
            Self::Tcp(tcp) => SockRef::from(tcp),
            Self::Tls(tls) => tls.below().options(),
            Self::Unix(unix) => SockRef::from(unix),
        }
    }

    /// Waits until the other side closed it, as far as that can be seen past what it sent before.
    pub fn poll_end(&mut self, context: &mut Context<'_>) -> Poll<()> {
        match self {
            Self::Tcp(tcp) => {
                let mut byte = [0];
                match tcp.poll_peek(context, &mut ReadBuf::new(&mut byte)) {
                    Poll::Ready(Ok(0) | Err(_)) => Poll::Ready(()),
                    Poll::Ready(Ok(_)) | Poll::Pending => Poll::Pending,
                }
            }
            Self::Tls(tls) => tls.poll_end(context),
            Self::Unix(unix) => poll_unix_end(unix, context),
        }
    }
}

fn poll_unix_end(unix: &UnixStream, context: &mut Context<'_>) -> Poll<()> {
    loop {
        if ready!(unix.poll_read_ready(context)).is_err() {
            return Poll::Ready(());
        }
        let mut byte = [MaybeUninit::uninit()];
        let peek = || SockRef::from(unix).peek(&mut byte);
        match unix.try_io(Interest::READABLE, peek) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Ok(0) | Err(_) => return Poll::Ready(()),
            Ok(_) => return Poll::Pending,
        }
    }
}

impl From<TcpStream> for Socket {
    fn from(tcp: TcpStream) -> Self {
        Self::Tcp(tcp)
    }
}

impl From<UnixStream> for Socket {
    fn from(unix: UnixStream) -> Self {
        Self::Unix(unix)
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(tcp) => Pin::new(tcp).poll_read(context, bytes),
            Self::Tls(tls) => Pin::new(&mut **tls).poll_read(context, bytes),
            Self::Unix(unix) => Pin::new(unix).poll_read(context, bytes),
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(tcp) => Pin::new(tcp).poll_write(context, bytes),
            Self::Tls(tls) => Pin::new(&mut **tls).poll_write(context, bytes),
            Self::Unix(unix) => Pin::new(unix).poll_write(context, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(tcp) => Pin::new(tcp).poll_write_vectored(context, slices),
            Self::Tls(tls) => Pin::new(&mut **tls).poll_write_vectored(context, slices),
            Self::Unix(unix) => Pin::new(unix).poll_write_vectored(context, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tls(tls) => Pin::new(&mut **tls).poll_flush(context),
            Self::Tcp(_) | Self::Unix(_) => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(tcp) => Pin::new(tcp).poll_shutdown(context),
            Self::Tls(tls) => Pin::new(&mut **tls).poll_shutdown(context),
            Self::Unix(unix) => Pin::new(unix).poll_shutdown(context),
        }
    }
}
