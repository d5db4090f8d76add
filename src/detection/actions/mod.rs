//! What a match does besides: one file for each family of actions.

pub mod control;
mod environment;
mod persistent;
mod set;

use super::evaluate::Run;
use super::plan::{Deed, Rule};

/// Does one thing for one matching value. `again`: another value of the same link matched before.
pub fn perform(run: &mut Run<'_>, rule: &Rule, deed: &Deed, again: bool) {
    match deed {
        Deed::Control(control) if !again => control::apply(run.state, control),
        // It was run before the match counted; what it says does not matter.
        Deed::Control(_) | Deed::Run(_) => {}
        Deed::Deprecate { collection, name, amount, period } => {
            persistent::deprecate(run, rule, *collection, name, (*amount, *period));
        }
        Deed::Expire { collection, name, after } => {
            persistent::expire(run, rule, *collection, name, after);
        }
        Deed::Identify { collection, key } => persistent::identify(run, rule, *collection, key),
        Deed::Open { collection, key } => persistent::open(run, rule, *collection, key),
        Deed::Sanitise(target) => environment::hide(run.state, target),
        Deed::Set { collection, name, change } => set::set(run, rule, *collection, name, change),
        Deed::SetEnv { name, value } => environment::set(run, rule, name, value.as_ref()),
    }
}
