//! One connection of a script: its stream, what was received and not yet asked for, and who may use
//! it.

use std::cell::{Cell, OnceCell, RefCell};
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsRawFd as _;
use std::pin::pin;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::{Buf as _, Bytes, BytesMut};
use tokio::io::AsyncReadExt;

use super::super::answer::STAGED_BYTES;
use super::pool::Counted;
use super::stream::Stream;
use super::watch::Watched;
use super::words;
use crate::script::owner::Held;
use crate::script::{Call, Subject};
use crate::shared;

/// Room that is made before each read.
const READ_BYTES: usize = 4096;

/// One connection, open at least in one direction.
pub struct Connection {
    pub stream: RefCell<Stream>,
    /// Received, but not yet asked for.
    pub buffer: RefCell<BytesMut>,
    place: Place,
    /// Whether it is the client's, which was there before.
    is_clients: bool,
    /// How often it was taken from a pool.
    pub reused: Cell<u32>,
    /// Its place in the count of a pool.
    pub counted: RefCell<Option<Counted>>,
    pub reading: Cell<bool>,
    pub writing: Cell<bool>,
    pub read_closed: Cell<bool>,
    pub write_closed: Cell<bool>,
    /// The ticket of its TLS session.
    pub ticket: RefCell<Option<super::tls::Ticket>>,
    /// By which its pool hears of it, once it was in one.
    pub watched: OnceCell<Watched>,
    _held: Option<Held>,
}

/// Where a connection leads.
#[derive(Debug, Clone)]
pub struct Place {
    /// The name, address or path as the script gave it.
    pub host: String,
    /// None for a path.
    pub port: Option<u16>,
    /// What the name turned out to be.
    pub address: Option<SocketAddr>,
}

/// Why an operation did not succeed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    Closed,
    Error(String),
    Memory,
    Timeout,
}

/// Who opened a connection: it is closed when that ends, and nobody else may use it.
#[derive(Clone)]
pub enum Requester {
    Call(u64),
    Exchange(Weak<Subject>, Weak<Sockets>),
}

/// The connections that an exchange, with its subrequests, or a call outside of any has open.
#[derive(Default)]
pub struct Sockets {
    open: RefCell<Vec<Rc<Connection>>>,
    /// Places of connections that were closed.
    free: Cell<usize>,
}

/// A flag that is set for as long as this is there, also when a coroutine is given up in between.
pub struct Busy<T, F: Fn(&T) -> &Cell<bool>>(Rc<T>, F);

impl<T, F: Fn(&T) -> &Cell<bool>> Busy<T, F> {
    pub fn new(of: Rc<T>, flag: F) -> Self {
        flag(&of).set(true);
        Self(of, flag)
    }
}

impl<T, F: Fn(&T) -> &Cell<bool>> Drop for Busy<T, F> {
    fn drop(&mut self) {
        (self.1)(&self.0).set(false);
    }
}

impl Sockets {
    /// Keeps a connection until it is released or all go; whether another's place is its own now.
    pub(super) fn keep(&self, connection: Rc<Connection>) -> bool {
        self.open.borrow_mut().push(connection);
        let free = self.free.get();
        self.free.set(free.saturating_sub(1));
        free > 0
    }

    pub(super) fn release(&self, connection: &Rc<Connection>) {
        let mut open = self.open.borrow_mut();
        let before = open.len();
        open.retain(|kept| !Rc::ptr_eq(kept, connection));
        self.free.set(self.free.get() + before - open.len());
    }
}

impl Requester {
    pub fn of(call: &Call) -> Self {
        match &call.subject {
            Some(subject) => {
                Self::Exchange(Rc::downgrade(subject), Rc::downgrade(subject.origin.sockets.get()))
            }
            None => Self::Call(call.serial),
        }
    }

    /// Whether the client's request is over. (Of a call that is over nobody knows.)
    pub fn is_gone(&self) -> bool {
        matches!(self, Self::Exchange(_, all) if all.strong_count() == 0)
    }

    pub fn is(&self, call: &Call) -> bool {
        match (self, &call.subject) {
            (Self::Call(serial), None) => *serial == call.serial,
            (Self::Exchange(own, _), Some(subject)) => Weak::ptr_eq(own, &Rc::downgrade(subject)),
            _ => false,
        }
    }
}

/// What a call, or its exchange, has open.
pub fn sockets(call: &Call) -> &Sockets {
    call.subject
        .as_ref()
        .map_or_else(|| &call.aside.sockets, |subject| subject.origin.sockets.get())
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Closed => "closed",
            Self::Error(words) => words,
            Self::Memory => "no memory",
            Self::Timeout => "timeout",
        })
    }
}

impl Place {
    /// Whether it has the same name as another.
    pub fn is_at(&self, other: &Self) -> bool {
        (&self.host, self.port) == (&other.host, other.port)
    }
}

impl fmt::Display for Place {
    /// As lua-nginx-module names it in the log: `name:80(192.0.2.1)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.host)?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        match self.address {
            Some(address) => write!(f, "({})", address.ip()),
            None => Ok(()),
        }
    }
}

/// How much of what was received is wanted.
pub trait Wanted {
    /// Where it ends in the buffer, if it is all there. The buffer only grows between two calls.
    fn end(&mut self, buffer: &[u8]) -> Option<usize>;
}

