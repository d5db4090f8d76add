//! Handlers that run beside those that count: after the client has its answer, on what they would
//! have found, with nothing that they do taken over.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::Exchange;
use super::step::Account;
use crate::functions::{Compared, Contest, Done, Ending, Read, Turn};
use crate::policy::{BesideStep, Live, StepId};
use crate::script::{Call, Chunk, Exit, ScriptError, Subject};
use crate::transaction::{Body, Headers, Phase, Reply, Request, Response, Transaction, Variables};

/// Bytes of a response that are kept for handlers of `body_filter`; what is longer is left out.
const LONGEST_BODY: usize = 256 << 10;
/// Pieces of it at the most.
const MOST_CHUNKS: usize = 1024;
/// Exchanges of one handler that are kept until they end, or wait, on all workers.
pub(super) const MOST_NOTED: u32 = 128;

/// What handlers that have no effect are to be shown, once the client has its answer.
#[derive(Default)]
pub(super) struct Moments {
    noted: RefCell<Vec<Moment>>,
    /// The response's body, for those that look at it.
    chunks: RefCell<Vec<Chunk>>,
    /// Bytes of them.
    length: Cell<usize>,
}

/// The exchange as a handler would have found it.
struct Moment {
    id: StepId,
    phase: Phase,
    contest: Arc<Contest>,
    request: Box<Request>,
    body: Body,
    reply: (u16, Headers),
    response: Option<Response>,
    variables: Variables,
    _turn: Turn,
}

/// Notes what the handlers would find that stand in this phase after so many of those that count.
#[inline]
pub(super) fn note_at(exchange: &Exchange, phase: Phase, after: usize) {
    if !exchange.plan().beside.is_empty() {
        note(exchange, |step| step.phase == phase && step.after == after);
    }
}

/// The same for all of a phase.
#[inline]
pub(super) fn note_all(exchange: &Exchange, phase: Phase) {
    if !exchange.plan().beside.is_empty() {
        note(exchange, |step| step.phase == phase);
    }
}

#[cold]
fn note(exchange: &Exchange, is_wanted: impl Fn(&BesideStep) -> bool) {
    let wanted = exchange.plan().beside.iter().filter(|step| is_wanted(step));
    let moments = wanted.filter_map(|step| Moment::of(exchange, step));
    for moment in moments {
        exchange.moments.noted.borrow_mut().push(moment);
    }
}

/// A piece of the response's body passes, as the upstream sent it.
pub fn see_chunk(exchange: &Exchange, bytes: &Bytes, last: bool) {
    if exchange.plan().beside.is_empty() {
        return;
    }
    let mut noted = exchange.moments.noted.borrow_mut();
    if !noted.iter().any(|moment| moment.phase == Phase::BodyFilter) {
        return;
    }
    let mut chunks = exchange.moments.chunks.borrow_mut();
    let length = exchange.moments.length.get() + bytes.len();
    exchange.moments.length.set(length);
    if length > LONGEST_BODY || chunks.len() >= MOST_CHUNKS {
        let too_long = noted.extract_if(.., |moment| moment.phase == Phase::BodyFilter);
        too_long.for_each(|moment| moment.contest.differences.leave_out());
        chunks.clear();
        return;
    }
    chunks.push(Chunk { bytes: bytes.clone(), last });
}

/// Runs what was noted. Nobody waits for it.
pub(super) fn run(exchange: &Exchange) {
    let Some(moments) = exchange.moments.made() else { return };
    let noted = moments.noted.take();
    if noted.is_empty() {
        return;
    }
    let (live, origin) = (exchange.live.clone(), exchange.subject.clone());
    let chunks = moments.chunks.take();
    tokio::task::spawn_local(async move { Runs::new(live, origin, chunks).all(noted).await });
}

