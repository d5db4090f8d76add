//! `setvar`: members of `TX` and of persistent collections.

use super::persistent;
use crate::detection::evaluate::{Key, Run, expand, number_of};
use crate::detection::plan::{Change, Collection, Name, Rule};

/// Changes a member.
pub fn set(run: &mut Run<'_>, rule: &Rule, collection: Collection, name: &Name, change: &Change) {
    match (collection, name) {
        (Collection::Tx, Name::Slot(slot)) => set_tx(run, rule, Key::Slot(*slot), change),
        (Collection::Tx, Name::Text(name)) => {
            let name = expand(run, rule, name).to_ascii_lowercase();
            set_tx(run, rule, Key::Name(&name), change);
        }
        (other, Name::Text(name)) => {
            let name = expand(run, rule, name);
            persistent::set(run, rule, other, &name, change);
        }
        // Slots are of `TX` only.
        (_, Name::Slot(_)) => {}
    }
}

fn set_tx(run: &mut Run<'_>, rule: &Rule, key: Key<'_>, change: &Change) {
    match change {
        Change::Add(by) => {
            let by = number_of(run, rule, by);
            run.state.tx.add(run.plan, key, by);
        }
        Change::Subtract(by) => {
            let by = number_of(run, rule, by);
            run.state.tx.add(run.plan, key, by.saturating_neg());
        }
        Change::Set(text) => {
            let text = expand(run, rule, text);
            run.state.tx.set(run.plan, key, &text);
        }
        Change::Unset => run.state.tx.unset(run.plan, key),
    }
}
