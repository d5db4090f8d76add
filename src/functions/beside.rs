//! A candidate run beside the live version: after the client was answered, with what it writes
//! withheld.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Instant;

use bytes::Bytes;

use super::Holder;
use super::holder::{Found, Place, Reach};
use super::rollout::{Compared, Contest, Done, Ending, SHADOWS_AT_ONCE, Turn};
use crate::config::Secrets;
use crate::script::{Call, Exit, Host, ScriptError, Subject, Waiting};
use crate::transaction::{Body, Headers, Phase, Reply, Request, Transaction};

/// A request that a candidate is to be run for once its client has its answer: as the live version
/// found it.
pub struct Beside {
    found: Found,
    contest: std::sync::Arc<Contest>,
    subject: Rc<Subject>,
    request: Box<Request>,
    body: Body,
    reply: Reply,
    live: Option<Done>,
    _turn: Turn,
}

impl Beside {
    /// What is to be run beside the live version of a function, before that runs; none if nothing is,
    /// or too much waits already.
    pub fn of(found: &Found, subject: &Rc<Subject>) -> Option<Self> {
        let candidate = found.function.candidate.as_ref().filter(|_| found.place == Place::Live)?;
        let transaction = subject.transaction.borrow();
        if !candidate.shadows(&transaction.id) || !candidate.is_for_request(&transaction.request) {
            return None;
        }
        let version = found.function.version(&candidate.digest)?;
        let most = version.facts.declaration.limits.concurrent.min(SHADOWS_AT_ONCE);
        let Some(turn) = candidate.contest.turn(most) else {
            candidate.contest.differences.leave_out();
            return None;
        };
        let found = Found {
            function: found.function.clone(),
            version: version.clone(),
            place: Place::Beside,
        };
        let (status, headers) = (transaction.reply.status, transaction.reply.headers.clone());
        Some(Self {
            found,
            contest: candidate.contest.clone(),
            subject: subject.clone(),
            request: transaction.request.clone(),
            body: transaction.body.clone(),
            reply: Reply { status, headers, ..Reply::default() },
            live: None,
            _turn: turn,
        })
    }

    /// The live version's call ended so.
    pub fn answered(
        &mut self,
        call: Option<&Call>,
        result: &Result<Option<Bytes>, ScriptError>,
        reach: Reach<'_>,
    ) {
        self.live = Some(done(&self.subject, call, result, reach.secrets));
    }

    /// Runs the candidate, and compares.
    pub async fn run(self, holder: &Holder, reach: Reach<'_>) {
        let Some(live) = &self.live else { return };
        let (read, missing) = Read::of(&self.subject);
        let subject = Rc::new(self.subject(read));
        let module: Rc<str> = format!("{} (shadow)", self.found.function.name).into();
        let begin = |_: &Rc<str>| Call::new(Phase::Content, module, Some(subject.clone()));
        let (call, result) = holder.call(&self.found, reach, begin).await;
        if missing.get() {
            return self.contest.differences.leave_out();
        }
        let done = done(&subject, call.as_deref(), &result, reach.secrets);
        let transaction = self.subject.transaction.borrow();
        let request = Compared {
            id: &transaction.id,
            method: &self.request.method,
            path: &self.request.path,
            route: transaction.route.as_deref(),
            phase: None,
        };
        self.contest.differences.compare(request, live, &done);
    }

    /// The exchange as the live version found it.
    fn subject(&self, read: Read) -> Subject {
        let origin = self.subject.transaction.borrow();
        let mut transaction = Transaction::new(
            origin.id.clone(),
            Instant::now(),
            origin.client.clone(),
            self.request.clone(),
        );
        transaction.body = self.body.clone();
        transaction.route.clone_from(&origin.route);
        transaction.variables = origin.variables.clone();
        transaction.reply.status = self.reply.status;
        transaction.reply.headers = self.reply.headers.clone();
        Subject::new(transaction, Box::new(read))
    }
}

/// The body as far as it was read for an exchange that ended: what is still on the way is not waited
/// for.
pub struct Read {
    origin: Rc<Subject>,
    missing: Rc<Cell<bool>>,
}

impl Read {
    /// That of an exchange; and whether it was asked for and is gone, as it will turn out.
    pub fn of(origin: &Rc<Subject>) -> (Self, Rc<Cell<bool>>) {
        let missing = Rc::<Cell<bool>>::default();
        (Self { origin: origin.clone(), missing: missing.clone() }, missing)
    }
}

impl Host for Read {
    fn read_body(&self) -> Waiting<'_, Result<Body, u16>> {
        Box::pin(async {
            let body = self.origin.host.read_body().await;
            self.missing.set(body.is_err());
            body
        })
    }
}

/// What a call did, before its answer is taken away. Its fields are told where they differ: no secret
/// is in them.
fn done(
    subject: &Subject,
    call: Option<&Call>,
    result: &Result<Option<Bytes>, ScriptError>,
    secrets: &Secrets,
) -> Done {
    let transaction = subject.transaction.borrow();
    let staged = match transaction.reply.status {
        0 => 200,
        status => status,
    };
    let ending = match (result, call.and_then(|call| call.exit.get())) {
        (Err(error), _) => Ending::Failed(error.kind.as_str(), error.message.clone()),
        (Ok(_), Some(Exit::Close)) => Ending::Closed,
        (Ok(_), Some(Exit::Declined | Exit::Reroute)) => Ending::Declined,
        (Ok(_), Some(Exit::Respond(status))) => Ending::Answered(status),
        (Ok(_), Some(Exit::Phase) | None) => Ending::Answered(staged),
    };
    Done {
        ending,
        headers: redacted(&transaction.reply.headers, secrets),
        body: Bytes::copy_from_slice(&transaction.reply.body),
        cpu: call.map(|call| call.cpu.get()).unwrap_or_default(),
    }
}

fn redacted(headers: &Headers, secrets: &Secrets) -> Headers {
    if secrets.hides_nothing() {
        return headers.clone();
    }
    let mut shown = Headers::default();
    for header in headers {
        let value = Bytes::copy_from_slice(&secrets.redacted(&header.value));
        shown.append(header.name.clone(), value);
    }
    shown
}
