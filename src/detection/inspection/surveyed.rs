//! What a survey of costs asks of an inspection: what rules look at, and which of them run.

use std::sync::Arc;

use super::{Inspection, Seen, body};
use crate::config::Engine;
use crate::detection::evaluate::{Run, all, expand};
use crate::detection::{Rule, RuleIndex, Target, Text};
use crate::transaction::{RulePhase, Transaction};

impl Inspection {
    /// Whether rules of a phase run at all.
    pub(in crate::detection) fn runs(&self, phase: RulePhase) -> bool {
        !self.is_over(phase) && self.engine() != Engine::Off
    }

    /// Whether a rule does not run: by the route's settings, or by a `ctl` of this exchange.
    pub(in crate::detection) fn is_removed(&self, rule: RuleIndex) -> bool {
        self.state.switches.removed.has(rule.0)
    }

    /// What a rule does not look at: by the route's settings, or by a `ctl` of this exchange.
    pub(in crate::detection) fn removed_targets(&self, rule: RuleIndex) -> Vec<Target> {
        let here = self.state.switches.removed_targets.iter();
        let here = here.filter(|(rules, _)| rules.contains(&rule)).map(|(_, target)| target);
        here.chain(self.profile.targets_removed_from(rule)).cloned().collect()
    }

    /// The first `most` values that a target chooses now.
    pub(in crate::detection) fn chosen(
        &mut self,
        target: &Target,
        most: usize,
        transaction: &Transaction,
    ) -> Vec<Seen> {
        let plan = Arc::clone(&self.profile.plan);
        let view = body::view(&self.bodies, &plan, &self.world, transaction);
        let members = all(&mut self.state, &view, &plan, target);
        let sight = &self.state.sight;
        let seen = members.iter().take(most).map(|member| {
            let mut name = Vec::new();
            sight.write_name(member, &mut name);
            Seen { name, value: sight.text(member.value).to_vec() }
        });
        seen.collect()
    }

    /// A text of a rule with its macros expanded as they stand now.
    pub(in crate::detection) fn expanded(
        &mut self,
        rule: &Rule,
        text: &Text,
        transaction: &Transaction,
    ) -> Vec<u8> {
        let profile = Arc::clone(&self.profile);
        let mut run = Run {
            profile: &profile,
            plan: &profile.plan,
            world: &self.world,
            view: body::view(&self.bodies, &profile.plan, &self.world, transaction),
            state: &mut self.state,
        };
        expand(&mut run, rule, text).into_owned()
    }
}
