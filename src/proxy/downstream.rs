//! The client's side of one exchange: its connection, and its body once it is held.

mod given;

use std::cell::{Cell, OnceCell, RefCell};
use std::future::poll_fn;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::task::{Poll, Waker};

use bytes::Bytes;
use tokio::task::spawn_local;

use self::given::{Given, ReadByScript};
use super::hold::{Held, Terms, hold};
use super::incoming::Incoming;
use super::outflow::{self, Outflow};
use super::spool::Spool;
use super::{ClientStream, Failure, Sent, Site, respond, subrequest};
use crate::config::{BodyLimits, SocketSettings};
use crate::phases::Exchange;
use crate::policy::Live;
use crate::script::{Captured, ClientSide, Host, Part, Subrequest, Waiting};
use crate::shared::{box_in_place, within};
use crate::telemetry::events;
use crate::transaction::{Body, Phase, Request};
use crate::upstream::{Framing, keeps_alive};

/// Bytes of an unread body that are read and dropped so that the connection can go on after a
/// refusal; what is longer costs the client its connection.
const DRAINED: u64 = 64 << 10;

/// The client's side of one exchange.
pub(super) struct Downstream {
    /// How far the answer has come.
    pub(super) outflow: Outflow,
    stream: RefCell<Option<Box<ClientStream>>>,
    /// Whose side it is, once that is known: its route says what limits there are.
    exchange: OnceCell<Weak<Exchange>>,
    /// What holding the body came to, once it was tried.
    held: RefCell<Option<Result<Body, Failure>>>,
    /// Keeps a spooled body's file alive.
    file: RefCell<Option<Spool>>,
    declared: Declared,
    expects_continue: Cell<bool>,
    /// Whether a script wants the body.
    is_asked_for: Cell<bool>,
    /// What a script took of the connection.
    given: Cell<Given>,
    /// Whether a script waits for what the client sends, or knows that it sends no more.
    read_by_script: Cell<ReadByScript>,
    /// Who waits for the connection to come back from a loan.
    waiting: RefCell<Option<Waker>>,
    /// Whether no byte of the body is still to come.
    body_ended: Cell<bool>,
    /// Which request of its connection it is.
    request: u64,
    /// Whether both sides want the connection to go on.
    goes_on: bool,
    /// What the client was told of that.
    told: Cell<bool>,
}

/// What the head says of the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Declared {
    Chunked,
    Length(u64),
    Nothing,
}

/// The [`Host`] of an exchange.
pub(super) struct Shared {
    site: Rc<Site>,
    downstream: Rc<Downstream>,
}

impl Shared {
    pub(super) fn new(site: Rc<Site>, downstream: Rc<Downstream>) -> Self {
        Self { site, downstream }
    }
}

impl Host for Shared {
    fn read_body(&self) -> Waiting<'_, Result<Body, u16>> {
        Box::pin(async { self.downstream.body().await.map_err(|failure| failure.status) })
    }

    fn subrequest(&self, wanted: Subrequest) -> Option<Waiting<'static, Box<Captured>>> {
        let live = self.downstream.exchange()?.live.clone();
        let site = self.site.clone();
        Some(Box::into_pin(box_in_place(|| subrequest::run(site, live, wanted))))
    }

    fn flush(&self) -> Waiting<'static, bool> {
        let downstream = self.downstream.clone();
        let task = spawn_local(async move {
            let Some(exchange) = downstream.exchange() else { return Sent::Cut };
            outflow::flush(&exchange, &downstream).await
        });
        Box::pin(async { task.await.is_ok_and(|sent| sent == Sent::Whole) })
    }

    fn expect_reading(&self) {
        self.downstream.is_asked_for.set(true);
    }

    fn give_away(&self, part: Part) -> Result<Rc<dyn ClientSide>, &'static str> {
        match part {
            Part::Body => self.downstream.give_body()?,
            Part::Raw => self.downstream.give_all()?,
        }
        Ok(self.downstream.clone())
    }

    fn socket_settings(&self) -> Option<Arc<SocketSettings>> {
        Some(self.downstream.exchange()?.plan().lua.sockets.clone())
    }

    fn client_gone(&self) -> Option<Waiting<'static, ()>> {
        let exchange = self.downstream.exchange()?;
        let is_watched = exchange.plan().lua.watch_client
            && !exchange.subject.transaction.borrow().is_subrequest;
        let downstream = self.downstream.clone();
        is_watched.then(|| -> Waiting<'static, ()> {
            Box::pin(async move { downstream.client_gone().await })
        })
    }

    fn spool(&self, bytes: Bytes, room: Option<usize>) -> Body {
        self.downstream.spool(bytes, room)
    }

    fn open(&self) -> bool {
        let exchange = self.downstream.exchange();
        exchange.is_none_or(|exchange| respond::open(&exchange, &self.downstream))
    }

    fn opens_alone(&self) -> bool {
        self.downstream.exchange().is_none_or(|exchange| !exchange.has(Phase::HeaderFilter))
    }

    fn nudge(&self) {
        if self.downstream.outflow.nudge() {
            drop(self.flush());
        }
    }
}

