//! A policy's handlers, flattened: what runs in each phase of each route.

use std::sync::Arc;

use super::{BesideStep, ModuleVersion, RouteRules};
use crate::config::{
    BodyLimits, Budget, HandlerMode, HandlerSource, OnError, RouteLua, UpstreamChoice,
};
use crate::functions::Contest;
use crate::transaction::Phase;

/// An index into [`super::Policy::steps`].
pub type StepId = usize;

/// One handler, ready to be loaded by any worker.
#[derive(Debug, Clone)]
pub struct Step {
    /// Where it runs.
    pub phase: Phase,
    /// The index of its isolation domain in [`super::Policy::domains`].
    pub domain: usize,
    /// What runs, with a module's settings filled in.
    pub source: HandlerSource,
    /// The module that it is of; none: it is of none.
    pub version: Option<ModuleVersion>,
    /// How far it counts.
    pub mode: HandlerMode,
    /// What it would have done otherwise, if it runs without effect.
    pub contest: Option<Arc<Contest>>,
    /// What to do when it fails.
    pub on_error: OnError,
    /// What one call of it may cost.
    pub budget: Budget,
    /// The same for two steps only if they are the same: a compiled handler of an older policy
    /// serves where it is.
    pub digest: String,
    /// Whether a `body_filter` handler wants the body in one piece.
    pub whole_body: bool,
}

/// A rule set that judges requests beside the one that counts, without effect.
#[derive(Debug, Clone)]
pub struct RulesBeside {
    /// The rules.
    pub rules: RouteRules,
    /// For how many exchanges.
    pub mode: HandlerMode,
    /// What they would have done otherwise.
    pub contest: Arc<Contest>,
}

/// What runs for the requests of one route.
#[derive(Debug, Clone)]
pub struct RoutePlan {
    /// The label in metrics and logs.
    pub name: Arc<str>,
    /// Whether it serves only what comes from within.
    pub internal: bool,
    /// Where its requests go.
    pub upstream: UpstreamChoice,
    /// How large its bodies may be.
    pub body: BodyLimits,
    /// MIME types whose bodies `body_filter` handlers see; empty: all.
    pub body_filter_types: Vec<String>,
    /// By [`Phase::index`]: global handlers first, then the route's own, each in the order written.
    pub phases: [Vec<StepId>; 9],
    /// Handlers that run beside these, without effect.
    pub beside: Vec<BesideStep>,
    /// Whether a `body_filter` handler wants the body in one piece.
    pub whole_body: bool,
    /// Whether a response too long to be held for such a handler is refused (else it passes as it is).
    pub refuses_long_responses: bool,
    /// The rules that judge its exchanges; none: there are none, or the engine is off.
    pub rules: Option<RouteRules>,
    /// Rules that judge its requests beside these, without effect.
    pub rules_beside: Option<RulesBeside>,
    /// What its scripts find.
    pub lua: RouteLua,
    /// The scripts that these call, by path.
    pub scripts: Vec<(Box<str>, StepId)>,
}

impl RoutePlan {
    /// The handlers of one phase, in order.
    pub fn of(&self, phase: Phase) -> &[StepId] {
        self.phases.get(phase.index()).map_or(&[], Vec::as_slice)
    }

    /// The script at this path, which a rule calls.
    pub fn script(&self, path: &str) -> Option<StepId> {
        self.scripts.iter().find(|(known, _)| **known == *path).map(|(_, id)| *id)
    }

    /// Whether any handler or rule looks at responses.
    pub fn sees_responses(&self) -> bool {
        self.rules.is_some()
            || self.beside.iter().any(|step| step.phase >= Phase::HeaderFilter)
            || [Phase::HeaderFilter, Phase::BodyFilter, Phase::Log]
                .into_iter()
                .any(|phase| !self.of(phase).is_empty())
    }
}
