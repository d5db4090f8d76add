//! One handler at work: what the API's functions find when a script calls them.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::io;
use std::mem::ManuallyDrop;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::oneshot;

use super::inner::Inner;
use super::parked::Answer;
use super::within::{Captured, Detour, Origin, Subrequest, Way};
use super::{Handshake, Threads, api, slot};
use crate::config::{Budget, SocketSettings};
use crate::detection::Inspection;
use crate::memory::Seldom;
use crate::shared::rc_in_place;
use crate::telemetry::events;
use crate::transaction::{Body, Phase, Transaction};

/// A future that stays on its worker's thread.
pub type Waiting<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// One handler at work. It is made for each run of a handler, and is the [`current`] one whenever
/// its script is executing.
pub struct Call {
    /// Which call of this thread, from 1.
    pub serial: u64,
    /// Where the script runs.
    pub phase: Phase,
    /// The module's name, or the chunk's: the label in metrics.
    pub module: Rc<str>,
    /// The exchange; none in `init`, `init_worker`, `exit_worker` and timers.
    pub subject: Option<Rc<Subject>>,
    /// How the script left, if it did not just return: `ngx.exit`, `ngx.redirect`.
    pub exit: Cell<Option<Exit>>,
    /// `ngx.arg` of `body_filter`: the chunk as it came and as the script leaves it.
    pub chunk: RefCell<Chunk>,
    /// Connections opened so far, against [`crate::config::Budget::connections`].
    pub connections: Cell<u32>,
    /// From when to when its script went on, waiting included, in nanoseconds on a clock that only goes
    /// on; zeros: it did not begin.
    span: Cell<(u64, u64)>,
    /// CPU time that it took, once it ended.
    pub cpu: Cell<Duration>,
    /// CPU time that it used so far.
    pub(super) own: Cell<Duration>,
    /// CPU time that others used so far at its expense: what its subrequests ran.
    pub(super) lent: Cell<Duration>,
    /// Subrequests that it waits for.
    pub pending: Cell<u32>,
    /// Its light threads.
    pub threads: Threads,
    /// Bytes that it may answer: what comes past them ends it.
    pub answer_limit: Cell<usize>,
    /// Whether it answered more.
    pub(super) exceeded: Cell<bool>,
    /// What the call may cost: that of its handler, once it runs.
    pub budget: Cell<Budget>,
    /// What few calls have.
    pub aside: Seldom<Aside>,
}

/// What few calls have.
#[derive(Default)]
pub struct Aside {
    /// For a timer: whose exchange set it, as logs tell it; for a TLS handshake: whose it is.
    pub(super) peer: RefCell<Option<Rc<str>>>,
    /// The TLS handshake about which it decides; none elsewhere.
    pub(super) handshake: OnceCell<Rc<Handshake>>,
    /// `ngx.arg` of `set`: what its settings give the script.
    pub arguments: RefCell<Vec<Bytes>>,
    /// What a script that a rule calls is given.
    pub argument: RefCell<Option<Bytes>>,
    /// `ngx.ctx` where there is no exchange: a timer's own.
    pub contexts: RefCell<api::Contexts>,
    /// Connections that its sockets have open, where there is no exchange.
    pub sockets: api::Sockets,
    /// How they behave there unless the script says otherwise; none: as the domain's settings say.
    pub(super) socket_settings: RefCell<Option<Arc<SocketSettings>>>,
    errands: RefCell<Vec<Waiting<'static, ()>>>,
    /// Subrequests that are to begin when its script waits.
    pub(super) inner: RefCell<VecDeque<Rc<Inner>>>,
    /// Errors that went through coroutines, innermost first: the words, and the stack there.
    traces: RefCell<Vec<(String, String)>>,
}

/// Coroutines whose stacks are kept for one error, as in lua-nginx-module.
const TRACES: usize = 4;
/// Bytes of words and of a stack that are kept at the most.
const TRACE: usize = 4096;

/// What scripts see of one exchange, shared by all its phases.
pub struct Subject {
    /// The exchange's values. Borrow it for as short as a statement: scripts run in between.
    pub transaction: RefCell<Transaction>,
    /// What needs the client's socket.
    pub host: Box<dyn Host>,
    /// `ngx.ctx`: the table of each state that asked for it, and who wrote last.
    pub contexts: RefCell<api::Contexts>,
    /// The exchange under the eyes of the rules; none where it has no rules. Borrow it as briefly as
    /// the values.
    pub inspection: RefCell<Option<Box<Inspection>>>,
    /// Where the exchange comes from.
    pub origin: Origin,
    /// Where a script sends it, until it goes there.
    pub detour: RefCell<Option<Box<Detour>>>,
}

