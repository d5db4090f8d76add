//! What judging one exchange may cost, and what it has cost so far.
//!
//! The measure is work: the bytes that operators and transformations look at. It is the same for the
//! same exchange on every machine, however busy. Time is told by who has a clock, and looked at
//! between two slices of work.

use std::time::Duration;

use crate::config::RuleBudget;
use crate::transaction::{BudgetPart, Cost, Exceeded, RulePhase};

/// What each look at a value costs besides the bytes of the value.
pub const LOOK: u64 = 32;
/// What it costs to see that there is nothing to look at: another name, or a text without what a
/// rule needs.
pub const GLANCE: u64 = 8;
/// One rule may take this part of the work, so that no rule takes it from all others.
const SHARE: u64 = 4;
/// Work after which others of the same worker have their turn: a millisecond or so.
const SLICE: u64 = 256 << 10;

/// What judging one exchange may cost, and what it has cost so far.
#[derive(Debug)]
pub struct Budget {
    limits: RuleBudget,
    work: u64,
    time: Duration,
    /// The work when the slice began.
    slice_began: u64,
    phase: RulePhase,
    /// The running rule; none: what is done is for many.
    rule: Option<u64>,
    /// What the running rule spent.
    of_rule: u64,
    /// Whether the running rule is to look at no more.
    rule_cut: bool,
    /// Whether all of it is spent.
    is_spent: bool,
    exceeded: Option<Exceeded>,
}

impl Budget {
    /// Nothing spent.
    pub fn new(limits: RuleBudget) -> Self {
        Self {
            limits,
            work: 0,
            time: Duration::ZERO,
            slice_began: 0,
            phase: RulePhase::RequestHeaders,
            rule: None,
            of_rule: 0,
            rule_cut: false,
            is_spent: false,
            exceeded: None,
        }
    }

    /// A phase begins, or goes on after others had their turn.
    pub fn begin_slice(&mut self, phase: RulePhase) {
        self.phase = phase;
        self.slice_began = self.work;
    }

    /// A body of so many bytes was read for a phase: parsed, or decompressed.
    pub fn read(&mut self, phase: RulePhase, bytes: u64) {
        self.phase = phase;
        self.begin_rule(None, 0);
        self.spend(bytes);
    }

    /// Whether it is the turn of others.
    pub fn slice_is_over(&self) -> bool {
        self.work - self.slice_began >= SLICE
    }

    /// What may be spent until it is the turn of others.
    pub fn left_of_slice(&self) -> u64 {
        SLICE.saturating_sub(self.work - self.slice_began)
    }

    /// What is spent from now on is spent by this rule, which spent so much before; by none: for
    /// many rules.
    pub fn begin_rule(&mut self, rule: Option<u64>, before: u64) {
        self.rule = rule;
        self.of_rule = before;
        self.rule_cut = false;
    }

    /// What one rule may spend.
    pub fn share(&self) -> u64 {
        self.limits.work / SHARE
    }

    /// What may still be spent.
    pub fn left(&self) -> u64 {
        if self.is_spent { 0 } else { self.limits.work - self.work }
    }

    /// A rule was to spend so much more than its share, or than is left.
    pub fn overdrawn(&mut self, part: BudgetPart, rule: Option<u64>, spent: u64) {
        self.rule = rule;
        match part {
            BudgetPart::Rule => self.exceed(part, spent, self.share()),
            _ => self.exceed(part, self.work.saturating_add(spent), self.limits.work),
        }
    }

    /// To be asked before something looks at so many bytes, [`LOOK`] included for each look; false
    /// if that is too much and must not be done. Once all is spent, what may still run is free: it
    /// looks at nothing that a client sent.
    pub fn spend(&mut self, work: u64) -> bool {
        if self.is_spent {
            return true;
        }
        if self.rule_cut {
            return false;
        }
        let (all, own) = (self.work.saturating_add(work), self.of_rule.saturating_add(work));
        let share = self.share();
        if all > self.limits.work {
            self.exceed(BudgetPart::Work, all, self.limits.work);
            return false;
        }
        if self.rule.is_some() && own > share {
            self.rule_cut = true;
            self.exceed(BudgetPart::Rule, own, share);
            return false;
        }
        (self.work, self.of_rule) = (all, own);
        true
    }

    /// So long did a slice take.
    pub fn took(&mut self, time: Duration) {
        self.time = self.time.saturating_add(time);
    }

