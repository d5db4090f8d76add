//! The rule engine in the phases: it is asked, its questions are answered, its word becomes a flow.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::hidden::hide;
use super::{Exchange, Flow, rule_script};
use crate::config::Engine;
use crate::detection::operators::Question;
use crate::detection::{Answer, Interruption, Outcome, Recall, take_recall};
use crate::telemetry::events;
use crate::transaction::{BudgetPart, Findings, RulePhase, Verdict};

/// How long a name of a block list may take to be looked up.
const LOOK_UP: Duration = Duration::from_secs(2);
/// Questions of one rule phase that are looked into.
const QUESTIONS: usize = 32;
/// Variables that rules can make for one exchange: their names may come from clients.
const VARIABLES: usize = 64;
/// Bytes of the name of such a variable.
const LONGEST_NAME: usize = 128;

/// Runs a rule phase, if rules judge this exchange and none has ended it.
pub(super) async fn run(exchange: &Exchange, phase: RulePhase) -> Flow {
    if !exchange.rules.may_run(phase) {
        return Flow::Continue;
    }
    let started = Instant::now();
    let outcome = evaluate(exchange, phase).await;
    events::RulesRan { phase, took: started.elapsed() }.emit();
    share_environment(exchange);
    match outcome {
        Outcome::Exceeded => too_costly(exchange, phase),
        Outcome::Interrupt(interruption) => interrupted(exchange, interruption),
        Outcome::Ask(_) | Outcome::Pass | Outcome::Pause => Flow::Continue,
    }
}

/// What was found goes to whoever tells of it. To be called after the last phase.
pub(super) fn tell(exchange: &Exchange) {
    let mut inspection = exchange.subject.inspection.borrow_mut();
    let Some(inspection) = inspection.as_mut().filter(|_| exchange.rules.has_begun()) else {
        return;
    };
    let mut matches = exchange.earlier.made().map(RefCell::take).unwrap_or_default();
    matches.append(&mut inspection.take_matches());
    hide(&mut matches, inspection.hidden());
    let findings = Findings {
        matches,
        scores: inspection.scores(),
        would_have: inspection.would_have().map(|interruption| interruption.rule),
        mode: Some(inspection.engine().as_str()),
        cuts: inspection.cuts(),
        cost: inspection.cost(),
    };
    exchange.subject.transaction.borrow_mut().findings = Some(Box::new(findings));
    // Of this worker since the last exchange ended: what others are at is counted too.
    let Recall { recalled, found } = take_recall();
    events::ValuesJudged { remembered: recalled, found }.emit();
}

/// What is done with what the rules find, as they may have changed it for this exchange.
pub(super) fn engine(exchange: &Exchange) -> Engine {
    let inspection = exchange.subject.inspection.borrow();
    inspection.as_ref().map_or(Engine::Off, |inspection| inspection.engine())
}

/// What `setenv` set becomes variables, for handlers and logs.
fn share_environment(exchange: &Exchange) {
    let inspection = exchange.subject.inspection.borrow();
    let environment = inspection.as_ref().map_or(&[][..], |inspection| inspection.environment());
    for (name, value) in environment.iter().take(VARIABLES) {
        if let Some(name) = std::str::from_utf8(name).ok().filter(|name| name.len() <= LONGEST_NAME)
        {
            let value = Bytes::copy_from_slice(value);
            exchange.subject.transaction.borrow_mut().variables.set(name, Some(value));
        }
    }
}

async fn evaluate(exchange: &Exchange, phase: RulePhase) -> Outcome {
    let mut asked = 0;
    loop {
        let question = match slice(exchange, phase) {
            Outcome::Ask(question) => question,
            Outcome::Pause => {
                tokio::task::yield_now().await;
                continue;
            }
            outcome => return outcome,
        };
        asked += 1;
        let answer = if asked <= QUESTIONS {
            look_into(exchange, &question).await
        } else {
            unasked(&question)
        };
        if let Some(inspection) = exchange.subject.inspection.borrow_mut().as_mut() {
            inspection.answer(question, answer);
        }
    }
}

/// As much of a phase as is done before others have their turn.
fn slice(exchange: &Exchange, phase: RulePhase) -> Outcome {
    let mut inspection = exchange.subject.inspection.borrow_mut();
    let Some(inspection) = inspection.as_mut() else { return Outcome::Pass };
    let started = Instant::now();
    let outcome = inspection.evaluate(phase, &exchange.subject.transaction.borrow());
    inspection.took(started.elapsed());
    outcome
}

/// Only what the world outside knows. A name that cannot be looked up in time is not listed: a block
/// list that is down must not refuse everybody.
async fn look_into(exchange: &Exchange, question: &Question) -> bool {
    match question {
        Question::Resolves(name) => {
            let found = tokio::time::timeout(LOOK_UP, tokio::net::lookup_host((&**name, 0))).await;
            found.is_ok_and(|found| found.is_ok_and(|mut addresses| addresses.next().is_some()))
        }
        Question::Script { path, value, judges } => {
            let said = rule_script::run(exchange, path, value).await;
            said.unwrap_or(*judges)
        }
    }
}

/// The answer to a question that is one too many: what a script was to judge counts as found at
/// fault, or the files before it would let it through.
fn unasked(question: &Question) -> bool {
    matches!(question, Question::Script { judges: true, .. })
}

/// A request that costs too much is refused as a rule refuses one; where it was the time, the
/// machine may have been too busy: 503 says that it may be tried again.
fn too_costly(exchange: &Exchange, phase: RulePhase) -> Flow {
    exchange.rules.end();
    let cost = exchange.subject.inspection.borrow().as_ref().map(|inspection| inspection.cost());
    let part = cost.and_then(|cost| cost.exceeded).map(|exceeded| exceeded.part);
    let (status, verdict) = match part {
        Some(BudgetPart::Time) => (503, Verdict::Failed),
        _ if phase > RulePhase::RequestBody => (502, Verdict::Failed),
        _ => (403, Verdict::Refused),
    };
    let mut transaction = exchange.subject.transaction.borrow_mut();
    transaction.outcome.verdict = verdict;
    transaction.outcome.reason = Some("rules::budget".to_owned());
    Flow::Respond(status)
}

fn interrupted(exchange: &Exchange, interruption: Interruption) -> Flow {
    exchange.rules.end();
    let mut transaction = exchange.subject.transaction.borrow_mut();
    transaction.outcome.verdict = Verdict::Refused;
    transaction.outcome.reason = Some(format!("rule:{}", interruption.rule));
    match interruption.answer {
        Answer::Close => {
            drop(transaction);
            super::step::closed(exchange)
        }
        Answer::Redirect(status, mut to) => {
            // What a client sent may be in it: a line of its own it must not become.
            to.retain(|byte| !byte.is_ascii_control());
            transaction.reply.headers.set("Location", to);
            Flow::Respond(status)
        }
        Answer::Status(status) => Flow::Respond(status),
    }
}
