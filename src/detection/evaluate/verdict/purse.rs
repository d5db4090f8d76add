//! What judging texts may cost, all of them and each head.

use super::memory::LONGEST;

/// What judging one text may cost.
pub struct Purse<'a> {
    /// What is left for all.
    pub left: u64,
    /// What one head may spend in a phase.
    pub share: u64,
    /// By place: what a head spent in this phase, on texts that are too long to be remembered. What
    /// short ones cost is the same whether they are remembered or not, and little for one head.
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
        if cost <= LONGEST as u64 {
            return true;
        }
        let place_in = place as usize;
        if self.by_head.len() <= place_in {
            self.by_head.resize(place_in + 1, 0);
        }
        let Some(before) = self.by_head.get_mut(place_in) else { return true };
        if *before + cost > self.share {
            self.cut.get_or_insert((place, *before + cost));
            return false;
        }
        *before += cost;
        true
    }
}