/// What scripts can have done that needs the client's socket.
pub trait Host {
    /// The request's body, whole. Asked again, it answers the same.
    ///
    /// # Errors
    /// A status for the client, if the body is too large, malformed or too slow.
    fn read_body(&self) -> Waiting<'_, Result<Body, u16>>;

    /// A request within the node, which begins when it is polled and ends when it is dropped. None where
    /// there are no routes to go to.
    fn subrequest(&self, _wanted: Subrequest) -> Option<Waiting<'static, Box<Captured>>> {
        None
    }

    /// Begins to send what is staged of the answer; whether it left, once it is waited for. Where an
    /// answer leaves only when it is whole, nothing does.
    fn flush(&self) -> Waiting<'static, bool> {
        Box::pin(std::future::ready(true))
    }

    /// A script is about to call [`Host::read_body`].
    fn expect_reading(&self) {}

    /// Gives part of the client's connection away to a script; nobody else gets that part then.
    ///
    /// # Errors
    /// In lua-nginx-module's words, if there is none to be given.
    fn give_away(&self, _part: Part) -> Result<Rc<dyn ClientSide>, &'static str> {
        Err("request body already exists")
    }

    /// How sockets behave unless the script says otherwise; none: as the domain's settings say.
    fn socket_settings(&self) -> Option<Arc<SocketSettings>> {
        None
    }

    /// Waits until the client is gone; none where nobody looks.
    fn client_gone(&self) -> Option<Waiting<'static, ()>> {
        None
    }

    /// Has what is staged of the answer sent soon.
    fn nudge(&self) {}

    /// A body that a script made, whole: in a file if it is longer than `room` bytes (none: than a
    /// client's may be in memory) and files have names.
    fn spool(&self, bytes: Bytes, _room: Option<usize>) -> Body {
        if bytes.is_empty() { Body::Empty } else { Body::Memory(bytes) }
    }

    /// Something was said: where handlers of `header_filter` are to see the head now, as in nginx, they
    /// do. False if nothing can be said after all.
    fn open(&self) -> bool {
        true
    }

    /// Whether no script runs when it does [`Host::open`].
    fn opens_alone(&self) -> bool {
        true
    }
}

/// What of its client's connection a script may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The request's body, to be read.
    Body,
    /// All that comes and goes from now on.
    Raw,
}

/// A client's connection, or a part of it, in a script's hands.
pub trait ClientSide {
    /// The next bytes; empty at the end.
    fn poll_read(&self, context: &mut Context<'_>) -> Poll<io::Result<Bytes>>;

    /// Sends some of the bytes; how many.
    fn poll_write(&self, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>>;

    /// Nobody waits for [`ClientSide::poll_read`] any more.
    fn rest(&self);
}

/// How a script left a phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// `ngx.exit(ngx.OK)`: this phase is over, the next goes on.
    Phase,
    /// `ngx.exit(ngx.DECLINED)`: content is left to the upstream; elsewhere as [`Exit::Phase`].
    Declined,
    /// `ngx.exit(ngx.ERROR)` or 444: close the connection without an answer.
    Close,
    /// `ngx.exec`, `ngx.req.set_uri` with a jump: the request goes another way, [`Subject::detour`].
    Reroute,
    /// `ngx.exit(status)`, `ngx.redirect`: answer now, with what is staged.
    Respond(u16),
}

/// A piece of a response body.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Chunk {
    /// Its bytes; may be empty.
    pub bytes: Bytes,
    /// Whether it is the last.
    pub last: bool,
}

/// A client and what it came to, and how logs name them.
type Peer = ((IpAddr, SocketAddr), Rc<str>);

thread_local! {
    static PEER: RefCell<Option<Peer>> = const { RefCell::new(None) };
    static CALLS: Cell<u64> = const { Cell::new(0) };
    /// Nothing lies there when a thread ends; so nothing has to be done then, nor looked at before.
    static CURRENT: ManuallyDrop<RefCell<Option<Rc<Call>>>> =
        const { ManuallyDrop::new(RefCell::new(None)) };
}

