//! One exchange before either evaluator, and all that can be seen of it from outside after each
//! phase.

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use moongate::config::Engine;
use moongate::detection::operators::Question;
use moongate::detection::variables::VARIABLES;
use moongate::detection::{
    AuditEngine, BodyPlan, Inspection, Interruption, Named, Outcome, Overflow, Profile, Seen,
    Target, World,
};
use moongate::shared::Collections;
use moongate::transaction::args::{Parsed, Parser};
use moongate::transaction::{Headers, Match, Response, RulePhase, Scores, Transaction};

use crate::support::exchange::transaction;

/// A request as bytes (anything is taken for one), and what is answered.
#[derive(Clone)]
pub struct Sent {
    pub request: Vec<u8>,
    pub status: u16,
    pub fields: Vec<(&'static str, &'static str)>,
    /// None: what was sent comes back.
    pub body: Option<Vec<u8>>,
    /// What scripts do after a phase.
    pub meddlings: Vec<(RulePhase, Meddling)>,
}

/// What a script does to the rules of its exchange.
#[derive(Debug, Clone)]
pub enum Meddling {
    /// Rules of these ids do not run.
    Remove(u64, u64),
    /// Rules of these ids do not look at this.
    RemoveTarget(u64, u64, &'static str),
    /// A member of `TX` is this, or no more.
    Set(&'static str, Option<&'static str>),
}

/// How closely one looks.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// At every variable there is: the engine reads them all then, also those that no rule names.
    AtAll,
    /// At what rules change.
    AtChanges,
}

/// What can be seen after a phase.
#[derive(Debug, PartialEq, Eq)]
pub struct Facts {
    pub phase: RulePhase,
    pub outcome: Outcome,
    pub matches: Vec<Match>,
    pub scores: Scores,
    pub would_have: Option<Interruption>,
    pub environment: Vec<(Vec<u8>, Vec<u8>)>,
    pub engine: Engine,
    pub audit: (Option<AuditEngine>, Vec<Box<str>>),
    pub hidden: Vec<Target>,
    pub cuts: u32,
    pub asked: Vec<Question>,
    pub body_plan: Option<BodyPlan>,
    pub response_plan: Option<(u64, Overflow)>,
    pub unread: Option<String>,
    pub seen: Vec<(String, Vec<Seen>)>,
}

impl Facts {
    /// One fact a line, for people.
    pub fn told(&self) -> String {
        let mut told = format!("{:?}: {:?}\n", self.phase, self.outcome);
        for found in &self.matches {
            let of = [&found.variable, &found.value, &found.message, &found.data];
            let of = of.map(|text| text.escape_ascii().to_string()).join(" | ");
            let Match { id, place, tags, severity, .. } = found;
            told += &format!("match {id} | {of} | {place} {tags:?} {severity:?}\n");
        }
        told += &format!("{:?}, would have: {:?}\n", self.scores, self.would_have);
        told += &format!("{:?} {:?} cuts: {}\n", self.engine, self.audit, self.cuts);
        told += &format!("hidden: {:?}\nasked: {:?}\n", self.hidden, self.asked);
        told += &format!("environment: {:?}\nunread: {:?}\n", self.environment, self.unread);
        told += &format!("{:?}\n{:?}\n", self.body_plan, self.response_plan);
        for (variable, seen) in &self.seen {
            for Seen { name, value } in seen {
                let (name, value) = (name.escape_ascii(), value.escape_ascii());
                told += &format!("{variable} has {name}={value}\n");
            }
        }
        told
    }
}

/// One of the two evaluators.
pub trait Judge {
    fn evaluate(&mut self, phase: RulePhase, transaction: &Transaction) -> Outcome;
    fn body_plan(&self, transaction: &Transaction) -> Option<BodyPlan>;
    fn response_plan(&self, transaction: &Transaction) -> Option<(u64, Overflow)>;
    fn take_request(&mut self, bytes: Vec<u8>, parsed: Parsed, length: u64, cut: bool);
    fn take_response(&mut self, bytes: Vec<u8>, cut: bool);
    fn meddle(&mut self, meddling: &Meddling);
    /// What is seen now, but for the outcome.
    fn facts(&mut self, transaction: &Transaction, look: Look) -> Facts;
}

/// An exchange on its way: other exchanges of the same thread may come between its phases.
pub struct Course<'a> {
    judge: Box<dyn Judge>,
    sent: &'a Sent,
    look: Look,
    transaction: Transaction,
    body: Vec<u8>,
    /// What was seen so far.
    pub facts: Vec<Facts>,
}

impl<'a> Course<'a> {
    pub fn new(judge: impl Judge + 'static, sent: &'a Sent, look: Look) -> Self {
        let (mut transaction, body) = transaction(&sent.request);
        transaction.begin_at(world().now - Duration::from_millis(1500));
        Self { judge: Box::new(judge), sent, look, transaction, body, facts: Vec::new() }
    }

    /// The next phase; false: there is none.
    pub fn step(&mut self) -> bool {
        let Some(phase) = RulePhase::ALL.get(self.facts.len()).copied() else { return false };
        self.before(phase);
        let outcome = self.judge.evaluate(phase, &self.transaction);
        let facts = self.judge.facts(&self.transaction, self.look);
        self.facts.push(Facts { phase, outcome, ..facts });
        let meddlings = self.sent.meddlings.iter().filter(|(after, _)| *after == phase);
        meddlings.for_each(|(_, meddling)| self.judge.meddle(meddling));
        true
    }

    /// All phases.
    pub fn run(mut self) -> Vec<Facts> {
        while self.step() {}
        self.facts
    }

