//! What scripts add to an inspection: matches, scores, members of `TX`.

use super::Inspection;
use crate::detection::evaluate::{Key, State, record};
use crate::detection::plan::Plan;
use crate::transaction::{Match, RulePhase};

/// Where CRS 4, CRS 3 and our own rules add up what they find in requests: the first that the
/// rules know is it.
const SUMS: &[&str] =
    &["inbound_anomaly_score_pl1", "anomaly_score_pl1", "blocking_inbound_anomaly_score"];

/// Scores that scripts gave and that `TX` does not have yet: phase 1 sets its sums to 0 first.
#[derive(Debug, Default)]
pub struct Scripted {
    waiting: i64,
    begun: bool,
}

impl Scripted {
    /// What `TX` does not have yet.
    pub fn pending(&self) -> i64 {
        self.waiting
    }

    /// Gives `TX` what waits: phase 1 is over.
    pub fn apply(&mut self, state: &mut State, plan: &Plan) {
        self.begun = true;
        let score = std::mem::take(&mut self.waiting);
        if score != 0 {
            add_to_sum(state, plan, score);
        }
    }
}

impl Inspection {
    /// A match that a script found. Its score counts as that of a rule of the first paranoia
    /// level: the rule set's own threshold decides what follows.
    pub fn add_match(&mut self, id: u64, message: &[u8], score: i64) {
        let found = Match {
            id,
            phase: RulePhase::RequestBody,
            message: message.to_vec(),
            data: Vec::new(),
            place: String::new(),
            tags: Vec::new(),
            severity: None,
            variable: Vec::new(),
            value: Vec::new(),
            logged: true,
            audited: true,
            disruptive: false,
        };
        record(&mut self.state, found);
        self.scripted.waiting = self.scripted.waiting.saturating_add(score);
        if self.scripted.begun {
            self.scripted.apply(&mut self.state, &self.profile.plan);
        }
    }

    /// A member of `TX`, by its name in any case.
    pub fn tx(&mut self, name: &[u8]) -> Option<Vec<u8>> {
        let name = name.to_ascii_lowercase();
        let tx = &mut self.state.tx;
        tx.settle(&self.profile.plan);
        let place = tx.place(&self.profile.plan, Key::Name(&name)).filter(|at| tx.has(*at))?;
        let mut value = Vec::new();
        tx.write(place, &mut value);
        Some(value)
    }

    /// Sets a member of `TX`; none removes it. What the route pins stays.
    pub fn set_tx(&mut self, name: &[u8], value: Option<&[u8]>) {
        self.state.is_touched = true;
        let name = name.to_ascii_lowercase();
        let (plan, key) = (&self.profile.plan, Key::Name(&name));
        match value {
            Some(value) => self.state.tx.set(plan, key, value),
            None => self.state.tx.unset(plan, key),
        }
    }
}

fn add_to_sum(state: &mut State, plan: &Plan, score: i64) {
    let slot = SUMS.iter().find_map(|name| plan.tx_slot(name.as_bytes()));
    if let Some(slot) = slot {
        state.tx.add(plan, Key::Slot(slot), score);
    }
}
