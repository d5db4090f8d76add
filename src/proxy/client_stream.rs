//! A client's connection: what was read of it and not used, what waits to be sent.

use std::cell::Cell;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt as _, AsyncWrite as _, AsyncWriteExt as _};

use crate::shared::{Socket, Timer, within};

/// Room for a head with a dozen fields.
const ROOM: usize = 4096;
/// Room that a connection keeps at the most while it waits.
const MOST_ROOM: usize = 16 << 10;
/// Bytes of a body that are read at once.
const PIECE: usize = 64 << 10;
/// Bytes that are gathered at the most; more than that is sent, with what waits before it.
pub(super) const GATHERED: usize = 32 << 10;

/// Bytes of a body that are copied behind what waits before them, up to so many: the system sends one
/// piece sooner than three.
const SHORT: usize = 4 << 10;

/// Bytes that are read and dropped before a connection is closed, and how long that may take.
const LINGERED: usize = 1 << 20;
const LINGER_TIME: Duration = Duration::from_secs(5);

/// A client's connection.
#[derive(Debug)]
pub struct ClientStream {
    /// None while Pingora reads from it.
    socket: Option<Socket>,
    /// What is kept instead of being sent, where a script asked.
    pub(super) kept: Option<Kept>,
    /// Bytes that were read and belong to what comes next.
    pub unread: BytesMut,
    /// Bytes that there is room for at least, when it is read.
    room: usize,
    /// Bytes that leave with the next that are sent.
    pub(super) waiting: Vec<u8>,
    /// How long the client may take for each write.
    write_time: Duration,
    /// How long it may wait before its next request, where that was said.
    pub idle_time: Option<Duration>,
    /// By which it waits for its next request.
    pub timer: Option<Timer>,
    /// Body bytes of this exchange that were read.
    pub(super) body_read: u64,
    /// Body bytes of this exchange that were sent.
    pub(super) body_sent: u64,
}

/// An answer that a script asked for.
#[derive(Debug)]
pub(super) struct Kept {
    /// Its body so far: the first piece as it was, and those after it.
    first: Bytes,
    rest: BytesMut,
    /// Bytes for which there is room, shared with others.
    room: Rc<Cell<usize>>,
    /// Whether there was no room for all.
    pub(super) is_cut: bool,
}

impl Kept {
    /// Keeps bytes of the body; false if there is no room for them all.
    pub(super) fn keep(&mut self, bytes: &[u8]) -> bool {
        let fit = bytes.get(..self.room.get()).unwrap_or(bytes);
        self.room.set(self.room.get() - fit.len());
        self.rest.extend_from_slice(fit);
        self.is_cut |= fit.len() < bytes.len();
        !self.is_cut
    }

    /// The same of bytes that are nobody else's.
    pub(super) fn keep_whole(&mut self, bytes: Bytes) -> bool {
        let is_first = self.first.is_empty() && self.rest.is_empty();
        if !is_first || bytes.len() > self.room.get() {
            return self.keep(&bytes);
        }
        self.room.set(self.room.get() - bytes.len());
        self.first = bytes;
        !self.is_cut
    }

    /// The body.
    pub(super) fn body(mut self) -> Bytes {
        if self.rest.is_empty() {
            return self.first;
        }
        if !self.first.is_empty() {
            self.rest = [&self.first[..], &self.rest[..]].concat().as_slice().into();
        }
        self.rest.freeze()
    }
}

impl ClientStream {
    /// One without a socket: what would be sent is kept, as far as there is room.
    pub(super) fn keeping(room: Rc<Cell<usize>>) -> Self {
        let kept = Kept { first: Bytes::new(), rest: BytesMut::new(), room, is_cut: false };
        Self {
            socket: None,
            kept: Some(kept),
            unread: BytesMut::new(),
            room: ROOM,
            waiting: Vec::new(),
            write_time: Duration::ZERO,
            idle_time: None,
            timer: None,
            body_read: 0,
            body_sent: 0,
        }
    }