    fn before(&mut self, phase: RulePhase) {
        match phase {
            RulePhase::RequestBody => give_body(&mut *self.judge, &self.transaction, &self.body),
            RulePhase::ResponseHeaders => {
                let mut headers = Headers::default();
                self.sent.fields.iter().for_each(|(name, value)| headers.append(*name, *value));
                self.transaction.response = Some(Response { status: self.sent.status, headers });
            }
            RulePhase::ResponseBody => {
                let body = self.sent.body.as_ref().unwrap_or(&self.body);
                if let Some((limit, _)) = self.judge.response_plan(&self.transaction) {
                    let seen = &body[..body.len().min(limit as usize)];
                    self.judge.take_response(seen.to_vec(), seen.len() < body.len());
                }
            }
            RulePhase::RequestHeaders | RulePhase::Logging => {}
        }
    }
}

fn give_body(judge: &mut dyn Judge, transaction: &Transaction, body: &[u8]) {
    let Some(plan) = judge.body_plan(transaction) else { return };
    let seen = &body[..body.len().min(plan.limit as usize)];
    let kind = transaction.request.headers.get("content-type").cloned().unwrap_or_default();
    let parsed = plan.format.map_or_else(Parsed::default, |format| {
        let mut parser = Parser::new(format, &kind, plan.limits.clone());
        parser.feed(seen);
        parser.finish()
    });
    let bytes = if plan.keep { seen.to_vec() } else { Vec::new() };
    judge.take_request(bytes, parsed, body.len() as u64, seen.len() < body.len());
}

/// The names of variables that are looked at.
pub fn looked_at(look: Look) -> Vec<String> {
    let changing = ["HIGHEST_SEVERITY", "TX"];
    let names = changing.map(str::to_owned).into_iter();
    // What these say is said to a rule that is running; between phases none is.
    let of_rules =
        ["MATCHED_VAR", "MATCHED_VARS", "MATCHED_VARS_NAMES", "MATCHED_VAR_NAME", "RULE"];
    match look {
        Look::AtAll => {
            let all = VARIABLES.iter().map(|known| known.name.to_owned());
            let all = all.filter(|name| !of_rules.contains(&&**name));
            names.chain(all).chain(["XML:/*", "XML://@*"].map(str::to_owned)).collect()
        }
        Look::AtChanges => names.collect(),
    }
}

/// Persistent collections that are empty, on Sunday, 2 August 2026, 10:20:30 UTC.
pub fn world() -> World {
    let now = UNIX_EPOCH + Duration::from_secs(1_785_666_030);
    World { now, collections: Arc::new(Collections::default()), tables: Arc::default() }
}

/// The engine, and what it asked.
pub struct Inspected {
    inspection: Inspection,
    asked: Vec<Question>,
}

impl Inspected {
    pub fn new(profile: &Arc<Profile>, world: World) -> Self {
        let inspection = Inspection::new(Arc::clone(profile), world);
        Self { inspection, asked: Vec::new() }
    }
}

impl Judge for Inspected {
    fn evaluate(&mut self, phase: RulePhase, transaction: &Transaction) -> Outcome {
        loop {
            match self.inspection.evaluate(phase, transaction) {
                Outcome::Ask(question) => {
                    self.asked.push(question.clone());
                    let answer = super::test::oracle(&question);
                    self.inspection.answer(question, answer);
                }
                Outcome::Pause => {}
                outcome => return outcome,
            }
        }
    }

    fn body_plan(&self, transaction: &Transaction) -> Option<BodyPlan> {
        self.inspection.body_plan(transaction)
    }

    fn response_plan(&self, transaction: &Transaction) -> Option<(u64, Overflow)> {
        self.inspection.response_plan(transaction)
    }

    fn take_request(&mut self, bytes: Vec<u8>, parsed: Parsed, length: u64, cut: bool) {
        self.inspection.take_body(bytes, parsed, length, cut);
    }

    fn take_response(&mut self, bytes: Vec<u8>, cut: bool) {
        self.inspection.take_response_body(bytes, cut);
    }

    fn meddle(&mut self, meddling: &Meddling) {
        match meddling {
            Meddling::Remove(from, to) => {
                self.inspection.remove_rules(Named::Ids(*from, *to));
            }
            Meddling::RemoveTarget(from, to, target) => {
                let named = Named::Ids(*from, *to);
                self.inspection.remove_target(named, target).expect("a target");
            }
            Meddling::Set(name, value) => {
                self.inspection.set_tx(name.as_bytes(), value.map(str::as_bytes));
            }
        }
    }

    fn facts(&mut self, transaction: &Transaction, look: Look) -> Facts {
        let seen = looked_at(look).into_iter().map(|name| {
            let seen = self.inspection.seen(&name, usize::MAX, transaction);
            (name, seen.expect("a variable"))
        });
        let seen = seen.collect();
        let inspection = &self.inspection;
        Facts {
            phase: RulePhase::Logging,
            outcome: Outcome::Pass,
            matches: inspection.matches().to_vec(),
            scores: inspection.scores(),
            would_have: inspection.would_have().cloned(),
            environment: inspection.environment().to_vec(),
            engine: inspection.engine(),
            audit: (inspection.audit_engine(), inspection.audit_parts().to_vec()),
            hidden: inspection.hidden().to_vec(),
            cuts: inspection.cuts(),
            asked: self.asked.clone(),
            body_plan: inspection.body_plan(transaction),
            response_plan: inspection.response_plan(transaction),
            unread: inspection.unread(transaction),
            seen,
        }
    }
}