impl Downstream {
    /// The side of a client that sent this request, which is the connection's so manieth; with `last`,
    /// the connection ends with it.
    pub(super) fn new(
        stream: Box<ClientStream>,
        request: &Request,
        (number, last): (u64, bool),
    ) -> Self {
        let declared = declared(request);
        let connection = request.headers.values("connection");
        Self {
            outflow: Outflow::default(),
            stream: RefCell::new(Some(stream)),
            exchange: OnceCell::new(),
            held: RefCell::default(),
            file: RefCell::default(),
            declared,
            expects_continue: Cell::new(request.headers.contains("expect")),
            is_asked_for: Cell::default(),
            given: Cell::default(),
            read_by_script: Cell::default(),
            waiting: RefCell::default(),
            body_ended: Cell::new(matches!(declared, Declared::Nothing | Declared::Length(0))),
            request: number,
            goes_on: !last && keeps_alive(request.version, connection),
            told: Cell::new(false),
        }
    }

    /// The side of a script that makes a request with this body: what is answered is kept.
    pub(super) fn of_script(body: Body, room: Rc<Cell<usize>>) -> Self {
        Self {
            outflow: Outflow::default(),
            stream: RefCell::new(Some(Box::new(ClientStream::keeping(room)))),
            exchange: OnceCell::new(),
            held: RefCell::new(Some(Ok(body))),
            file: RefCell::default(),
            declared: Declared::Nothing,
            expects_continue: Cell::new(false),
            is_asked_for: Cell::default(),
            given: Cell::default(),
            read_by_script: Cell::default(),
            waiting: RefCell::default(),
            body_ended: Cell::new(true),
            request: 0,
            goes_on: false,
            told: Cell::new(false),
        }
    }

    /// Sets whose side it is.
    pub(super) fn belong_to(&self, exchange: &Rc<Exchange>) {
        let _ = self.exchange.set(Rc::downgrade(exchange));
    }

    fn exchange(&self) -> Option<Rc<Exchange>> {
        self.exchange.get()?.upgrade()
    }

    /// How large bodies may be, and the policy that says so.
    fn terms(&self) -> Option<(BodyLimits, Rc<Live>)> {
        let exchange = self.exchange()?;
        Some((exchange.plan().body, exchange.live.clone()))
    }

    /// The connection, which is then no longer here.
    pub(super) fn take(&self) -> Option<Box<ClientStream>> {
        self.stream.borrow_mut().take()
    }

