//! What judging texts may cost, all of them and each head.

use super::memory::SHORT;

/// What judging one text may cost.
pub struct Purse<'a> {
    /// What is left for all.
    pub left: u64,
    /// After how much of it others have their turn.
    pub slice: u64,
    /// What one head may spend in a phase.
    pub share: u64,
    /// By place: what a head spent in this phase on texts that are not short; what those cost is
    /// little for one head.
    pub by_head: &'a mut Vec<u64>,
    /// What was to cost more than is left.
    pub emptied: Option<u64>,
    /// The head that was to spend more than its share first, and how much that was.
    pub cut: Option<(u32, u64)>,
}

impl Purse<'_> {
    /// Whether there is nothing left after this was spent.
    pub fn is_empty(&mut self, spent: u64) -> bool {
        if spent > self.left {
            self.emptied.get_or_insert(spent);
        }
        self.emptied.is_some()
    }

    /// Whether a head may spend so much, after what was spent on the text before.
    pub fn allows(&mut self, place: u32, spent: u64, cost: u64) -> bool {
        if self.is_empty(spent + cost) {
            return false;
        }
        if cost <= SHORT as u64 {
            return true;
        }
        let before = self.by_head.get(place as usize).copied().unwrap_or(0);
        if before + cost > self.share {
            self.cut.get_or_insert((place, before + cost));
            return false;
        }
        self.spend(place, cost);
        true
    }

    /// Spends what heads spent on the same text before; false if one of them has too little left,
    /// and then nothing is spent.
    pub fn spend_again(&mut self, spent: impl Iterator<Item = (u32, u64)> + Clone) -> bool {
        let again = spent.clone();
        spent.for_each(|(place, cost)| self.spend(place, cost));
        let is_over = |(place, _): (u32, u64)| self.by_head.get(place as usize) > Some(&self.share);
        let enough = !again.clone().any(is_over);
        if !enough {
            for (place, cost) in again {
                if let Some(before) = self.by_head.get_mut(place as usize) {
                    *before -= cost;
                }
            }
        }
        enough
    }

    /// A head spends so much, whatever it may.
    pub fn spend(&mut self, place: u32, cost: u64) {
        let place = place as usize;
        if self.by_head.len() <= place {
            self.by_head.resize(place + 1, 0);
        }
        if let Some(before) = self.by_head.get_mut(place) {
            *before += cost;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Purse;

    #[test]
    fn a_head_spends_its_share_whether_verdicts_are_remembered_or_not() {
        let mut by_head = Vec::new();
        let by_head = &mut by_head;
        let mut purse =
            Purse { left: 90_000, slice: 90_000, share: 10_000, by_head, emptied: None, cut: None };
        assert!(purse.allows(3, 0, 6_000) && purse.allows(4, 0, 100));
        let spent = [(5, 3_000), (3, 3_000)];
        assert!(purse.spend_again(spent.into_iter()));
        assert!(!purse.spend_again(spent.into_iter()), "9,000 of 10,000 are gone");
        assert_eq!(*purse.by_head, [0, 0, 0, 9_000, 0, 3_000]);
        assert!(purse.cut.is_none() && !purse.allows(3, 0, 3_000));
        assert_eq!(purse.cut, Some((3, 12_000)));
        assert!(!purse.is_empty(90_000) && purse.is_empty(90_001));
    }
}
