//! One exchange under the eyes of a rule set.

mod asked;
mod body;
mod scripted;
mod surveyed;
mod tuned;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::evaluate::{Run, State};
use super::operators::Question;
use super::plan::{AllowScope, Target};
use super::variables::Bodies;
use super::{AuditEngine, Overflow, Profile};
use crate::config::Engine;
use crate::shared::{Collections, Tables};
use crate::transaction::args::{Format, Limits};
use crate::transaction::{Cost, Match, RulePhase, Scores, Transaction};
use scripted::Scripted;

pub use asked::Seen;
pub use tuned::Named;

/// What an inspection knows of the world besides the transaction.
#[derive(Debug, Clone)]
pub struct World {
    /// Now; the same for the whole exchange.
    pub now: SystemTime,
    /// The persistent collections.
    pub collections: Arc<Collections>,
    /// The typed collections.
    pub tables: Arc<Tables>,
}

/// One exchange under the eyes of a rule set: its `TX`, its matches, what was switched off for it.
#[derive(Debug)]
pub struct Inspection {
    profile: Arc<Profile>,
    world: World,
    bodies: Bodies,
    state: State,
    scripted: Scripted,
}

/// What came of a rule phase.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Answer these with [`Inspection::answer`], then evaluate the phase again: it goes on where it
    /// stopped.
    Ask(Question),
    /// Too much was spent, and the settings say `refuse` (never in `detect`): see
    /// [`Inspection::cost`].
    Exceeded,
    /// A rule ends the exchange (never in `detect`: see [`Inspection::would_have`]).
    Interrupt(Interruption),
    /// On.
    Pass,
    /// Let others have their turn and tell what this one took ([`Inspection::took`]), then evaluate
    /// the phase again: it goes on where it stopped.
    Pause,
}

/// How a rule ends an exchange.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interruption {
    /// The rule.
    pub rule: u64,
    /// What the client gets.
    pub answer: Answer,
}

/// What the client of an interrupted exchange gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The end of the connection.
    Close,
    /// A redirect with this status.
    Redirect(u16, Vec<u8>),
    /// This status.
    Status(u16),
}

/// How the request body is to be read, as known after phase 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BodyPlan {
    /// The format; none: no processor is chosen.
    pub format: Option<Format>,
    /// For the parser.
    pub limits: Limits,
    /// Bytes that are looked at, at the most.
    pub limit: u64,
    /// What becomes of a longer one.
    pub overflow: Overflow,
    /// Whether its bytes are kept for `REQUEST_BODY`.
    pub keep: bool,
}

impl Inspection {
    /// An inspection at its beginning.
    pub fn new(profile: Arc<Profile>, world: World) -> Self {
        let state = State::new(&profile);
        let scripted = Scripted::default();
        Self { profile, world, bodies: Bodies::default(), state, scripted }
    }

    /// Runs the rules of a phase. None run once a rule ended or allowed the exchange, but those of
    /// the last phase always do.
    pub fn evaluate(&mut self, phase: RulePhase, transaction: &Transaction) -> Outcome {
        if self.is_over(phase) {
            // Scripts go on asking: not for what was so in the phase before.
            self.state.leave_rule();
            self.state.sight.begin_phase(phase);
            return Outcome::Pass;
        }
        let profile = Arc::clone(&self.profile);
        self.bodies.read_query(transaction, &profile.plan.settings);
        if phase != RulePhase::RequestHeaders {
            self.scripted.apply(&mut self.state, &profile.plan);
        }
        let mut run = Run {
            profile: &profile,
            plan: &profile.plan,
            world: &self.world,
            view: self::body::view(&self.bodies, &profile.plan, &self.world, transaction),
            state: &mut self.state,
        };
        let outcome = run.phase(phase);
        if phase == RulePhase::RequestBody && outcome == Outcome::Pass {
            self.state.leave_rule();
            self.state.sight.rest();
        }
        outcome
    }

    /// The answer to a question that [`evaluate`](Self::evaluate) asked.
    pub fn answer(&mut self, question: Question, answer: bool) {
        self.state.answers.push((question, answer));
    }

    /// So long did an evaluation take.
    pub fn took(&mut self, time: Duration) {
        self.state.budget.took(time);
    }

    /// What it cost so far.
    pub fn cost(&self) -> Cost {
        self.state.budget.cost()
    }

    /// The rules that matched so far, in order.
    pub fn matches(&self) -> &[Match] {
        &self.state.matches
    }

    /// Them, when nobody asks for them any more.
    pub fn take_matches(&mut self) -> Vec<Match> {
        std::mem::take(&mut self.state.matches)
    }

    /// What a rule would have done in `on`, if the engine is in `detect`.
    pub fn would_have(&self) -> Option<&Interruption> {
        self.state.would_have.as_ref()
    }

    /// The anomaly scores: what CRS 4 blocks by, else what CRS 3 does.
    pub fn scores(&self) -> Scores {
        let plan = &self.profile.plan;
        let tx = |name| self.state.tx_number(plan, name);
        let inbound = tx("blocking_inbound_anomaly_score").or_else(|| tx("anomaly_score"));
        let outbound =
            tx("blocking_outbound_anomaly_score").or_else(|| tx("outbound_anomaly_score"));
        Scores {
            inbound: inbound.unwrap_or(0) + self.scripted.pending(),
            outbound: outbound.unwrap_or(0),
        }
    }

    /// What is done with what rules find: the route's, or what `ctl:ruleEngine` said.
    pub fn engine(&self) -> Engine {
        self.state.engine(&self.profile)
    }

    /// Whether the audit log gets this exchange, as `ctl:auditEngine` said; none: it said nothing.
    pub fn audit_engine(&self) -> Option<AuditEngine> {
        self.state.switches.audit
    }

    /// What `ctl:auditLogParts` said, in order.
    pub fn audit_parts(&self) -> &[Box<str>] {
        &self.state.switches.audit_parts
    }

    /// What `setenv` set, in order.
    pub fn environment(&self) -> &[(Vec<u8>, Vec<u8>)] {
        &self.state.environment
    }

    /// What the event log is to hide (`sanitiseArg` and its like).
    pub fn hidden(&self) -> &[Target] {
        &self.state.hidden
    }

    /// How often an expression gave up at its step limit.
    pub fn cuts(&self) -> u32 {
        self.state.cuts
    }

    fn is_over(&self, phase: RulePhase) -> bool {
        if phase == RulePhase::Logging {
            return false;
        }
        let allowed = match self.state.switches.allowed {
            Some(AllowScope::Everything) => true,
            Some(AllowScope::Request) => phase <= RulePhase::RequestBody,
            Some(AllowScope::Phase) | None => false,
        };
        allowed || self.state.interrupted
    }
}
