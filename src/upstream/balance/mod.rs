//! Whose turn it is: by turns, by load, or by the hash of a key.

mod ring;
mod round_robin;

use self::ring::Ring;
use self::round_robin::RoundRobin;
use crate::config::{self, Balance};

/// Chooses among peers by their indexes.
pub(super) struct Balancer {
    weights: Vec<u32>,
    turns: RoundRobin,
    order: Order,
}

/// What comes before turns.
enum Order {
    Hash(Ring),
    LeastConnections,
    Turns,
}

impl Balancer {
    /// For the peers of `config`; `turns` has one number for each, all 0 at first. What comes from
    /// other weights may be out of all proportion to these, and is cut to it.
    pub(super) fn new(config: &config::Upstream, turns: Vec<i64>) -> Self {
        let weights: Vec<u32> = config.peers.iter().map(|peer| peer.weight).collect();
        let most: i64 = weights.iter().map(|weight| i64::from(*weight)).sum();
        let turns = turns.into_iter().map(|turn: i64| turn.clamp(-most, most)).collect();
        let order = match config.balance {
            Balance::ConsistentHash { .. } => Order::Hash(Ring::new(
                config.peers.iter().map(|peer| (peer.address.to_string(), peer.weight)),
            )),
            Balance::LeastConnections => Order::LeastConnections,
            Balance::RoundRobin => Order::Turns,
        };
        Self { weights, turns: RoundRobin::new(turns), order }
    }

    /// One of those that are `eligible`, or none if none is. `load` is how many requests a peer has
    /// now.
    pub(super) fn choose(
        &self,
        key: Option<&[u8]>,
        eligible: impl Fn(usize) -> bool,
        load: impl Fn(usize) -> usize,
    ) -> Option<usize> {
        match (&self.order, key) {
            (Order::Hash(ring), Some(key)) => ring.choose(key, eligible),
            (Order::LeastConnections, _) => self.least_busy(eligible, load),
            (Order::Hash(_), None) | (Order::Turns, _) => {
                self.turns.choose(&self.weights, eligible)
            }
        }
    }

    /// The state of this peer's turns, for the balancer of the next policy.
    pub(super) fn turn(&self, index: usize) -> i64 {
        self.turns.state(index)
    }

    /// The least load for its weight; peers that are equal in that take turns.
    fn least_busy(
        &self,
        eligible: impl Fn(usize) -> bool,
        load: impl Fn(usize) -> usize,
    ) -> Option<usize> {
        let busy =
            |index: usize, weight: u32| Busy { load: load(index) as u64, weight: weight.max(1) };
        let candidates = self.weights.iter().enumerate().filter(|(index, _)| eligible(*index));
        let (least, first) =
            candidates.map(|(index, weight)| (busy(index, *weight), index)).min()?;
        let equal = |index: usize| {
            let weight = self.weights.get(index).copied().unwrap_or(1);
            eligible(index) && busy(index, weight) <= least
        };
        // None: other threads' requests came in between.
        self.turns.choose(&self.weights, equal).or(Some(first))
    }
}

/// Requests for each unit of weight, compared as fractions.
#[derive(Debug, Clone, Copy)]
struct Busy {
    load: u64,
    weight: u32,
}

impl Ord for Busy {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let (ours, theirs) = (u64::from(other.weight), u64::from(self.weight));
        self.load.saturating_mul(ours).cmp(&other.load.saturating_mul(theirs))
    }
}

impl PartialOrd for Busy {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Busy {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Busy {}

#[cfg(test)]
mod tests {
    use super::*;

    fn least_connections(weights: &[u32]) -> Balancer {
        Balancer {
            weights: weights.to_vec(),
            turns: RoundRobin::new(vec![0; weights.len()]),
            order: Order::LeastConnections,
        }
    }

    #[test]
    fn load_is_counted_for_each_unit_of_weight() {
        let balancer = least_connections(&[1, 4]);
        assert_eq!(balancer.choose(None, |_| true, |index| [1, 3][index]), Some(1));
        assert_eq!(balancer.choose(None, |_| true, |index| [1, 5][index]), Some(0));
    }

    #[test]
    fn requests_that_stay_spread_by_weight() {
        let balancer = least_connections(&[1, 2, 3]);
        let mut loads = [0usize; 3];
        for _ in 0..600 {
            let chosen = balancer.choose(None, |_| true, |index| loads[index]).unwrap();
            loads[chosen] += 1;
        }
        assert_eq!(loads, [100, 200, 300]);
    }

    #[test]
    fn idle_peers_take_turns_by_weight() {
        let balancer = least_connections(&[1, 3]);
        let mut taken = [0usize; 2];
        for _ in 0..8 {
            taken[balancer.choose(None, |_| true, |_| 0).unwrap()] += 1;
        }
        assert_eq!(taken, [2, 6]);
    }

    #[test]
    fn nobody_is_chosen_where_nobody_is_eligible() {
        assert_eq!(least_connections(&[1, 1]).choose(None, |_| false, |_| 0), None);
    }
}
