//! How many wrong tokens came from which address lately.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Wrong tokens that may come one after the other.
const BURST: u32 = 10;
/// After which time one more may come.
const EVERY: Duration = Duration::from_secs(6);
/// Addresses that are remembered; past it the one that was wrong longest ago is forgotten.
const ADDRESSES: usize = 4096;

/// Wrong tokens by address. Right ones from an address that is over its bound are not heard
/// either: else the bound would tell nobody anything but where to stop.
#[derive(Default)]
pub(super) struct Failures {
    by_address: Mutex<HashMap<IpAddr, Bucket>>,
}

/// The moment at which all is forgiven; each failure moves it on by [`EVERY`].
struct Bucket {
    forgiven: Instant,
}

impl Failures {
    /// How long this address has to wait; none: not at all.
    pub(super) fn wait(&self, from: IpAddr, now: Instant) -> Option<Duration> {
        let known = self.by_address.lock().unwrap_or_else(PoisonError::into_inner);
        let owed = known.get(&kept_as(from))?.forgiven.saturating_duration_since(now);
        let over = owed.saturating_sub(EVERY * (BURST - 1));
        (!over.is_zero()).then_some(over)
    }

    /// A wrong token came.
    pub(super) fn note(&self, from: IpAddr, now: Instant) {
        let mut known = self.by_address.lock().unwrap_or_else(PoisonError::into_inner);
        let address = kept_as(from);
        if known.len() >= ADDRESSES && !known.contains_key(&address) {
            make_room(&mut known, now);
        }
        let bucket = known.entry(address).or_insert(Bucket { forgiven: now });
        bucket.forgiven = bucket.forgiven.max(now) + EVERY;
    }
}

fn make_room(known: &mut HashMap<IpAddr, Bucket>, now: Instant) {
    known.retain(|_, bucket| bucket.forgiven > now);
    if known.len() < ADDRESSES {
        return;
    }
    let first = known.iter().min_by_key(|(_, bucket)| bucket.forgiven).map(|(address, _)| *address);
    if let Some(address) = first {
        known.remove(&address);
    }
}

/// Whoever has one IPv6 address has the 64 bits below it too.
fn kept_as(from: IpAddr) -> IpAddr {
    match from.to_canonical() {
        IpAddr::V6(address) => {
            let network = u128::from(address) & (u128::MAX << 64);
            IpAddr::V6(Ipv6Addr::from(network))
        }
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(number: u32) -> IpAddr {
        IpAddr::V4(number.into())
    }

    #[test]
    fn ten_may_be_wrong_and_then_one_in_six_seconds() {
        let (failures, start) = (Failures::default(), Instant::now());
        for _ in 0..BURST {
            assert_eq!(failures.wait(address(1), start), None);
            failures.note(address(1), start);
        }
        assert_eq!(failures.wait(address(1), start), Some(EVERY));
        assert_eq!(failures.wait(address(2), start), None, "another address is another");
        assert_eq!(failures.wait(address(1), start + EVERY), None);
        failures.note(address(1), start + EVERY);
        assert!(failures.wait(address(1), start + EVERY).is_some());
    }

    #[test]
    fn addresses_that_are_remembered_are_bounded_and_the_worst_stay() {
        let (failures, now) = (Failures::default(), Instant::now());
        for _ in 0..BURST {
            failures.note(address(0), now);
        }
        for number in 1..10_000 {
            failures.note(address(number), now);
        }
        assert_eq!(failures.by_address.lock().unwrap().len(), ADDRESSES);
        assert!(failures.wait(address(0), now).is_some());
    }

    #[test]
    fn a_network_of_ipv6_is_one_address() {
        let of = |text: &str| kept_as(text.parse().unwrap());
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:1:2:3"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
    }
}
