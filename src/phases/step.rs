//! One handler's run, and what its end means for the phase.

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use bytes::Bytes;

use super::span::Span;
use super::{Exchange, Flow, beside, told};
use crate::config::{HandlerSource, OnError};
use crate::functions::Record;
use crate::policy::{Live, Step, StepId};
use crate::script::{self, Call, Exit, ScriptError, State};
use crate::transaction::{Phase, Verdict};

/// How a handler's run ended.
pub(super) enum End {
    /// It returned, or left with `ngx.exit(ngx.OK)`; what it returned, if that can be a string.
    Returned(Option<Bytes>),
    /// It left for another way: an answer, the upstream, the end of the connection.
    Left(Exit),
    /// It failed, and its `on_error` says to go on as if it were not there.
    Passed,
    /// It failed, and its `on_error` says to refuse; with this status, if not the usual one.
    Refused(Option<u16>),
}

/// Whether a phase has handlers, or any are to be shown what those would find.
#[inline]
pub(super) fn has_any(exchange: &Exchange, phase: Phase) -> bool {
    let plan = exchange.plan();
    !plan.of(phase).is_empty() || !plan.beside.is_empty()
}

/// Runs all handlers of a phase that may wait, until one of them ends the phase.
pub(super) async fn run_all(exchange: &Exchange, phase: Phase) -> Flow {
    let steps = exchange.plan().of(phase);
    if steps.is_empty() {
        beside::note_all(exchange, phase);
        return Flow::Continue;
    }
    let (mut span, mut flow) = (Span::of(phase), Flow::Continue);
    for (before, id) in steps.iter().enumerate() {
        beside::note_at(exchange, phase, before);
        let end = run(exchange, *id, &mut span).await;
        exchange.note_declined(matches!(end, End::Left(Exit::Declined)));
        flow = after(exchange, end);
        if flow != Flow::Continue {
            break;
        }
    }
    if flow == Flow::Continue {
        beside::note_at(exchange, phase, steps.len());
    }
    span.tell();
    flow
}

/// What a handler's end means in `rewrite` and `access`.
pub(super) fn after(exchange: &Exchange, end: End) -> Flow {
    let said = {
        let transaction = exchange.subject.transaction.borrow();
        transaction.reply.said.then_some(transaction.reply.status)
    };
    match end {
        End::Left(Exit::Close) => closed(exchange),
        End::Left(Exit::Reroute) => Flow::Reroute,
        End::Left(Exit::Respond(status)) => decided(exchange, status),
        End::Refused(status) => refused_with(exchange, status),
        End::Passed | End::Returned(_) | End::Left(Exit::Phase | Exit::Declined) => match said {
            None => Flow::Continue,
            Some(0) => decided(exchange, 200),
            Some(status) => decided(exchange, status),
        },
    }
}

/// A script's own answer: refused if its status says so.
pub(super) fn decided(exchange: &Exchange, status: u16) -> Flow {
    let mut transaction = exchange.subject.transaction.borrow_mut();
    transaction.outcome.verdict = Verdict::of_status(status);
    Flow::Respond(status)
}

/// nginx's status for a connection that was closed without an answer.
const CLOSED: u16 = 444;

/// A script closes the connection without an answer: a refusal, which logs show as nginx does.
pub(super) fn closed(exchange: &Exchange) -> Flow {
    let mut transaction = exchange.subject.transaction.borrow_mut();
    transaction.outcome.verdict = Verdict::Refused;
    // A script that asked gets what was said until then.
    if !transaction.is_subrequest {
        transaction.reply.status = CLOSED;
    }
    Flow::Close
}

/// A handler failed where failing means to refuse: the client learns nothing of why.
pub(super) fn refused(exchange: &Exchange) -> Flow {
    refused_with(exchange, None)
}

/// The same, with a status that says more.
pub(super) fn refused_with(exchange: &Exchange, status: Option<u16>) -> Flow {
    let status = status.unwrap_or(exchange.live.policy.config.lua.error_status);
    let mut transaction = exchange.subject.transaction.borrow_mut();
    transaction.outcome.verdict = Verdict::Failed;
    transaction.reply = crate::transaction::Reply::default();
    Flow::Respond(status)
}