/// The call whose script is executing on this thread.
pub fn current() -> Option<Rc<Call>> {
    CURRENT.with(|current| current.borrow().clone())
}

/// Looks at the call whose script is executing, without a share in it: `work` runs no script.
#[inline]
pub(super) fn with_current_call<T>(work: impl FnOnce(Option<&Rc<Call>>) -> T) -> T {
    CURRENT.with(|current| work(current.borrow().as_ref()))
}

/// Runs `work` (a poll of a script, mostly) with `call` as the [`current`] one.
pub fn with_current<T>(call: &Rc<Call>, work: impl FnOnce() -> T) -> T {
    let before = CURRENT.with(|current| current.borrow_mut().replace(call.clone()));
    api::settle_context(call);
    let _restore = Restore(before);
    work()
}

/// Puts the outer call back, also when `work` panics.
struct Restore(Option<Rc<Call>>);

impl Drop for Restore {
    fn drop(&mut self) {
        let before = self.0.take();
        if let Some(before) = &before {
            api::settle_context(before);
        }
        CURRENT.with(|current| *current.borrow_mut() = before);
    }
}

/// How logs name a client. The last one is kept: it asks again, or sets another timer.
fn told_peer(address: IpAddr, listener: SocketAddr) -> Rc<str> {
    PEER.with_borrow_mut(|last| match last {
        Some((known, words)) if *known == (address, listener) => words.clone(),
        _ => {
            let words: Rc<str> = format!("client: {address}, server: {listener}").into();
            *last = Some(((address, listener), words.clone()));
            words
        }
    })
}

impl Subject {
    /// An exchange's values and what needs its client's socket.
    pub fn new(transaction: Transaction, host: Box<dyn Host>) -> Self {
        Self::within(transaction, host, Origin::default())
    }

    /// That of an exchange which comes from elsewhere than a client.
    #[inline]
    pub fn within(transaction: Transaction, host: Box<dyn Host>, origin: Origin) -> Self {
        Self {
            transaction: RefCell::new(transaction),
            host,
            contexts: RefCell::new(api::Contexts::below(origin.above.clone())),
            inspection: RefCell::default(),
            origin,
            detour: RefCell::default(),
        }
    }

    /// It goes another way from now on; `inside`: it may lead to routes that serve only what comes from
    /// within.
    pub fn send_to(&self, to: Way, inside: bool) {
        self.detour.replace(Some(Box::new(Detour { to, inside })));
    }
}

impl Call {
    /// A call for an exchange.
    pub fn new(phase: Phase, module: Rc<str>, subject: Option<Rc<Subject>>) -> Rc<Self> {
        let serial = CALLS.get() + 1;
        CALLS.set(serial);
        rc_in_place(|| Self {
            serial,
            phase,
            module,
            subject,
            exit: Cell::new(None),
            chunk: RefCell::default(),
            connections: Cell::new(0),
            span: Cell::default(),
            cpu: Cell::default(),
            own: Cell::default(),
            lent: Cell::default(),
            pending: Cell::default(),
            threads: Threads::default(),
            answer_limit: Cell::new(usize::MAX),
            exceeded: Cell::default(),
            budget: Cell::default(),
            aside: Seldom::default(),
        })
    }

    /// A call for a TLS handshake; `peer`: both ends of its connection, as logs tell them.
    pub(super) fn of_handshake(
        phase: Phase,
        module: Rc<str>,
        handshake: Rc<Handshake>,
        peer: Rc<str>,
    ) -> Rc<Self> {
        let call = Self::new(phase, module, None);
        let _ = call.aside.handshake.set(handshake);
        call.aside.peer.replace(Some(peer));
        call
    }

    /// How sockets behave here unless the script says otherwise; none: as the domain's settings say.
    pub fn socket_settings(&self) -> Option<Arc<SocketSettings>> {
        match &self.subject {
            Some(subject) => subject.host.socket_settings(),
            None => self.aside.made()?.socket_settings.borrow().clone(),
        }
    }

    /// From when to when its script went on so far, waiting included, in nanoseconds on a clock that only
    /// goes on; none: it did not begin.
    pub fn span(&self) -> Option<(u64, u64)> {
        Some(self.span.get()).filter(|span| *span != (0, 0))
    }

