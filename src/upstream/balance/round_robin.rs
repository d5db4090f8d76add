//! In turn, by weight, and smoothly: weights 5, 1, 1 give `a a b a c a a`, never five in a row.
//!
//! Each peer has credit. At every choice each candidate's credit grows by its weight, the richest is
//! chosen and pays the weights of all. Described by nginx's authors as smooth weighted balancing.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// The credit of every peer, by index.
pub(super) struct RoundRobin {
    credit: Mutex<Vec<i64>>,
}

impl RoundRobin {
    pub(super) fn new(credit: Vec<i64>) -> Self {
        Self { credit: Mutex::new(credit) }
    }

    /// The next of those that are `eligible`.
    pub(super) fn choose(
        &self,
        weights: &[u32],
        eligible: impl Fn(usize) -> bool,
    ) -> Option<usize> {
        let mut credit = self.credit();
        let (mut total, mut best) = (0, None);
        for (index, (credit, weight)) in credit.iter_mut().zip(weights).enumerate() {
            if !eligible(index) {
                continue;
            }
            *credit += i64::from(*weight);
            total += i64::from(*weight);
            if best.is_none_or(|(_, most)| *credit > most) {
                best = Some((index, *credit));
            }
        }
        let (index, _) = best?;
        *credit.get_mut(index)? -= total;
        Some(index)
    }

    /// The credit of one peer.
    pub(super) fn state(&self, index: usize) -> i64 {
        self.credit().get(index).copied().unwrap_or(0)
    }

    /// Numbers cannot be left half-written, so a panic elsewhere does not matter here.
    fn credit(&self) -> MutexGuard<'_, Vec<i64>> {
        self.credit.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(weights: &[u32], times: usize, eligible: fn(usize) -> bool) -> Vec<usize> {
        let turns = RoundRobin::new(vec![0; weights.len()]);
        (0..times).map(|_| turns.choose(weights, eligible).unwrap()).collect()
    }

    #[test]
    fn a_heavy_peer_is_not_taken_in_one_run() {
        assert_eq!(taken(&[5, 1, 1], 7, |_| true), [0, 0, 1, 0, 2, 0, 0]);
    }

    #[test]
    fn every_cycle_is_exact_by_weight() {
        let weights = [7, 3, 1, 9];
        for cycle in taken(&weights, 20 * 5, |_| true).chunks(20) {
            let count = |index| cycle.iter().filter(|taken| **taken == index).count() as u32;
            assert_eq!([0, 1, 2, 3].map(count), weights);
        }
    }

    #[test]
    fn the_share_of_one_left_out_goes_to_the_others_by_weight() {
        let taken = taken(&[2, 4, 1], 30, |index| index != 1);
        assert_eq!(taken.iter().filter(|index| **index == 0).count(), 20);
        assert_eq!(taken.iter().filter(|index| **index == 2).count(), 10);
    }

    #[test]
    fn a_peer_that_was_out_for_long_does_not_come_back_with_arrears() {
        let turns = RoundRobin::new(vec![0, 0]);
        (0..1000).for_each(|_| {
            turns.choose(&[1, 1], |index| index == 0);
        });
        let next: Vec<_> = (0..4).map(|_| turns.choose(&[1, 1], |_| true).unwrap()).collect();
        assert_eq!(next, [0, 1, 0, 1]);
    }
}
