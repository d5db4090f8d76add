//! One exchange under the eyes of a rule set.

use std::sync::Arc;
use std::time::SystemTime;

use super::operators::Question;
use super::{Overflow, Profile};
use crate::shared::Collections;
use crate::transaction::args::{Format, Limits, Parsed};
use crate::transaction::{Match, RulePhase, Scores, Transaction};

/// What an inspection knows of the world besides the transaction.
#[derive(Debug, Clone)]
pub struct World {
    /// Now; the same for the whole exchange.
    pub now: SystemTime,
    /// The persistent collections.
    pub collections: Arc<Collections>,
}

/// One exchange under the eyes of a rule set: its `TX`, its matches, what was switched off for it.
#[derive(Debug)]
pub struct Inspection {
    profile: Arc<Profile>,
    world: World,
}

/// What came of a rule phase.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Answer these with [`Inspection::answer`], then evaluate the phase again: it goes on where it
    /// stopped.
    Ask(Question),
    /// A rule ends the exchange (never in `detect`: see [`Inspection::would_have`]).
    Interrupt(Interruption),
    /// On.
    Pass,
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
        Self { profile, world }
    }

    /// Runs the rules of a phase.
    pub fn evaluate(&mut self, phase: RulePhase, transaction: &Transaction) -> Outcome {
        let _ = (phase, transaction, &self.profile, &self.world);
        Outcome::Pass
    }

    /// The answer to a question that [`evaluate`](Self::evaluate) asked.
    pub fn answer(&mut self, question: Question, answer: bool) {
        let _ = (question, answer);
    }

    /// How the request body is to be read; none: not at all (`SecRequestBodyAccess Off`). To be
    /// asked after phase 1.
    pub fn body_plan(&self, transaction: &Transaction) -> Option<BodyPlan> {
        let _ = transaction;
        None
    }

    /// The request body, as far as it was looked at: its bytes if they were to be kept, what it
    /// says, its whole length, and whether it was longer than the limit.
    pub fn take_body(&mut self, bytes: Vec<u8>, parsed: Parsed, length: u64, cut: bool) {
        let _ = (bytes, parsed, length, cut);
    }

    /// How many bytes of the response body are to be held for phase 4, and what becomes of more;
    /// none: nothing is looked at (its type is not named, or access is off). To be asked after
    /// phase 3.
    pub fn response_plan(&self, transaction: &Transaction) -> Option<(u64, Overflow)> {
        let _ = transaction;
        None
    }

    /// The response body, decompressed, as far as it was looked at, and whether there was more.
    pub fn take_response_body(&mut self, bytes: Vec<u8>, cut: bool) {
        let _ = (bytes, cut);
    }

    /// The rules that matched so far, in order.
    pub fn matches(&self) -> &[Match] {
        &[]
    }

    /// What a rule would have done in `on`, if the engine is in `detect`.
    pub fn would_have(&self) -> Option<&Interruption> {
        None
    }

    /// The anomaly scores.
    pub fn scores(&self) -> Scores {
        Scores::default()
    }
}
