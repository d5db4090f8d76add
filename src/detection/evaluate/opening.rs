//! What rules do before the first that looks at the exchange: the defaults and sums that a rule set
//! gives itself. That depends on nothing but the profile, and is done once for it.

use super::state::{Cursor, Recent, State};
use super::tx::Tx;
use super::{Run, Step};
use crate::detection::bits::Bits;
use crate::transaction::RulePhase;

/// The only phase before which nothing can have happened.
const FIRST: RulePhase = RulePhase::RequestHeaders;

/// How things stand at the first rule that looks at the exchange, if no head before it matched.
#[derive(Debug)]
pub struct Opening {
    /// The place of that rule.
    place: usize,
    /// The heads before it.
    heads: Bits,
    tx: Tx,
    recent: Recent,
    work: u64,
}

impl Opening {
    /// Runs the rules before that one, by themselves.
    fn of(run: &Run<'_>) -> Self {
        let Run { profile, plan, world, view, .. } = *run;
        let mut state = State::new(profile);
        let place = Run { profile, plan, world, view, state: &mut state }.run_constant_rules();
        state.leave_rule();
        state.spend(0);
        let within = state.budget.exceeded().is_none();
        let heads = &plan.prefilter.screen(FIRST).heads;
        Self {
            place: if within { place } else { 0 },
            heads: heads.iter().take_while(|head| (*head as usize) < place).collect(),
            tx: std::mem::take(&mut state.tx),
            recent: std::mem::take(&mut state.recent),
            work: state.budget.cost().work,
        }
    }
}

impl Run<'_> {
    /// Presumes that no head matches before the first rule that looks at the exchange, and asks
    /// them. Nothing is presumed of an exchange that a script has a hand in.
    pub(super) fn presume_opening(&mut self, phase: RulePhase) {
        if phase != FIRST || std::mem::replace(&mut self.state.is_touched, true) {
            return;
        }
        let opening = self.profile.opening.get_or_init(|| Opening::of(self));
        if opening.place == 0 {
            return;
        }
        self.state.tx.clone_from(&opening.tx);
        self.state.presumes_opening = true;
        self.begin_sweep(phase, opening.place as u32, Some(&opening.heads));
    }

    /// Where the phase begins now that the heads were asked.
    pub(super) fn settle_opening(&mut self) -> u32 {
        let profile = self.profile;
        let Some(opening) = profile.opening.get() else { return 0 };
        let state = &mut *self.state;
        state.presumes_opening = false;
        let holds = !state.sight.todo.may_match(&opening.heads)
            && !state.budget.is_spent()
            && state.budget.left() >= opening.work;
        if !holds {
            state.tx = Tx::new(self.plan, &profile.pinned);
            return 0;
        }
        state.recent.clone_from(&opening.recent);
        state.budget.spend(opening.work);
        opening.place as u32
    }

    /// Runs rules up to the first that looks at the exchange, as if no head matched; its place.
    fn run_constant_rules(&mut self) -> usize {
        let (rules, screen) = (self.rules(FIRST), self.plan.prefilter.screen(FIRST));
        self.state.sight.todo.begin_without_heads(rules.len(), screen);
        let mut place = 0;
        while let Some(next) = self.state.sight.todo.next(place) {
            let Some(index) = rules.get(next as usize) else { break };
            let compares = screen.quick.get(next as usize).is_some_and(Option::is_some);
            let after = if compares { self.after_numbers(FIRST, next) } else { None };
            place = match after {
                Some(after) => after,
                None if !screen.constant.has(next) => return next as usize,
                None => match self.rule(*index, Cursor::at(FIRST).rule(next as usize)) {
                    Step::To(after) => after as u32,
                    Step::Out(_) => return next as usize,
                },
            };
        }
        rules.len()
    }
}