/// Runs one handler in a phase that may wait.
pub(super) async fn run(exchange: &Exchange, id: StepId, span: &mut Span) -> End {
    let Some((step, state, handler)) = exchange.live.step(id) else { return End::Refused(None) };
    told::beginning(exchange, step.phase, &handler.module);
    let call = call(exchange, step.phase, &handler.module);
    let account = Account::begin(&exchange.live, id);
    let result = state.run(handler, &call).await;
    span.add(&call);
    account.end(state, &call, &result);
    end(exchange, &call, (step, state), result)
}

/// Runs one handler in a phase that may not wait; the call comes back for what it holds
/// (`ngx.arg`).
pub(super) fn run_now(exchange: &Exchange, id: StepId, call: &Rc<Call>) -> End {
    let Some((step, state, handler)) = exchange.live.step(id) else { return End::Refused(None) };
    told::beginning(exchange, step.phase, &handler.module);
    let account = Account::begin(&exchange.live, id);
    let result = state.run_now(handler, call);
    account.end(state, call, &result);
    end(exchange, call, (step, state), result)
}

/// A call that goes on record, if it is one of a module.
pub(super) struct Account<'a>(Option<(&'a Record, Instant)>);

impl<'a> Account<'a> {
    pub(super) fn begin(live: &'a Live, id: StepId) -> Self {
        let record = live.record(id);
        Self(record.map(|record| {
            record.began(SystemTime::now());
            (&**record, Instant::now())
        }))
    }

    pub(super) fn end(
        self,
        state: &State,
        call: &Call,
        result: &Result<Option<Bytes>, ScriptError>,
    ) {
        let Some((record, started)) = self.0 else { return };
        let error = result.as_ref().err();
        if let Some(error) = error {
            record.failed(error);
        }
        record.ended(
            error.map(|error| error.kind),
            started.elapsed(),
            call.cpu.get(),
            state.memory(),
        );
        let refuses = match call.exit.get() {
            Some(Exit::Close) => true,
            Some(Exit::Respond(status)) => Verdict::of_status(status) == Verdict::Refused,
            Some(Exit::Declined | Exit::Phase | Exit::Reroute) | None => false,
        };
        if refuses {
            record.blocked();
        }
    }
}

/// A call of a handler for this exchange.
pub(super) fn call(exchange: &Exchange, phase: Phase, module: &Rc<str>) -> Rc<Call> {
    Call::new(phase, module.clone(), Some(exchange.subject.clone()))
}

fn end(
    exchange: &Exchange,
    call: &Call,
    (step, state): (&Step, &State),
    result: Result<Option<Bytes>, ScriptError>,
) -> End {
    let error = match (result, call.exit.get()) {
        (Ok(_), Some(Exit::Phase)) => return End::Returned(None),
        (Ok(_), Some(exit)) => {
            if matches!(exit, Exit::Close | Exit::Respond(400..)) {
                remember(exchange, step);
            }
            return End::Left(exit);
        }
        (Ok(value), None) => return End::Returned(value),
        (Err(error), _) => error,
    };
    tell(exchange, call, &state.spec().owner, &error);
    match step.on_error {
        OnError::Pass => End::Passed,
        OnError::Refuse => {
            remember(exchange, step);
            End::Refused(error.kind.status())
        }
    }
}

/// A script did not come to its end: the log tells why, unless its owner said too much already.
pub(super) fn tell(exchange: &Exchange, call: &Call, owner: &Arc<str>, error: &ScriptError) {
    if error.kind.is_kill() {
        exchange.killed.set(Some(error.kind));
    }
    if !script::may_speak(owner) {
        return;
    }
    let transaction = exchange.subject.transaction.borrow();
    error.failure((call.phase, &call.module), Some(&transaction), None).emit();
}

/// What refused is the reason in logs and events: the module, or where the chunk begins.
fn remember(exchange: &Exchange, step: &Step) {
    let reason = match &step.source {
        HandlerSource::Chunk { name, line_offset, .. } => format!("{name}:{}", line_offset + 1),
        HandlerSource::File { name, .. } | HandlerSource::Module { name, .. } => name.clone(),
        HandlerSource::RuleScript { path, .. } => path.clone(),
    };
    exchange.subject.transaction.borrow_mut().outcome.reason = Some(reason);
}