    /// To be called between two slices: an exchange that came to its end is not refused for its
    /// time.
    pub fn look_at_time(&mut self) {
        if self.time > self.limits.time && !self.is_spent {
            let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
            self.exceed(BudgetPart::Time, micros(self.time), micros(self.limits.time));
        }
    }

    /// Whether all of it is spent: nothing that a client sent is looked at any more.
    pub fn is_spent(&self) -> bool {
        self.is_spent
    }

    /// How it came to be too much, if it did.
    pub fn exceeded(&self) -> Option<&Exceeded> {
        self.exceeded.as_ref()
    }

    /// The exchange is refused for it.
    pub fn refuse(&mut self) {
        if let Some(exceeded) = &mut self.exceeded {
            exceeded.refused = true;
        }
    }

    /// What it cost.
    pub fn cost(&self) -> Cost {
        Cost {
            work: self.work,
            work_limit: self.limits.work,
            time: self.time,
            time_limit: self.limits.time,
            exceeded: self.exceeded.clone(),
        }
    }

    /// What an exchange is refused for is told; else a rule that was cut only if nothing else is.
    fn exceed(&mut self, part: BudgetPart, spent: u64, limit: u64) {
        self.is_spent |= part != BudgetPart::Rule;
        let stays = |told: &Exceeded| told.refused || part == BudgetPart::Rule;
        if !self.exceeded.as_ref().is_some_and(stays) {
            let (rule, phase) = (self.rule, self.phase);
            self.exceeded = Some(Exceeded { part, rule, phase, spent, limit, refused: false });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::OnExceeded;

    fn budget(work: u64) -> Budget {
        let time = Duration::from_millis(100);
        Budget::new(RuleBudget { time, work, exceeded: OnExceeded::Refuse })
    }

    fn told(budget: &Budget) -> Option<(BudgetPart, Option<u64>, u64, u64)> {
        budget.exceeded().map(|told| (told.part, told.rule, told.spent, told.limit))
    }

    #[test]
    fn a_rule_is_cut_at_its_share_and_others_go_on() {
        let mut budget = budget(1000);
        budget.begin_rule(Some(7), 0);
        assert!(budget.spend(250));
        assert!(!budget.spend(1) && !budget.spend(0), "once cut it stays so");
        assert_eq!(told(&budget), Some((BudgetPart::Rule, Some(7), 251, 250)));
        budget.begin_rule(Some(8), 0);
        assert!(budget.spend(250) && !budget.is_spent());
        assert!(!budget.spend(1));
        assert_eq!(told(&budget), Some((BudgetPart::Rule, Some(7), 251, 250)), "the first is told");
    }

    #[test]
    fn what_is_done_for_many_rules_has_no_share() {
        let mut budget = budget(1000);
        assert!(budget.spend(900));
        assert!(!budget.spend(101) && budget.is_spent());
        assert_eq!(told(&budget), Some((BudgetPart::Work, None, 1001, 1000)));
        assert!(budget.spend(1), "what may still run is free");
        assert_eq!(budget.cost().work, 900);
    }

    #[test]
    fn time_is_looked_at_between_slices() {
        let mut budget = budget(1 << 30);
        budget.took(Duration::from_millis(100));
        budget.look_at_time();
        assert!(!budget.is_spent());
        budget.begin_rule(Some(3), 0);
        budget.took(Duration::from_micros(1));
        budget.look_at_time();
        assert_eq!(told(&budget), Some((BudgetPart::Time, Some(3), 100_001, 100_000)));
    }

    #[test]
    fn a_slice_is_over_after_so_much_work() {
        let mut budget = budget(1 << 30);
        budget.begin_slice(RulePhase::RequestBody);
        assert!(budget.spend(SLICE - 1) && !budget.slice_is_over());
        assert!(budget.spend(1) && budget.slice_is_over());
        budget.begin_slice(RulePhase::RequestBody);
        assert!(!budget.slice_is_over());
    }

    #[test]
    fn sums_do_not_overflow() {
        let mut budget = budget(u64::MAX - 1);
        assert!(budget.spend(u64::MAX - 1) && !budget.spend(u64::MAX));
        budget.took(Duration::MAX);
        budget.took(Duration::MAX);
        budget.look_at_time();
        assert!(budget.is_spent());
    }
}
