//! The slow, plain evaluator: rule by rule, link by link, value by value, all of it from scratch.
//!
//! It reads the compiled rules, as the engine does, and calls the same operators, transformations
//! and readers of bodies: those have tests of their own. What it is the measure for is what stands
//! between: which values are looked at, in which order, and what follows. It shares, skips and
//! remembers nothing.

use std::sync::Arc;

use moongate::config::Engine;
use moongate::detection::transformations::{TRANSFORMATIONS, Transformation};
use moongate::detection::{
    Deed, Link, Outcome, Plan, Profile, Rule, RuleIndex, Skip, TargetSetId, World,
};
use moongate::transaction::{RulePhase, Transaction};

use super::bodies::Bodies;
use super::state::{State, Value};

/// One exchange.
pub struct Plain {
    pub profile: Arc<Profile>,
    pub world: World,
    pub bodies: Bodies,
    pub state: State,
}

/// One rule over one exchange.
pub struct Run<'a> {
    pub profile: &'a Profile,
    pub plan: &'a Plan,
    pub world: &'a World,
    pub bodies: &'a Bodies,
    pub transaction: &'a Transaction,
    pub state: &'a mut State,
    pub index: RuleIndex,
    pub rule: &'a Rule,
    pub phase: RulePhase,
}

/// Where to go on after a rule.
pub enum Then {
    Next,
    Out(Outcome),
    To(usize),
}

impl Plain {
    pub fn new(profile: &Arc<Profile>, world: World) -> Self {
        let state = State::new(profile);
        Self { profile: Arc::clone(profile), world, bodies: Bodies::default(), state }
    }

    /// The rules of a phase, in the order of the files.
    pub fn evaluate(&mut self, phase: RulePhase, transaction: &Transaction) -> Outcome {
        if self.state.is_over(phase) {
            return Outcome::Pass;
        }
        let plan = &self.profile.plan;
        self.bodies.read_query(transaction, &plan.settings);
        let rules = &plan.phases[phase as usize];
        let mut place = 0;
        while place < rules.len() && self.state.engine(&self.profile) != Engine::Off {
            let index = rules[place];
            let mut run = Run {
                profile: &self.profile,
                plan,
                world: &self.world,
                bodies: &self.bodies,
                transaction,
                state: &mut self.state,
                index,
                rule: &plan.rules[index.0 as usize],
                phase,
            };
            match run.rule() {
                Then::Next => place += 1,
                Then::Out(outcome) => return outcome,
                // Never back.
                Then::To(later) => place = later.max(place + 1),
            }
        }
        Outcome::Pass
    }
}

impl Run<'_> {
    fn rule(&mut self) -> Then {
        if self.state.removed.contains(&self.index) {
            return Then::Next;
        }
        self.state.begin_rule();
        let rule = self.rule;
        for link in &rule.links {
            if !self.link(link) {
                return Then::Next;
            }
        }
        self.finish()
    }

    /// Whether a link matches; what follows from each of its matches is done.
    fn link(&mut self, link: &Link) -> bool {
        let Some(set) = link.targets else {
            self.run_scripts(&link.deeds, b"");
            self.perform(&link.deeds, false);
            return true;
        };
        let mut again = false;
        for value in self.values(set) {
            for text in texts(self.plan, link, &value.text) {
                if let Some(captures) = self.test(link, &text) {
                    self.run_scripts(&link.deeds, &text);
                    self.state.matched(Value { text: text.clone(), ..value.clone() });
                    if link.capture && !link.negated {
                        self.state.capture(&captures, &text);
                    }
                    self.perform(&link.deeds, again);
                    again = true;
                }
            }
        }
        again
    }

    /// What the targets of a link choose, without what is excluded: by the rule, by the route, or
    /// by `ctl`.
    fn values(&self, set: TargetSetId) -> Vec<Value> {
        let set = &self.plan.target_sets[set.0 as usize];
        let of_route = self.profile.removed_targets.iter();
        let of_route = of_route.filter(|(rule, _)| *rule == self.index).map(|(_, target)| target);
        let of_ctl = self.state.removed_targets.iter();
        let of_ctl = of_ctl.filter(|(rules, _)| rules.contains(&self.index));
        let of_ctl = of_ctl.map(|(_, target)| target);
        let excluded: Vec<_> = set.excluded.iter().chain(of_route).chain(of_ctl).collect();
        set.included.iter().flat_map(|target| self.chosen(target, &excluded)).collect()
    }

    fn perform(&mut self, deeds: &[Deed], again: bool) {
        for deed in deeds {
            self.deed(deed, again);
        }
        self.state.forget_scripts(deeds);
    }

    /// Where to go on after a rule that matched.
    pub fn onward(&self) -> Then {
        match self.rule.skip {
            Skip::No => Then::Next,
            Skip::To(place) => Then::To(place as usize),
        }
    }
}

/// What a link looks at of a value: what its transformations make of it, or with `multiMatch` the
/// value itself and each step that changes it.
fn texts(plan: &Plan, link: &Link, value: &[u8]) -> Vec<Vec<u8>> {
    let mut texts = vec![value.to_vec()];
    for transformation in transformations(plan, link) {
        let before = texts.last().expect("never empty");
        let mut after = Vec::new();
        if !(transformation.apply)(before, &mut after) {
            after.clone_from(before);
        }
        texts.push(after);
    }
    if !link.multi_match {
        texts.drain(..texts.len() - 1);
    }
    texts.dedup();
    texts
}

fn transformations(plan: &Plan, link: &Link) -> Vec<&'static Transformation> {
    let mut steps = Vec::new();
    let mut node = &plan.chains.nodes[link.chain.0 as usize];
    while let Some(step) = node.step {
        steps.push(&TRANSFORMATIONS[usize::from(step)]);
        node = &plan.chains.nodes[node.parent.0 as usize];
    }
    steps.reverse();
    steps
}
