//! What many rules share: names, lists of targets, chains of transformations.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use super::WELL_KNOWN_TX;
use crate::detection::operators::Fault;
use crate::detection::pattern::{Case, Pattern};
use crate::detection::{ChainId, ChainNode, Chains, TargetSet, TargetSetId, TxSlot};

/// Things by number, each once.
pub(super) struct Pool<T> {
    all: Vec<T>,
    numbers: HashMap<T, u32>,
}

impl<T: Clone + Eq + Hash> Pool<T> {
    pub(super) fn number(&mut self, thing: T) -> u32 {
        if let Some(number) = self.numbers.get(&thing) {
            return *number;
        }
        let number = self.all.len() as u32;
        self.all.push(thing.clone());
        self.numbers.insert(thing, number);
        number
    }

    pub(super) fn into_vec(self) -> Vec<T> {
        self.all
    }
}

impl<T> Default for Pool<T> {
    fn default() -> Self {
        Self { all: Vec::new(), numbers: HashMap::new() }
    }
}

/// What many rules share.
pub(super) struct Pools {
    pub(super) tx_names: Pool<Box<[u8]>>,
    target_sets: Pool<TargetSet>,
    steps: Pool<(ChainId, u16)>,
    patterns: HashMap<Vec<u8>, Result<Arc<Pattern>, Fault>>,
}

impl Pools {
    pub(super) fn new() -> Self {
        let mut tx_names = Pool::default();
        let captures = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];
        for name in captures.iter().chain(WELL_KNOWN_TX) {
            tx_names.number(name.as_bytes().into());
        }
        Self {
            tx_names,
            target_sets: Pool::default(),
            steps: Pool::default(),
            patterns: HashMap::new(),
        }
    }

    /// The slot of a member of `TX`; the name is lower case.
    pub(super) fn tx_slot(&mut self, name: Vec<u8>) -> TxSlot {
        TxSlot(self.tx_names.number(name.into()))
    }

    pub(super) fn target_set(&mut self, set: TargetSet) -> TargetSetId {
        TargetSetId(self.target_sets.number(set))
    }

    /// The chain of these transformations, by their places in the list of all.
    pub(super) fn chain(&mut self, steps: &[u16]) -> ChainId {
        steps
            .iter()
            .fold(ChainId(0), |parent, step| ChainId(self.steps.number((parent, *step)) + 1))
    }

    /// A pattern on names.
    pub(super) fn pattern(&mut self, written: &[u8]) -> Result<Arc<Pattern>, Fault> {
        let compile = || Pattern::new(written, Case::Folds).map(Arc::new);
        self.patterns.entry(written.to_vec()).or_insert_with(compile).clone()
    }

    /// The names of `TX`, the lists of targets and the chains, in the order of their numbers.
    pub(super) fn into_parts(self) -> (Vec<Box<[u8]>>, Vec<TargetSet>, Chains) {
        let mut nodes = vec![ChainNode { parent: ChainId(0), step: None, all: 0 }];
        for (parent, step) in self.steps.into_vec() {
            // A chain stands behind the one that it goes on from.
            let before = nodes.get(parent.0 as usize).map_or(0, |node: &ChainNode| node.all);
            nodes.push(ChainNode { parent, step: Some(step), all: before | 1 << step });
        }
        (self.tx_names.into_vec(), self.target_sets.into_vec(), Chains { nodes })
    }
}

#[cfg(test)]
mod tests {
    use super::Pools;
    use crate::detection::{ChainId, TxSlot};

    #[test]
    fn chains_share_their_beginnings() {
        let mut pools = Pools::new();
        assert_eq!(pools.chain(&[]), ChainId(0));
        let long = pools.chain(&[3, 1, 2]);
        let short = pools.chain(&[3, 1]);
        let (_, _, chains) = pools.into_parts();
        assert_eq!(chains.nodes.len(), 4, "a root and three steps");
        assert_eq!(chains.nodes[long.0 as usize].parent, short);
        assert_eq!(chains.nodes[long.0 as usize].step, Some(2));
    }

    #[test]
    fn what_captures_go_to_comes_first() {
        let mut pools = Pools::new();
        assert_eq!(pools.tx_slot(b"7".to_vec()), TxSlot(7));
        let slot = pools.tx_slot(b"new".to_vec());
        assert_eq!(pools.tx_slot(b"new".to_vec()), slot);
    }
}
