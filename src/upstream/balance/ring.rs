//! A ring of hashes (ketama's idea): each peer has many points on a circle, and a key belongs to the
//! first point after its own hash. When a peer goes, only its keys move.

/// Points for each unit of weight: the shares of equal peers then differ by some 8 %.
const POINTS: u64 = 160;

/// Points in all (512 KiB). Past it, each unit of weight has fewer.
const MAX_POINTS: u64 = 1 << 15;

/// Points with the index of their peer, in the order of the circle.
pub(super) struct Ring {
    points: Vec<(u64, usize)>,
}

impl Ring {
    /// A ring of peers by name and weight. Names decide the places, so that all nodes of a fleet
    /// and all versions of a policy agree on them.
    pub(super) fn new(peers: impl Iterator<Item = (String, u32)>) -> Self {
        let peers: Vec<_> = peers.collect();
        let units: u64 = peers.iter().map(|(_, weight)| u64::from(*weight)).sum();
        let mut points = Vec::new();
        for (index, (name, weight)) in peers.iter().enumerate() {
            let count = share(u64::from(*weight), units);
            points.extend((0..count).map(|n| (hash(format!("{name}-{n}").as_bytes()), index)));
        }
        points.sort_unstable();
        Self { points }
    }

    /// The first eligible peer from the key's place on.
    pub(super) fn choose(&self, key: &[u8], eligible: impl Fn(usize) -> bool) -> Option<usize> {
        let place = hash(key);
        let start = self.points.partition_point(|(point, _)| *point < place);
        let (before, after) = self.points.split_at(start);
        after.iter().chain(before).map(|(_, index)| *index).find(|index| eligible(*index))
    }
}

/// How many points `weight` of `units` has.
fn share(weight: u64, units: u64) -> u64 {
    let wanted = units.saturating_mul(POINTS).max(1);
    (weight * POINTS * MAX_POINTS.min(wanted) / wanted).max(1)
}

/// FNV-1a with MurmurHash3's last step, which spreads names that differ in one digit over the whole
/// circle. It has to be stable for ever, which rules out the standard library's; it need not resist
/// an attacker, who can send the same key as often as he likes anyway.
fn hash(bytes: &[u8]) -> u64 {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    let mut hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325, step);
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ (hash >> 33)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: usize = 20_000;

    fn ring(weights: &[u32]) -> Ring {
        let name = |n: usize| format!("10.0.0.{}:80", n + 1);
        Ring::new(weights.iter().enumerate().map(|(n, weight)| (name(n), *weight)))
    }

    /// The peer of each of many keys.
    fn homes(ring: &Ring, eligible: fn(usize) -> bool) -> Vec<usize> {
        let home = |n| ring.choose(format!("192.0.2.{n}").as_bytes(), eligible).unwrap();
        (0..KEYS).map(home).collect()
    }

    fn share_of(index: usize, homes: &[usize]) -> f64 {
        homes.iter().filter(|home| **home == index).count() as f64 / homes.len() as f64
    }

    #[test]
    fn keys_spread_by_weight() {
        let homes = homes(&ring(&[1, 1, 2, 4]), |_| true);
        for (index, wanted) in [0.125, 0.125, 0.25, 0.5].into_iter().enumerate() {
            let share = share_of(index, &homes);
            assert!((share / wanted - 1.0).abs() < 0.25, "peer {index}: {share} for {wanted}");
        }
    }

    #[test]
    fn only_the_keys_of_a_peer_that_is_out_move_and_all_others_share_them() {
        let ring = ring(&[1; 10]);
        let (before, after) = (homes(&ring, |_| true), homes(&ring, |index| index != 3));
        let moved: Vec<_> = (0..KEYS).filter(|n| before[*n] != after[*n]).collect();
        assert!(moved.iter().all(|n| before[*n] == 3));
        assert_eq!(moved.len(), before.iter().filter(|home| **home == 3).count());
        let takers: std::collections::BTreeSet<_> = moved.iter().map(|n| after[*n]).collect();
        assert_eq!(takers.len(), 9);
    }

    #[test]
    fn a_peer_that_joins_takes_its_share_and_nothing_else_moves() {
        let (before, after) = (homes(&ring(&[1; 9]), |_| true), homes(&ring(&[1; 10]), |_| true));
        let moved: Vec<_> = (0..KEYS).filter(|n| before[*n] != after[*n]).collect();
        assert!(moved.iter().all(|n| after[*n] == 9));
        let share = moved.len() as f64 / KEYS as f64;
        assert!((0.07..0.13).contains(&share), "{share}");
    }

    #[test]
    fn places_are_the_same_for_ever() {
        assert_eq!(hash(b""), 0xefd0_1f60_ba99_2926);
        assert_eq!(homes(&ring(&[1; 4]), |_| true)[..8], [3, 3, 3, 1, 1, 3, 1, 1]);
    }

    #[test]
    fn heavy_peers_do_not_make_the_ring_grow_past_its_bound() {
        let ring = ring(&[1000; 200]);
        assert!(ring.points.len() as u64 <= MAX_POINTS + 200);
        assert!((0..200).all(|index| ring.points.iter().any(|(_, peer)| *peer == index)));
    }

    #[test]
    fn nobody_is_chosen_where_nobody_is_eligible() {
        assert_eq!(ring(&[1, 1]).choose(b"key", |_| false), None);
    }
}