impl Moment {
    /// None if the exchange is none of the handler's share, or too many wait for theirs.
    fn of(exchange: &Exchange, step: &BesideStep) -> Option<Self> {
        let (of, ..) = exchange.live.step(step.id)?;
        let transaction = exchange.subject.transaction.borrow();
        let contest = of.contest.as_ref().filter(|_| of.mode.draws(&transaction.id))?;
        let Some(turn) = contest.turn(MOST_NOTED) else {
            contest.differences.leave_out();
            return None;
        };
        Some(Self {
            id: step.id,
            phase: step.phase,
            contest: contest.clone(),
            request: transaction.request.clone(),
            body: transaction.body.clone(),
            reply: (transaction.reply.status, transaction.reply.headers.clone()),
            response: transaction.response.clone(),
            variables: transaction.variables.clone(),
            _turn: turn,
        })
    }

    /// The exchange at this moment, on its own.
    fn transaction(&self, origin: &Transaction) -> Transaction {
        let (id, client) = (origin.id.clone(), origin.client.clone());
        let mut own = Transaction::new(id, Instant::now(), client, self.request.clone());
        let (status, headers) = self.reply.clone();
        own.body = self.body.clone();
        own.reply = Reply { status, headers, ..Reply::default() };
        own.response.clone_from(&self.response);
        own.variables.clone_from(&self.variables);
        own.route.clone_from(&origin.route);
        own.outcome.verdict = origin.outcome.verdict;
        own
    }
}

/// The handlers of one exchange, one after the other.
struct Runs {
    live: Rc<Live>,
    origin: Rc<Subject>,
    chunks: Vec<Chunk>,
    /// Modules that would have ended the exchange: what comes after would not have been.
    ended: HashSet<Rc<str>>,
}

impl Runs {
    fn new(live: Rc<Live>, origin: Rc<Subject>, chunks: Vec<Chunk>) -> Self {
        Self { live, origin, chunks, ended: HashSet::new() }
    }

    async fn all(mut self, noted: Vec<Moment>) {
        let (read, missing) = Read::of(&self.origin);
        let first =
            noted.first().map(|moment| moment.transaction(&self.origin.transaction.borrow()));
        let Some(first) = first else { return };
        // One for all: what a module leaves in `ngx.ctx` it finds in its next phase.
        let subject = Rc::new(Subject::new(first, Box::new(read)));
        for moment in noted {
            let now = moment.transaction(&self.origin.transaction.borrow());
            subject.transaction.replace(now);
            missing.set(false);
            let before = self.found(&subject, moment.phase);
            let Some(done) = self.run(&moment, &subject).await else { continue };
            if missing.get() {
                moment.contest.differences.leave_out();
                continue;
            }
            self.compare(&moment, &before, &done);
        }
    }

    /// What is there if nothing is done.
    fn found(&self, subject: &Subject, phase: Phase) -> Done {
        let body = if phase == Phase::BodyFilter { joined(&self.chunks) } else { Bytes::new() };
        let ending = ending(subject, phase, None);
        Done { ending, headers: fields(subject, phase), body, ..Done::default() }
    }

    /// Runs one; none if its module would not have been asked any more.
    async fn run(&mut self, moment: &Moment, subject: &Rc<Subject>) -> Option<Done> {
        let (_, _, handler) = self.live.step(moment.id)?;
        let module = handler.module.clone();
        if moment.phase != Phase::Log && self.ended.contains(&module) {
            return None;
        }
        let ran = self.over_chunks(moment, subject).await?;
        if matches!(ran.exit, Some(Exit::Close | Exit::Respond(_))) {
            self.ended.insert(module.clone());
        }
        let ending = match ran.failed {
            Some(error) => {
                tell(moment.phase, &module, subject, &error);
                Ending::Failed(error.kind.as_str(), error.message)
            }
            None => ending(subject, moment.phase, ran.exit),
        };
        let body = match moment.phase {
            Phase::BodyFilter => joined(&ran.left),
            _ => Bytes::copy_from_slice(&subject.transaction.borrow().reply.body),
        };
        Some(Done { ending, headers: fields(subject, moment.phase), body, cpu: ran.cpu })
    }

