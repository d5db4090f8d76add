//! A second rule set that judges requests beside the one that counts: after the client has its
//! answer, with nothing taken over of what it says or would remember.

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use bytes::Bytes;

use super::beside::MOST_NOTED;
use super::{Exchange, request_body};
use crate::detection::{Answer, Inspection, Interruption, Outcome, Profile, World};
use crate::functions::{Compared, Contest, Done, Ending, Read, Turn};
use crate::script::{Host as _, Subject};
use crate::transaction::{
    Body, Findings, Headers, Match, Request, RulePhase, Transaction, Variables,
};

/// Questions that are answered with no, at the most.
const QUESTIONS: usize = 32;

/// A request as the rules found it.
pub(super) struct Judged {
    profile: Arc<Profile>,
    contest: Arc<Contest>,
    request: Box<Request>,
    body: Body,
    variables: Variables,
    _turn: Turn,
}

/// Notes the request, now that the rules begin, if it is one of the share.
pub(super) fn note(exchange: &Exchange) {
    let Some(beside) = &exchange.plan().rules_beside else { return };
    let transaction = exchange.subject.transaction.borrow();
    if !beside.mode.draws(&transaction.id) {
        return;
    }
    let Some(turn) = beside.contest.turn(MOST_NOTED) else {
        return beside.contest.differences.leave_out();
    };
    let profile = beside.rules.profile(|| transaction.request.normalized_path()).clone();
    exchange.judged.replace(Some(Box::new(Judged {
        profile,
        contest: beside.contest.clone(),
        request: transaction.request.clone(),
        body: transaction.body.clone(),
        variables: transaction.variables.clone(),
        _turn: turn,
    })));
}

/// Has what was noted judged. Nobody waits for it.
pub(super) fn run(exchange: &Exchange) {
    let Some(judged) = exchange.judged.take() else { return };
    let (origin, tables) = (exchange.subject.clone(), exchange.live.policy.tables.clone());
    let live = lives(&origin);
    // What it would remember of clients is withheld, so it knows nothing of them either.
    let world = World { now: SystemTime::now(), collections: Arc::default(), tables };
    tokio::task::spawn_local(judged.run(origin, live, world));
}

impl Judged {
    async fn run(self, origin: Rc<Subject>, live: Done, world: World) {
        let Some(transaction) = self.transaction(&origin).await else {
            return self.contest.differences.leave_out();
        };
        let mut inspection = Inspection::new(self.profile.clone(), world);
        let started = Instant::now();
        let ending = judge(&mut inspection, &transaction).await;
        let candidate = done(ending, inspection.matches(), inspection.scores().inbound, started);
        let route = origin.transaction.borrow().route.clone();
        let compared = Compared {
            id: &transaction.id,
            method: &self.request.method,
            path: &self.request.path,
            route: route.as_deref(),
            phase: Some("rules"),
        };
        self.contest.differences.compare(compared, &live, &candidate);
    }

    /// The exchange as the rules found it; none if its body is gone, or on a disk.
    async fn transaction(&self, origin: &Rc<Subject>) -> Option<Transaction> {
        let (read, _) = Read::of(origin);
        let known = match &self.body {
            Body::Unread => origin.transaction.borrow().body.clone(),
            body => body.clone(),
        };
        let body = match known {
            Body::Unread => read.read_body().await.ok()?,
            body => body,
        };
        if matches!(body, Body::Spooled { .. }) {
            return None;
        }
        let origin = origin.transaction.borrow();
        let (id, client) = (origin.id.clone(), origin.client.clone());
        let mut own = Transaction::new(id, Instant::now(), client, self.request.clone());
        own.body = body;
        own.variables = self.variables.clone();
        own.route.clone_from(&origin.route);
        Some(own)
    }
}

/// The two phases of a request.
async fn judge(inspection: &mut Inspection, transaction: &Transaction) -> Ending {
    let head = phase(inspection, RulePhase::RequestHeaders, transaction).await;
    if head != Ending::Declined {
        return head;
    }
    if let (Some(plan), Body::Memory(bytes)) =
        (inspection.body_plan(transaction), &transaction.body)
    {
        let (kept, parsed) = request_body::read_memory(transaction, &plan, bytes).await;
        let length = bytes.len() as u64;
        inspection.take_body(kept, parsed, length, length > plan.limit);
    }
    phase(inspection, RulePhase::RequestBody, transaction).await
}

/// What rules want looked up is not there.
async fn phase(inspection: &mut Inspection, phase: RulePhase, transaction: &Transaction) -> Ending {
    for _ in 0..QUESTIONS {
        let outcome = loop {
            let started = Instant::now();
            let outcome = inspection.evaluate(phase, transaction);
            inspection.took(started.elapsed());
            if outcome != Outcome::Pause {
                break outcome;
            }
            tokio::task::yield_now().await;
        };
        match outcome {
            Outcome::Ask(question) => inspection.answer(question, false),
            Outcome::Exceeded => return exceeded(),
            Outcome::Interrupt(interruption) => return refused(&interruption),
            Outcome::Pass | Outcome::Pause => return Ending::Declined,
        }
    }
    exceeded()
}

fn exceeded() -> Ending {
    Ending::Failed("budget", "judging it costs more than it may".to_owned())
}

fn refused(interruption: &Interruption) -> Ending {
    match interruption.answer {
        Answer::Close => Ending::Closed,
        Answer::Redirect(status, _) | Answer::Status(status) => Ending::Answered(status),
    }
}

/// What the rules that count said of the request.
fn lives(subject: &Subject) -> Done {
    let transaction = subject.transaction.borrow();
    let inspection = subject.inspection.borrow();
    let nothing = Findings::default();
    let findings = transaction.findings.as_deref().unwrap_or(&nothing);
    let of_request = |found: &&Match| found.phase <= RulePhase::RequestBody && found.disruptive;
    let would_have = inspection.as_ref().and_then(|inspection| inspection.would_have());
    let ending = match (findings.matches.iter().find(of_request), would_have) {
        (None, _) => Ending::Declined,
        (Some(_), Some(interruption)) => refused(interruption),
        (Some(_), None) if transaction.status() == 0 => Ending::Closed,
        (Some(_), None) => Ending::Answered(transaction.status()),
    };
    done(ending, &findings.matches, findings.scores.inbound, Instant::now())
}

/// Which rules of a request's phases matched, and the score that they came to.
fn done(ending: Ending, matches: &[Match], score: i64, started: Instant) -> Done {
    let of_request = matches.iter().filter(|found| found.phase <= RulePhase::RequestBody);
    let mut ids: Vec<u64> = of_request.filter(|found| found.logged).map(|found| found.id).collect();
    ids.sort_unstable();
    ids.dedup();
    let ids: Vec<String> = ids.iter().map(u64::to_string).collect();
    let mut headers = Headers::default();
    headers.append("rules", ids.join(" "));
    headers.append("score", score.to_string());
    Done { ending, headers, body: Bytes::new(), cpu: started.elapsed() }
}