impl Connection {
    pub(super) fn new(stream: Stream, place: Place, held: Option<Held>) -> Self {
        Self {
            is_clients: matches!(stream, Stream::Client(_)),
            stream: RefCell::new(stream),
            buffer: RefCell::default(),
            place,
            reused: Cell::default(),
            counted: RefCell::default(),
            reading: Cell::default(),
            writing: Cell::default(),
            read_closed: Cell::default(),
            write_closed: Cell::default(),
            ticket: RefCell::default(),
            watched: OnceCell::new(),
            _held: held,
        }
    }

    /// The number that the system knows it by; -1: none.
    pub fn descriptor(&self) -> i32 {
        self.stream.borrow().socket().map_or(-1, |socket| socket.as_raw_fd())
    }

    /// Whether it is closed in both directions.
    pub fn is_closed(&self) -> bool {
        self.read_closed.get() && self.write_closed.get()
    }

    /// Reads until `wanted` is in the buffer; where it ends there. `time` is how long the next read
    /// may take: a script may change that meanwhile.
    pub async fn fetch(
        self: &Rc<Self>,
        call: &Call,
        time: impl Fn() -> Duration,
        wanted: &mut impl Wanted,
    ) -> Result<usize, Failure> {
        loop {
            if let Some(end) = wanted.end(&self.buffer.borrow()) {
                return Ok(end);
            }
            if self.buffer.borrow().len() > STAGED_BYTES {
                self.buffer.borrow_mut().clear();
                self.read_closed.set(true);
                return Err(Failure::Memory);
            }
            match self.fill(call, time()).await {
                Ok(1..) => {}
                Ok(0) => {
                    self.read_closed.set(true);
                    return Err(Failure::Closed);
                }
                Err(failure) => {
                    // A late answer may still come.
                    self.read_closed.set(failure != Failure::Timeout);
                    return Err(failure);
                }
            }
        }
    }

    /// Reads what is there, and waits until something is; how many bytes.
    async fn fill(self: &Rc<Self>, call: &Call, time: Duration) -> Result<usize, Failure> {
        let own = self.clone();
        let filled = async move {
            let filled = within(time, poll_fn(|context| own.poll_fill(context))).await;
            if let Stream::Client(client) = &*own.stream.borrow() {
                client.rest();
            }
            filled
        };
        self.wait(call, filled).await
    }

    /// What a client takes its time for costs a call no patience.
    async fn wait<T: 'static>(
        &self,
        call: &Call,
        work: impl Future<Output = Result<T, Failure>> + 'static,
    ) -> Result<T, Failure> {
        if !self.is_clients {
            return work.await;
        }
        call.errand(work).await.unwrap_or(Err(Failure::Closed))
    }

    /// Sends all of it. `time` is how long each write may take.
    pub async fn send(
        self: &Rc<Self>,
        call: &Call,
        time: Duration,
        mut bytes: Bytes,
    ) -> Result<(), Failure> {
        while !bytes.is_empty() {
            let (own, rest) = (self.clone(), bytes.clone());
            let written = async move {
                let written = poll_fn(|context| own.stream.borrow_mut().poll_write(context, &rest));
                within(time, written).await
            };
            let written = self.wait(call, written).await;
            bytes.advance(written.inspect_err(|_| self.write_closed.set(true))?);
        }
        let flushed = poll_fn(|context| self.stream.borrow_mut().poll_flush(context));
        within(time, flushed).await.inspect_err(|_| self.write_closed.set(true))
    }

    /// Sends some of it, as far as that can be done at once, where nothing is between it and the system;
    /// how much.
    pub fn send_at_once(&self, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let mut stream = self.stream.borrow_mut();
        match *stream {
            Stream::Plain(_) => stream.poll_write(context, bytes),
            _ => Poll::Pending,
        }
    }

    /// Whether the other side closed it, or sent what nobody asked for: then it is of no more use.
    pub fn poll_over(&self, context: &mut Context<'_>) -> Poll<()> {
        self.poll_fill(context).map(|_| ())
    }

    /// Where it leads, to be told in the log.
    pub fn place(&self) -> Option<&Place> {
        (!self.is_clients).then_some(&self.place)
    }

    /// What is there without waiting: how many bytes more came, 0 if the other side closed it; none:
    /// nothing did.
    pub fn peek(&self) -> Option<usize> {
        match self.poll_fill(&mut Context::from_waker(Waker::noop())) {
            Poll::Pending => None,
            Poll::Ready(filled) => Some(filled.unwrap_or_default()),
        }
    }

    fn poll_fill(&self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut stream = self.stream.borrow_mut();
        let mut buffer = self.buffer.borrow_mut();
        if let Stream::Client(client) = &*stream {
            return client.poll_read(context).map_ok(|bytes| {
                buffer.extend_from_slice(&bytes);
                bytes.len()
            });
        }
        buffer.reserve(READ_BYTES);
        match pin!(stream.read_buf(&mut *buffer)).poll(context) {
            // A peer that goes without TLS's goodbye has gone all the same.
            Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Poll::Ready(Ok(0))
            }
            polled => polled,
        }
    }
}

impl Drop for Connection {
    /// TLS says goodbye, if that can be done at once.
    fn drop(&mut self) {
        if let Ok(mut stream) = self.stream.try_borrow_mut() {
            stream.say_goodbye();
        }
    }
}

/// Waits for `work`; its failure in lua-nginx-module's words. Where it is done at once, no clock is read.
pub async fn within<T>(
    time: Duration,
    work: impl Future<Output = io::Result<T>>,
) -> Result<T, Failure> {
    let done = shared::within(time, work).await.map_err(|_| Failure::Timeout)?;
    done.map_err(|error| Failure::Error(words(&error)))
}