    /// Once; a handler of `body_filter` as often as chunks came.
    async fn over_chunks(&self, moment: &Moment, subject: &Rc<Subject>) -> Option<Ran> {
        let once = [Chunk { bytes: Bytes::new(), last: true }];
        let chunks = match moment.phase {
            Phase::BodyFilter => self.chunks.as_slice(),
            _ => &once,
        };
        let mut all = Ran::default();
        for chunk in chunks {
            let ended = chunk.last;
            self.one(moment, subject, chunk.clone(), &mut all).await?;
            if ended || all.failed.is_some() || all.left.last().is_some_and(|chunk| chunk.last) {
                break;
            }
        }
        Some(all)
    }

    async fn one(
        &self,
        moment: &Moment,
        subject: &Rc<Subject>,
        chunk: Chunk,
        all: &mut Ran,
    ) -> Option<()> {
        let (_, state, handler) = self.live.step(moment.id)?;
        let call = Call::new(moment.phase, handler.module.clone(), Some(subject.clone()));
        call.chunk.replace(chunk);
        let account = Account::begin(&self.live, moment.id);
        let result = match moment.phase {
            Phase::Rewrite | Phase::Access | Phase::Content => state.run(handler, &call).await,
            _ => state.run_now(handler, &call),
        };
        account.end(state, &call, &result);
        all.cpu += call.cpu.get();
        all.exit = call.exit.get();
        all.failed = result.err();
        all.left.push(call.chunk.take());
        Some(())
    }

    fn compare(&self, moment: &Moment, before: &Done, done: &Done) {
        let origin = self.origin.transaction.borrow();
        let compared = Compared {
            id: &origin.id,
            method: &moment.request.method,
            path: &moment.request.path,
            route: origin.route.as_deref(),
            phase: Some(moment.phase.as_str()),
        };
        moment.contest.differences.compare(compared, before, done);
    }
}

/// How a handler ran.
#[derive(Default)]
struct Ran {
    failed: Option<ScriptError>,
    exit: Option<Exit>,
    /// What `body_filter` left of the body.
    left: Vec<Chunk>,
    cpu: Duration,
}

/// How a handler ended, or would if it did nothing.
fn ending(subject: &Subject, phase: Phase, exit: Option<Exit>) -> Ending {
    let transaction = subject.transaction.borrow();
    let status = |status: u16| if status == 0 { 200 } else { status };
    match (exit, phase) {
        (Some(Exit::Close), _) => Ending::Closed,
        (Some(Exit::Respond(answer)), _) => Ending::Answered(answer),
        (_, Phase::HeaderFilter) => {
            let response = transaction.response.as_ref();
            response.map_or(Ending::Declined, |response| Ending::Answered(response.status))
        }
        _ if transaction.reply.said => Ending::Answered(status(transaction.reply.status)),
        _ => Ending::Declined,
    }
}

/// What a handler may change besides: the response's fields once there are any; before, those that
/// are staged, and the request.
fn fields(subject: &Subject, phase: Phase) -> Headers {
    let transaction = subject.transaction.borrow();
    if let Some(response) = &transaction.response {
        return response.headers.clone();
    }
    let mut fields = transaction.reply.headers.clone();
    if matches!(phase, Phase::Log | Phase::Set) {
        return fields;
    }
    let request = &transaction.request;
    fields.append("request method", request.method.clone());
    fields.append("request path", request.path.clone());
    for field in &request.headers {
        let name = [&b"request "[..], &field.name[..]].concat();
        fields.append(name, field.value.clone());
    }
    fields
}

fn joined(chunks: &[Chunk]) -> Bytes {
    match chunks {
        [only] => only.bytes.clone(),
        chunks => chunks.iter().flat_map(|chunk| chunk.bytes.iter().copied()).collect(),
    }
}

fn tell(phase: Phase, module: &str, subject: &Subject, error: &ScriptError) {
    error.failure((phase, module), Some(&subject.transaction.borrow()), None).emit();
}
