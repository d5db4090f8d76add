//! What scripts switch off for one exchange: rules, or that they look at something.

use std::sync::Arc;

use super::Inspection;
use crate::detection::actions::control;
use crate::detection::profile::target;
use crate::detection::{Plan, Rule, RuleIndex};

/// Which rules a script speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Named<'a> {
    /// Those of these ids, both ends included.
    Ids(u64, u64),
    /// Those that have this tag, letter by letter.
    Tag(&'a [u8]),
}

impl Inspection {
    /// These rules do not run any more in this exchange; how many they are.
    pub fn remove_rules(&mut self, named: Named<'_>) -> usize {
        let rules = named.of(&self.profile.plan);
        control::remove(&mut self.state, &rules);
        rules.len()
    }

    /// These rules do not look at something any more in this exchange, named as rules name it
    /// (`ARGS:password`); how many they are.
    ///
    /// # Errors
    /// What is wrong with the target.
    pub fn remove_target(&mut self, named: Named<'_>, text: &str) -> Result<usize, String> {
        let plan = Arc::clone(&self.profile.plan);
        let target = target(&plan, text).map_err(|complaint| complaint.message)?;
        let rules: Arc<[RuleIndex]> = named.of(&plan).into();
        control::remove_target(&mut self.state, &rules, &target);
        Ok(rules.len())
    }
}

impl Named<'_> {
    fn of(self, plan: &Plan) -> Vec<RuleIndex> {
        let rules = plan.rules.iter().zip(0..);
        rules.filter(|(rule, _)| self.means(rule)).map(|(_, index)| RuleIndex(index)).collect()
    }

    fn means(self, rule: &Rule) -> bool {
        match self {
            Self::Ids(first, last) => (first..=last).contains(&rule.id),
            Self::Tag(wanted) => rule.about.tags.iter().any(|tag| tag.as_fixed() == Some(wanted)),
        }
    }
}
