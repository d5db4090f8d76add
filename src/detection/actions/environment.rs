//! `setenv` and `sanitise…`: what access log, scripts and event log get to know.

use crate::detection::evaluate::{Run, State, expand};
use crate::detection::plan::{Rule, Target, Text};

/// Variables that rules can set for one exchange.
const MOST_VARIABLES: usize = 200;

/// Sets a variable of `ENV`, or removes it.
pub fn set(run: &mut Run<'_>, rule: &Rule, name: &Text, value: Option<&Text>) {
    let name = expand(run, rule, name).into_owned();
    let value = value.map(|value| expand(run, rule, value).into_owned());
    let environment = &mut run.state.environment;
    environment.retain(|(known, _)| *known != name);
    if let Some(value) = value.filter(|_| environment.len() < MOST_VARIABLES) {
        environment.push((name, value));
    }
}

/// The event log hides this.
pub fn hide(state: &mut State, target: &Target) {
    if !state.hidden.contains(target) {
        state.hidden.push(target.clone());
    }
}
