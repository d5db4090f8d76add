//! What rules look at in one exchange: each text once, what chains make of it once.

use std::collections::HashMap;
use std::rc::Rc;

use super::shortlist::{Met, Shortlist};
use crate::detection::plan::{ChainId, Plan, Target};
use crate::detection::transformations::TRANSFORMATIONS;
use crate::detection::{Inspection, Seen};
use crate::transaction::Transaction;

/// A text.
pub(super) type Text = Rc<[u8]>;

/// A value, and its name as rules and logs say it.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) name: Text,
    pub(super) value: Text,
}

/// What rules of one phase look at. The phase is over, so that all stays as it is.
#[derive(Default)]
pub(super) struct Values {
    chosen: HashMap<Target, Rc<[Named]>>,
    made: HashMap<(Text, ChainId), Text>,
    met: HashMap<Text, Rc<Met>>,
}

impl Values {
    /// All that a target chooses.
    pub(super) fn chosen(
        &mut self,
        target: &Target,
        inspection: &mut Inspection,
        transaction: &Transaction,
    ) -> Rc<[Named]> {
        if let Some(known) = self.chosen.get(target) {
            return known.clone();
        }
        let seen = inspection.chosen(target, usize::MAX, transaction).into_iter();
        let named = |Seen { name, value }| Named { name: name.into(), value: value.into() };
        let chosen: Rc<[Named]> = seen.map(named).collect();
        self.chosen.insert(target.clone(), chosen.clone());
        chosen
    }

    /// What a chain makes of a text.
    pub(super) fn transformed(&mut self, text: &Text, chain: ChainId, plan: &Plan) -> Text {
        let node = plan.chains.nodes.get(chain.0 as usize);
        let Some((node, step)) = node.and_then(|node| Some((node, node.step?))) else {
            return text.clone();
        };
        let key = (text.clone(), chain);
        if let Some(known) = self.made.get(&key) {
            return known.clone();
        }
        let before = self.transformed(text, node.parent, plan);
        let mut output = Vec::new();
        let step = TRANSFORMATIONS.get(usize::from(step));
        let changed = step.is_some_and(|step| (step.apply)(&before, &mut output));
        let after = if changed { output.into() } else { before };
        self.made.insert(key, after.clone());
        after
    }

    /// What a text has of what links need.
    pub(super) fn met(&mut self, text: &Text, shortlist: &Shortlist) -> Rc<Met> {
        if let Some(known) = self.met.get(text) {
            return known.clone();
        }
        let met = Rc::new(shortlist.met(text));
        self.met.insert(text.clone(), met.clone());
        met
    }
}