    /// Its script went on from then to then.
    pub(super) fn went_on(&self, from: u64, to: u64) {
        let (began, _) = self.span().unwrap_or((from, to));
        self.span.set((began, to));
    }

    /// Whose exchange timers that it sets come from: `client: 10.0.0.1, server: 0.0.0.0:80`.
    pub(super) fn peer(&self) -> Option<Rc<str>> {
        let Some(subject) = &self.subject else { return self.aside.peer.borrow().clone() };
        let client = &subject.transaction.try_borrow().ok()?.client;
        Some(told_peer(client.address.to_canonical(), client.listener))
    }

    /// Has something told of the script that is executing, in nginx's words.
    pub(super) fn say(&self, level: i64, message: &str) {
        let Some(subject) = &self.subject else {
            let (phase, peer) = (self.phase, self.aside.peer.borrow().clone());
            return events::Outside { level, message, phase, peer: peer.as_deref() }.emit();
        };
        let about = subject.transaction.try_borrow().ok();
        events::Said { level, message, about: about.as_deref() }.emit();
    }

    /// Has something done for the script that is not its own work, such as reading a body as slowly
    /// as its client sends it: it costs the call neither CPU time nor patience. `None` if the call
    /// ended before.
    pub async fn errand<T: 'static>(&self, work: impl Future<Output = T> + 'static) -> Option<T> {
        let (done, result) = oneshot::channel();
        let errand = async move { drop(done.send(work.await)) };
        self.aside.errands.borrow_mut().push(Box::pin(errand));
        result.await.ok()
    }

    /// What comes of `waiting`, which ends with whoever waits for it.
    pub(super) async fn awaited(&self, waiting: Waiting<'static, Answer>) -> Answer {
        let ticket = match self.threads.await_first(waiting)? {
            Ok(values) => return Ok(values),
            Err(ticket) => ticket,
        };
        poll_fn(|_| match self.threads.await_again(ticket) {
            Ok(Ok(values)) => Poll::Ready(Ok(values)),
            Ok(Err(_)) => Poll::Pending,
            Err(error) => Poll::Ready(Err(error)),
        })
        .await
    }

    /// Goes on with the errands; whether none is left.
    pub(super) fn errands_are_done(&self, context: &mut Context<'_>) -> bool {
        let Some(aside) = self.aside.made() else { return true };
        let mut errands = aside.errands.borrow_mut();
        errands.retain_mut(|errand| errand.as_mut().poll(context).is_pending());
        errands.is_empty()
    }

    /// Nobody waits for the errands any more.
    pub(super) fn end_errands(&self) {
        if let Some(aside) = self.aside.made().filter(|aside| !aside.errands.borrow().is_empty()) {
            drop(aside.errands.take());
        }
    }

    /// Keeps the stack of a coroutine that failed with these words, and in whose place the coroutine
    /// that resumed it fails.
    pub(super) fn keep_trace(&self, message: String, stack: String) {
        if message.len().max(stack.len()) > TRACE {
            return;
        }
        let mut traces = self.aside.traces.borrow_mut();
        if traces.last().is_some_and(|(known, _)| *known != message) || traces.len() >= TRACES {
            traces.clear();
        }
        traces.push((message, stack));
    }

    /// A stack, after those of the coroutines from which its error came.
    pub(super) fn whole_trace(&self, message: &str, stack: String) -> String {
        let traces = self.aside.made().map(|aside| aside.traces.take()).unwrap_or_default();
        if traces.last().is_none_or(|(known, _)| known != message) {
            return stack;
        }
        let mut depth = 0;
        let inner = traces.into_iter().map(|(_, one)| {
            depth += 1;
            format!("{one}\ncoroutine {depth}:\n")
        });
        inner.collect::<String>() + &stack
    }

    /// Ends the script that is executing because it answered more than it may; it cannot catch that.
    pub(super) fn exceed(&self) -> mlua::Error {
        self.exceeded.set(true);
        slot::leave();
        mlua::Error::external(Leaving)
    }

    /// Leaves the script that is executing: what an API function returns as its error. The script
    /// goes no further than its next call or loop, whatever it does to catch the error.
    pub fn leave(&self, exit: Exit) -> mlua::Error {
        self.exit.set(Some(exit));
        slot::leave();
        mlua::Error::external(Leaving)
    }
}

/// What [`Call::leave`] raises.
#[derive(Debug, thiserror::Error)]
#[error("the script left")]
struct Leaving;