    /// Takes over a socket.
    pub fn new(socket: impl Into<Socket>) -> Self {
        Self {
            socket: Some(socket.into()),
            kept: None,
            unread: BytesMut::new(),
            room: ROOM,
            waiting: Vec::new(),
            write_time: Duration::ZERO,
            idle_time: None,
            timer: None,
            body_read: 0,
            body_sent: 0,
        }
    }

    /// Waits for a request: a connection that does nothing keeps no more room than a short one needs.
    pub fn rest(&mut self) {
        if self.unread.is_empty() && self.unread.capacity() > MOST_ROOM {
            self.unread = BytesMut::new();
        }
    }

    /// A new exchange begins, in which the client may take so long for each write.
    pub fn begin(&mut self, write_time: Duration) {
        self.write_time = write_time;
        (self.body_read, self.body_sent) = (0, 0);
        if self.waiting.capacity() > GATHERED {
            self.waiting = Vec::new();
        }
    }

    /// Reads more bytes behind those that are there, with room for so many at least (but no more
    /// than is read at once); 0: the client sends no more.
    ///
    /// # Errors
    /// What the system says.
    pub async fn read(&mut self, wanted: usize) -> io::Result<usize> {
        self.unread.reserve(wanted.clamp(self.room, PIECE));
        let socket = self.socket.as_mut().ok_or(io::ErrorKind::NotConnected)?;
        let read = socket.read_buf(&mut self.unread).await?;
        if self.unread.len() == self.unread.capacity() {
            // The next request of this client is likely to be as long: it may come in one read.
            self.room = (2 * self.room).min(MOST_ROOM);
        }
        Ok(read)
    }

    /// Sends what waits and then both parts, in one call if it can be.
    ///
    /// # Errors
    /// If the client is gone, or does not read.
    pub async fn send(&mut self, parts: [&[u8]; 2]) -> io::Result<()> {
        if parts.iter().map(|part| part.len()).sum::<usize>() > SHORT {
            return Box::pin(self.send_all(parts, 0)).await;
        }
        for part in parts {
            self.waiting.extend_from_slice(part);
        }
        if self.waiting.is_empty() && self.socket.is_some() {
            return Ok(());
        }
        // Nearly always the system takes it as it is: what is to be done else lies on the heap.
        let sent = match poll_fn(|context| Poll::Ready(self.poll_waiting(context))).await {
            Poll::Ready(sent) => sent?,
            Poll::Pending => 0,
        };
        if sent < self.waiting.len() {
            return Box::pin(self.send_all([&[], &[]], sent)).await;
        }
        self.waiting.clear();
        Ok(())
    }

