//! The client's side of one exchange: its session, and its body once it is held.

use std::cell::{Cell, OnceCell, RefCell};
use std::fs::File;
use std::rc::Rc;

use pingora_core::protocols::http::ServerSession;

use super::hold::{Held, Terms, hold};
use super::{Cork, Failure};
use crate::config::{BodyLimits, Config};
use crate::script::{Host, Waiting};
use crate::transaction::{Body, Request};

/// Bytes of an unread body that are read and dropped so that the connection can go on after a
/// refusal; what is longer costs the client its connection.
const DRAINED: u64 = 64 << 10;

/// The client's side of one exchange.
pub(super) struct Downstream {
    session: RefCell<Option<Box<ServerSession>>>,
    /// Gathers writes that follow each other at once.
    pub(super) cork: Cork,
    terms: OnceCell<Terms>,
    /// What holding the body came to, once it was tried.
    held: RefCell<Option<Result<Body, Failure>>>,
    /// Keeps a spooled body's file alive.
    file: RefCell<Option<File>>,
    declared: Declared,
    expects_continue: Cell<bool>,
}

/// What the head says of the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Declared {
    Chunked,
    Length(u64),
    Nothing,
}

/// The [`Host`] of an exchange.
pub(super) struct Shared(pub(super) Rc<Downstream>);

impl Host for Shared {
    fn read_body(&self) -> Waiting<'_, Result<Body, u16>> {
        Box::pin(async { self.0.body().await.map_err(|failure| failure.status) })
    }
}

impl Downstream {
    pub(super) fn new(session: Box<ServerSession>, cork: Cork, request: &Request) -> Self {
        let expects = request.headers.get_str("expect");
        Self {
            session: RefCell::new(Some(session)),
            cork,
            terms: OnceCell::new(),
            held: RefCell::default(),
            file: RefCell::default(),
            declared: declared(request),
            expects_continue: Cell::new(expects.is_some()),
        }
    }

    /// Sets the route's limits, once it is known.
    pub(super) fn limit(&self, limits: BodyLimits, config: &Config) {
        let folder = config.state_dir.clone().unwrap_or_else(std::env::temp_dir);
        let _ = self.terms.set(Terms { limits, time: config.limits.body_time, folder });
    }

    /// The session, which is then no longer here.
    pub(super) fn take(&self) -> Option<Box<ServerSession>> {
        self.session.borrow_mut().take()
    }

    /// Lends the session; it comes back when the loan ends, also by cancellation.
    pub(super) fn lend(&self) -> Option<Loan<'_>> {
        self.take().map(|session| Loan { session: Some(session), home: &self.session })
    }

    /// Whether the head announces a body.
    pub(super) fn announces_body(&self) -> bool {
        !matches!(self.declared, Declared::Nothing | Declared::Length(0))
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
                self.file.replace(file);
                Ok(body)
            }
            Err(failure) => Err(failure),
        };
        self.held.replace(Some(result.clone()));
        result
    }

    async fn read(&self) -> Result<Held, Failure> {
        let terms = self.terms.get().ok_or(Failure::ours(500, "body::no_route"))?;
        match self.declared {
            Declared::Nothing | Declared::Length(0) => {
                return Ok(Held { body: Body::Empty, file: None });
            }
            Declared::Length(length) if length > terms.limits.total => {
                return Err(Failure::theirs(413, "body::too_large"));
            }
            Declared::Length(_) | Declared::Chunked => {}
        }
        let mut loan = self.lend().ok_or(Failure::ours(500, "body::session_gone"))?;
        self.invite(loan.session()).await?;
        hold(loan.session(), terms).await
    }

    /// A client that waits for leave to send its body gets it.
    async fn invite(&self, session: &mut ServerSession) -> Result<(), Failure> {
        if !self.expects_continue.replace(false) {
            return Ok(());
        }
        // Pingora ends keep-alive when it writes a head before the body was read; this head is no
        // answer yet.
        session.set_close_on_response_before_downstream_finish(false);
        let written = session.write_continue_response().await;
        session.set_close_on_response_before_downstream_finish(true);
        written.map_err(|_| Failure::theirs(400, "body::client_gone"))
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
        let Some(terms) = self.terms.get() else { return };
        let limits = BodyLimits { memory: DRAINED as usize, total: DRAINED, ..terms.limits };
        let terms =
            Terms { limits, time: terms.time.min(DRAIN_TIME), folder: terms.folder.clone() };
        if let Some(mut loan) = self.lend() {
            drop(hold(loan.session(), &terms).await);
        }
    }
}

/// How long a client may take to send a short body that nobody wants.
const DRAIN_TIME: std::time::Duration = std::time::Duration::from_secs(2);

/// A session on loan.
pub(super) struct Loan<'a> {
    session: Option<Box<ServerSession>>,
    home: &'a RefCell<Option<Box<ServerSession>>>,
}

impl Loan<'_> {
    pub(super) fn session(&mut self) -> &mut ServerSession {
        // It is taken only by `drop`.
        self.session.as_mut().expect("a loan holds its session until it ends")
    }
}

impl Drop for Loan<'_> {
    fn drop(&mut self) {
        *self.home.borrow_mut() = self.session.take();
    }
}

fn declared(request: &Request) -> Declared {
    if request.headers.contains("transfer-encoding") {
        return Declared::Chunked;
    }
    let length = request.headers.get_str("content-length").and_then(|text| text.parse().ok());
    length.map_or(Declared::Nothing, Declared::Length)
}
