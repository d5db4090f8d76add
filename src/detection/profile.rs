//! What differs from route to route over one plan.

use std::sync::Arc;

use super::{Plan, RuleIndex, Target, TxSlot};
use crate::config::Engine;

/// A plan as one route uses it.
#[derive(Debug)]
pub struct Profile {
    /// The rules.
    pub plan: Arc<Plan>,
    /// What is done with what they find.
    pub engine: Engine,
    /// Members of `TX` that the YAML file sets (paranoia levels, thresholds): they are there before
    /// the first rule, and no rule changes them.
    pub pinned: Vec<(TxSlot, Vec<u8>)>,
    /// Rules that do not run, sorted.
    pub removed: Vec<RuleIndex>,
    /// Rules that do not look at something, sorted by rule.
    pub removed_targets: Vec<(RuleIndex, Target)>,
}
