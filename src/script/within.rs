//! What a script does with requests of the node itself: makes one (a subrequest), or sends its own
//! another way (an internal redirect).

use std::cell::{Cell, OnceCell};
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;

use super::{Above, Call, api};
use crate::transaction::{Headers, Transaction, Variables};

/// How deep subrequests lie within each other, at the most.
pub const DEEPEST: u32 = 50;
/// Subrequests of one client's request at the most, whoever made them.
pub const MOST: u32 = 1_000;
/// Internal redirects of one request at the most.
pub const REDIRECTS: u32 = 10;

/// Where an exchange comes from: a client, or a script that makes a request of its own.
#[derive(Default)]
pub struct Origin {
    /// How many requests it lies within; 0: it is a client's.
    pub depth: u32,
    /// Subrequests of the client's request so far, at all depths.
    pub made: Joint<Cell<u32>>,
    /// The function's call that asked for it, which pays for what it costs.
    pub payer: Option<Rc<Call>>,
    /// The connections of the client's request, to which its own are counted: they end with that.
    pub sockets: Joint<api::Sockets>,
    /// What scripts of its connection's TLS handshake keep in `ngx.ctx`.
    pub above: Option<Above>,
}

/// What a client's request has together with those that its scripts make; there is none before somebody
/// asks for it.
#[derive(Default)]
pub struct Joint<T>(OnceCell<Rc<T>>);

impl<T: Default> Joint<T> {
    /// It.
    pub fn get(&self) -> &Rc<T> {
        self.0.get_or_init(Rc::default)
    }

    /// The same for another request.
    #[must_use]
    pub fn share(&self) -> Self {
        Self(OnceCell::from(self.get().clone()))
    }
}

/// A request that a script makes of the node itself.
pub struct Subrequest {
    /// The request, and what it begins with; a kilobyte or two, which is handed on some times.
    pub transaction: Box<Transaction>,
    /// What its scripts find in `ngx.ctx`.
    pub contexts: api::Contexts,
    /// Where it comes from.
    pub origin: Origin,
    /// Bytes of answers that the call which asks may still have the host hold.
    pub room: Rc<Cell<usize>>,
}

/// What came of a [`Subrequest`].
#[derive(Default)]
pub struct Captured {
    /// The status.
    pub status: u16,
    /// The fields, as a client would have got them.
    pub headers: Headers,
    /// The body, or its beginning.
    pub body: Bytes,
    /// Whether the body is not whole.
    pub truncated: bool,
    /// The variables as its scripts left them.
    pub variables: Variables,
    /// `ngx.ctx` as they left it.
    pub contexts: api::Contexts,
    /// What nginx would be doing afterwards for whoever asked: [`Transaction::doing`].
    pub doing: Option<&'static str>,
}

/// An internal redirect that a script wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detour {
    /// Where to.
    pub to: Way,
    /// Whether it may lead to routes that serve only what comes from within.
    pub inside: bool,
}

/// Where an internal redirect leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// To the route of this name, which begins with `@`; the request stays as it is.
    Named(String),
    /// To what a script has made of the request's path.
    Rewritten,
    /// To another path and query, with a fresh `ngx.ctx`.
    Target(Bytes, Option<Bytes>),
}

/// The status of what could not be asked at all.
const LOST: u16 = 500;

impl Captured {
    /// What comes of one that could not be asked.
    pub fn lost() -> Self {
        Self { status: LOST, ..Self::default() }
    }
}

impl Call {
    /// CPU time that this call, and what runs at its expense, may still use. None: it has no payer.
    pub(super) fn payer_has(&self) -> Option<Duration> {
        let payer = self.payer()?;
        let own = payer.own.get() + payer.lent.get();
        let left = payer.budget.get().cpu.saturating_sub(own);
        Some(payer.payer_has().map_or(left, |others| left.min(others)))
    }

    /// It used so much.
    pub(super) fn charge(&self, cpu: Duration) {
        self.own.set(self.own.get() + cpu);
        let mut payer = self.payer();
        while let Some(call) = payer {
            call.lent.set(call.lent.get() + cpu);
            payer = call.payer();
        }
    }

    fn payer(&self) -> Option<&Rc<Call>> {
        self.subject.as_ref()?.origin.payer.as_ref()
    }
}
