//! `ctl`: what is switched for this exchange.

use std::sync::Arc;

use crate::detection::evaluate::State;
use crate::detection::plan::{Control, RuleIndex, Target};

/// Switches one thing.
pub fn apply(state: &mut State, control: &Control) {
    let switches = &mut state.switches;
    match control {
        Control::AuditEngine(engine) => switches.audit = Some(*engine),
        Control::AuditLogParts(parts) => {
            // Each is written in a rule: there are not many.
            if !switches.audit_parts.contains(parts) {
                switches.audit_parts.push(parts.clone());
            }
        }
        Control::ForceRequestBody(force) => switches.force_body = *force,
        Control::RequestBodyAccess(access) => switches.request_body = Some(*access),
        Control::RequestBodyLimit(limit) => switches.request_limit = Some(*limit),
        Control::RequestBodyProcessor(format) => switches.processor = Some(*format),
        Control::ResponseBodyAccess(access) => switches.response_body = Some(*access),
        Control::ResponseBodyLimit(limit) => switches.response_limit = Some(*limit),
        Control::RuleEngine(engine) => switches.engine = Some(*engine),
        Control::Remove(rules) => remove(state, rules),
        Control::RemoveTarget(rules, target) => remove_target(state, rules, target),
    }
}

/// These rules do not run for this exchange.
pub fn remove(state: &mut State, rules: &[RuleIndex]) {
    state.is_touched = true;
    for rule in rules {
        state.switches.removed.insert(rule.0);
    }
}

/// These rules do not look at something for this exchange.
pub fn remove_target(state: &mut State, rules: &Arc<[RuleIndex]>, target: &Target) {
    state.is_touched = true;
    let switches = &mut state.switches;
    let known = |(known, what): &(Arc<[RuleIndex]>, Target)| known == rules && what == target;
    if switches.removed_targets.iter().any(known) {
        return;
    }
    for rule in rules.iter() {
        switches.narrowed.insert(rule.0);
    }
    switches.removed_targets.push((Arc::clone(rules), target.clone()));
}
