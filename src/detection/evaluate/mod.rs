//! The rules of a phase over one exchange: rule by rule, link by link, value by value.

mod budget;
mod expand;
mod finish;
mod gather;
mod later;
mod link;
mod opening;
mod roster;
mod select;
mod sight;
mod state;
mod sweep;
mod test;
mod texts;
mod transform;
mod tx;
mod verdict;

use super::inspection::{Outcome, World};
use super::plan::{Link, Plan, Rule, RuleIndex};
use super::variables::{Variable, View};
use super::{Profile, actions};
use crate::config::{Engine, OnExceeded};
use crate::transaction::RulePhase;
use budget::LOOK;
pub use expand::{expand, number_of};
pub use finish::record;
pub use gather::Gather;
pub use opening::Opening;
pub use select::all;
pub use sight::Member;
use state::Cursor;
pub use state::State;
use sweep::Next;
pub use texts::Keep;
pub use tx::{Key, number};
pub use verdict::{Recall, forget_verdicts, take_recall};

/// One phase over one exchange.
pub struct Run<'a> {
    /// The rules as the route uses them.
    pub profile: &'a Profile,
    /// The rules.
    pub plan: &'a Plan,
    /// What is known from outside.
    pub world: &'a World,
    /// What variables are read from.
    pub view: View<'a>,
    /// What was found and set so far.
    pub state: &'a mut State,
}

/// Where to go on.
enum Step {
    /// Outside: the phase stops here, for now or for good.
    Out(Outcome),
    /// At this place in the phase's list.
    To(usize),
}

impl<'a> Run<'a> {
    /// Runs the rules of a phase from its beginning, or from where they stopped to ask.
    pub fn phase(&mut self, phase: RulePhase) -> Outcome {
        let resumed = self.state.cursor.filter(|cursor| cursor.phase == phase);
        if resumed.is_none() {
            self.state.leave_rule();
            self.state.sight.begin_phase(phase);
            let (rules, screen) = (self.rules(phase).len(), self.plan.prefilter.screen(phase));
            self.state.sight.todo.begin(rules, screen);
            self.presume_opening(phase);
        } else {
            self.state.budget.look_at_time();
        }
        let mut cursor = resumed.unwrap_or(Cursor::at(phase));
        self.state.cursor = None;
        self.state.budget.begin_slice(phase);
        let rules = self.rules(phase);
        // A rule that was begun is brought to its end, whatever it switched off itself.
        while !cursor.is_at_rule() || self.state.engine(self.profile) != Engine::Off {
            if let Some(outcome) = self.stopped(cursor) {
                return outcome;
            }
            if cursor.is_at_rule() {
                match self.next_rule(phase, cursor.place) {
                    Next::Later => continue,
                    Next::None => break,
                    Next::Rule(place) => cursor = cursor.rule(place),
                }
            }
            let Some(index) = rules.get(cursor.place) else { break };
            match self.rule(*index, cursor) {
                Step::Out(outcome) => return outcome,
                Step::To(place) => cursor = cursor.rule(place),
            }
        }
        if self.refuses(phase) { Outcome::Exceeded } else { Outcome::Pass }
    }

    /// Why the phase stops at the cursor, for now or for good.
    fn stopped(&mut self, cursor: Cursor) -> Option<Outcome> {
        if self.refuses(cursor.phase) {
            return Some(Outcome::Exceeded);
        }
        let turn_is_over = self.state.budget.slice_is_over();
        turn_is_over.then(|| {
            self.state.cursor = Some(cursor);
            Outcome::Pause
        })
    }

    /// Whether the exchange ends because too much was spent.
    fn refuses(&mut self, phase: RulePhase) -> bool {
        let refuses = self.state.budget.exceeded().is_some()
            && self.profile.budget.exceeded == OnExceeded::Refuse
            && self.state.engine(self.profile) == Engine::On
            && phase != RulePhase::Logging;
        if refuses {
            self.state.budget.refuse();
            self.state.interrupted = true;
        }
        refuses
    }

    /// Whether a link may run: once all is spent, only what looks at what rules themselves set, and
    /// heads, for what they matched before. So what was found is still told and judged.
    fn may_run(&self, link: &Link, cursor: &Cursor) -> bool {
        let own = |set: super::plan::TargetSetId| {
            let set = self.plan.target_sets.get(set.0 as usize);
            set.is_some_and(|set| set.included.iter().all(|one| one.variable == Variable::Tx))
        };
        !self.state.budget.is_spent() || self.is_head(cursor) || link.targets.is_none_or(own)
    }

    fn rules(&self, phase: RulePhase) -> &'a [RuleIndex] {
        self.plan.phases.get(phase as usize).map_or(&[], Vec::as_slice)
    }

    fn rule(&mut self, index: RuleIndex, cursor: Cursor) -> Step {
        let next = Step::To(cursor.place + 1);
        let fresh = cursor.is_at_rule();
        if fresh && self.state.switches.removed.has(index.0) {
            return next;
        }
        let Some(rule) = self.plan.rules.get(index.0 as usize) else { return next };
        if fresh {
            self.begin_rule();
            let spent = self.state.sight.todo.spent_by(cursor.place);
            self.state.budget.begin_rule(Some(rule.id), spent);
        }
        self.state.running = index;
        if fresh && self.is_unlisted(rule, index, cursor) {
            return next;
        }
        self.links(rule, index, cursor)
    }

    fn begin_rule(&mut self) {
        self.state.leave_rule();
        self.state.sight.begin_rule();
    }

    fn links(&mut self, rule: &Rule, index: RuleIndex, mut cursor: Cursor) -> Step {
        while let Some(link) = rule.links.get(cursor.link) {
            match self.link(rule, index, link, &mut cursor) {
                link::Linked::Ask(question) => {
                    self.state.cursor = Some(cursor);
                    return Step::Out(Outcome::Ask(question));
                }
                link::Linked::Pause => {
                    self.state.cursor = Some(cursor);
                    return Step::Out(Outcome::Pause);
                }
                link::Linked::No => return Step::To(cursor.place + 1),
                link::Linked::Yes => cursor = cursor.next_link(),
            }
        }
        self.finish(rule, cursor)
    }

    fn perform(&mut self, rule: &Rule, deeds: &[super::plan::Deed], again: bool) {
        self.state.spend(LOOK * deeds.len() as u64);
        for deed in deeds {
            actions::perform(self, rule, deed, again);
        }
    }
}