    /// Sends some of what waits at once; how much.
    fn poll_waiting(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        match &mut self.socket {
            Some(socket) => Pin::new(socket).poll_write(context, &self.waiting),
            None => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    /// Sends what waits, but so many bytes of it, and then both parts.
    async fn send_all(&mut self, parts: [&[u8]; 2], but: usize) -> io::Result<()> {
        let socket = self.socket.as_mut().ok_or(io::ErrorKind::NotConnected)?;
        let [first, second] = parts.map(IoSlice::new);
        let mut slices = [IoSlice::new(&self.waiting), first, second];
        let all = if parts.iter().all(|part| part.is_empty()) { 1 } else { slices.len() };
        let mut rest = slices.get_mut(..all).unwrap_or_default();
        IoSlice::advance_slices(&mut rest, but);
        while !rest.is_empty() {
            let writing = poll_fn(|context| poll_slices(socket, context, rest));
            match within(self.write_time, writing).await.map_err(|_| io::ErrorKind::TimedOut)?? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                written => IoSlice::advance_slices(&mut rest, written),
            }
        }
        self.waiting.clear();
        Ok(())
    }

    /// Waits until the client closed its side, as far as that can be seen.
    pub(super) fn poll_end(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.socket.as_mut().map_or(Poll::Pending, |socket| socket.poll_end(context))
    }

    /// Sends some of the bytes at once; how many.
    pub(super) fn poll_write(
        &mut self,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.socket {
            Some(socket) => Pin::new(socket).poll_write(context, bytes),
            None => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    /// The socket, which is then no longer here.
    pub(super) fn take(&mut self) -> Option<Socket> {
        self.socket.take()
    }

    /// The socket is here again.
    pub(super) fn give_back(&mut self, socket: Option<Socket>) {
        self.socket = socket;
    }

    /// The socket, to be read and written at the same time.
    pub(super) fn socket(&mut self) -> Option<&mut Socket> {
        self.socket.as_mut()
    }

    /// Reads and drops what the client still sends, for a while.
    pub(super) async fn linger(mut self) {
        let dropping = async {
            let mut total = 0;
            while total < LINGERED {
                self.unread.clear();
                match self.read(0).await {
                    Ok(0) | Err(_) => return,
                    Ok(length) => total += length,
                }
            }
        };
        let _ = within(LINGER_TIME, dropping).await;
    }

    /// Says that nothing follows.
    ///
    /// # Errors
    /// If the client is gone already.
    pub async fn shutdown(&mut self) -> io::Result<()> {
        self.socket.as_mut().ok_or(io::ErrorKind::NotConnected)?.shutdown().await
    }
}

/// Sends some of the bytes; how many.
fn poll_slices(
    socket: &mut Socket,
    context: &mut Context<'_>,
    slices: &[IoSlice<'_>],
) -> Poll<io::Result<usize>> {
    match slices {
        [only] => Pin::new(socket).poll_write(context, only),
        several => Pin::new(socket).poll_write_vectored(context, several),
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    async fn pair() -> (ClientStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (socket, _) = listener.accept().await.unwrap();
        let mut stream = ClientStream::new(socket);
        stream.begin(Duration::from_secs(5));
        (stream, client)
    }

    #[tokio::test]
    async fn what_waits_leaves_with_the_next_that_is_sent() {
        let (mut stream, mut client) = pair().await;
        stream.waiting.extend_from_slice(b"head ");
        assert!(client.try_read(&mut [0; 16]).is_err(), "something left");
        stream.send([b"bod", b"y"]).await.unwrap();
        let mut bytes = [0; 9];
        client.read_exact(&mut bytes).await.unwrap();
        assert_eq!(&bytes, b"head body");
    }

    #[tokio::test]
    async fn a_client_that_sends_much_is_read_in_longer_pieces() {
        let (mut stream, mut client) = pair().await;
        client.write_all(&vec![0; 64 << 10]).await.unwrap();
        let mut reads = Vec::new();
        for _ in 0..4 {
            reads.push(stream.read(0).await.unwrap());
            stream.unread = BytesMut::new();
        }
        assert_eq!(reads, [ROOM, 2 * ROOM, 4 * ROOM, MOST_ROOM]);
    }

    #[tokio::test]
    async fn what_does_not_fit_the_socket_leaves_in_its_order() {
        let (mut stream, mut client) = pair().await;
        let long: Vec<u8> = (0..4 << 20).map(|index| index as u8).collect();
        stream.waiting.extend_from_slice(b"head");
        let sent = [&b"head"[..], &long, b"tail"].concat();
        let mut seen = vec![0; sent.len()];
        let (sending, reading) =
            tokio::join!(stream.send([&long, b"tail"]), client.read_exact(&mut seen));
        sending.unwrap();
        reading.unwrap();
        assert!(seen == sent);
    }

    #[tokio::test]
    async fn a_client_that_does_not_read_is_given_up() {
        let (mut stream, _client) = pair().await;
        stream.begin(Duration::from_millis(20));
        let long = vec![0; 64 << 20];
        let error = stream.send([&long, b""]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}