    /// Lends the connection; it comes back when the loan ends, also by cancellation.
    pub(super) fn lend(&self) -> Option<Loan<'_>> {
        self.take().map(|stream| Loan { stream: Some(stream), home: self })
    }

    /// Whether the connection can go on after an answer framed so, as the client is then told. What
    /// is still to come of the request's body would be taken for the next request.
    pub(super) fn goes_on(&self, framing: Framing) -> bool {
        let goes_on = self.goes_on
            && self.body_ended.get()
            && framing != Framing::UntilClose
            && !self.is_spent();
        self.told.set(goes_on);
        goes_on
    }

    /// Whether the route takes no more requests of this connection. What asks has the transaction.
    fn is_spent(&self) -> bool {
        let Some(exchange) = self.exchange() else { return false };
        let most = exchange.plan().serving.requests_per_connection;
        most.is_some_and(|most| self.request >= most)
    }

    /// Whether the client was told that the connection goes on.
    pub(super) fn stays(&self) -> bool {
        self.told.get()
    }

    /// Whether the head announces a body.
    pub(super) fn announces_body(&self) -> bool {
        !matches!(self.declared, Declared::Nothing | Declared::Length(0))
    }

    /// Waits until the client has closed its connection, and all that it sent before was read.
    async fn client_gone(&self) {
        loop {
            // While somebody has the connection on loan it is they who would notice; and what the client
            // sent ahead hides its end.
            // A script that reads it is told by what it reads.
            let gone = poll_fn(|context| match &mut *self.stream.borrow_mut() {
                Some(stream) if self.read_by_script.get() == ReadByScript::No => {
                    stream.poll_end(context)
                }
                _ => Poll::Pending,
            });
            if within(LOOK_AGAIN, gone).await.is_ok() {
                return;
            }
        }
    }

    /// The body, whole: it is read when it is first asked for.
    pub(super) async fn body(&self) -> Result<Body, Failure> {
        if let Some(known) = &*self.held.borrow() {
            return known.clone();
        }
        // Until it is whole, nobody may think that a body cut short by cancellation is all.
        self.held.replace(Some(Err(Failure::theirs(408, "body::interrupted"))));
        let result = match self.read().await {
            Ok(Held { body, file }) => {
                if let (Some(file), Some(exchange)) = (&file, self.exchange()) {
                    tell_spooled(&exchange, file);
                }
                self.file.replace(file);
                Ok(body)
            }
            Err(failure) => Err(failure),
        };
        self.held.replace(Some(result.clone()));
        result
    }

    /// A body that a script made: in a file where there is a folder for such and it is longer than there
    /// is room for, by itself as much as for a client's.
    fn spool(&self, bytes: Bytes, room: Option<usize>) -> Body {
        let Some(exchange) = self.exchange().filter(|_| !bytes.is_empty()) else {
            return if bytes.is_empty() { Body::Empty } else { Body::Memory(bytes) };
        };
        let config = &exchange.live.policy.config;
        let room = room.unwrap_or(exchange.plan().body.memory);
        if config.body_files.is_none() || bytes.len() <= room {
            return Body::Memory(bytes);
        }
        let spooled = Spool::new(config).map_err(|(_, error)| error);
        let spooled = spooled.and_then(|mut spool| spool.write(&bytes).map(|()| spool));
        let Ok(spool) = spooled else { return Body::Memory(bytes) };
        tell_spooled(&exchange, &spool);
        let body = spool.body(bytes.len() as u64);
        self.file.replace(Some(spool));
        body
    }

    async fn read(&self) -> Result<Held, Failure> {
        // Also once the exchange has ended.
        if matches!(self.declared, Declared::Nothing | Declared::Length(0)) {
            return Ok(Held { body: Body::Empty, file: None });
        }
        let (limits, live) = self.terms().ok_or(Failure::ours(500, "body::no_route"))?;
        if matches!(self.declared, Declared::Length(length) if length > limits.total) {
            return Err(Failure::theirs(413, "body::too_large"));
        }
        let mut loan = self.lend().ok_or(Failure::ours(500, "body::session_gone"))?;
        self.invite(loan.stream()).await?;
        let config = &live.policy.config;
        let terms = Terms { limits, time: config.limits.body_time, live: &live };
        self.hold(loan.stream(), &terms).await
    }

    async fn hold(&self, client: &mut ClientStream, terms: &Terms<'_>) -> Result<Held, Failure> {
        let mut incoming = match self.declared {
            Declared::Length(length) => Incoming::sized(client, length),
            Declared::Chunked | Declared::Nothing => Incoming::chunked(client).await?,
        };
        let held = hold(&mut incoming, terms).await;
        self.body_ended.set(held.is_ok());
        held
    }

    /// A client that waits for leave to send its body gets it.
    async fn invite(&self, client: &mut ClientStream) -> Result<(), Failure> {
        if !self.expects_continue.replace(false) {
            return Ok(());
        }
        let sent = client.send([LEAVE, b""]).await;
        sent.map_err(|_| Failure::theirs(400, "body::client_gone"))
    }

    /// Before an answer that did not need the body: reads what is short and already on its way, so
    /// that the connection can go on.
    pub(super) async fn drain(&self) {
        let unread = self.held.borrow().is_none() && self.announces_body();
        let short = match self.declared {
            Declared::Length(length) => length <= DRAINED,
            Declared::Chunked => true,
            Declared::Nothing => false,
        };
        if !unread || !short || self.expects_continue.get() {
            return;
        }
        let Some((limits, live)) = self.terms() else { return };
        let limits = BodyLimits { memory: DRAINED as usize, total: DRAINED, ..limits };
        let time = live.policy.config.limits.body_time.min(DRAIN_TIME);
        if let Some(mut loan) = self.lend() {
            drop(self.hold(loan.stream(), &Terms { limits, time, live: &live }).await);
        }
    }
}

/// What a client is told that waits for leave to send its body.
const LEAVE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";
/// How often it is looked whether a client is there of which nothing is heard.
const LOOK_AGAIN: std::time::Duration = std::time::Duration::from_millis(200);
/// How long a client may take to send a short body that nobody wants.
const DRAIN_TIME: std::time::Duration = std::time::Duration::from_secs(2);

/// A connection on loan.
pub(super) struct Loan<'a> {
    stream: Option<Box<ClientStream>>,
    home: &'a Downstream,
}

impl Loan<'_> {
    pub(super) fn stream(&mut self) -> &mut ClientStream {
        // It is taken only by `drop`.
        self.stream.as_mut().expect("a loan holds its connection until it ends")
    }
}

impl Drop for Loan<'_> {
    fn drop(&mut self) {
        *self.home.stream.borrow_mut() = self.stream.take();
        if let Some(waiting) = self.home.waiting.take() {
            waiting.wake();
        }
    }
}

/// In nginx's words, where files have names; not where all bodies are to be in files.
fn tell_spooled(exchange: &Exchange, file: &Spool) {
    /// `ngx.WARN`.
    const WARN: i64 = 5;
    if exchange.live.policy.config.body_files.is_none() || exchange.plan().body.memory == 0 {
        return;
    }
    let place = file.place();
    let words = "a client request body is buffered to a temporary file";
    let message = format!("{words} {}", place.display());
    let transaction = exchange.subject.transaction.try_borrow().ok();
    events::Said { level: WARN, message: &message, about: transaction.as_deref() }.emit();
}

fn declared(request: &Request) -> Declared {
    if request.headers.contains("transfer-encoding") {
        return Declared::Chunked;
    }
    let length = request.headers.get_str("content-length").and_then(|text| text.parse().ok());
    length.map_or(Declared::Nothing, Declared::Length)
}
