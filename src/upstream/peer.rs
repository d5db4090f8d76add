//! One peer: what is in flight to it, and how it is judged.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::config::{Address, HealthCheck};
use crate::telemetry::events;

/// A peer as it is now, for operators.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PeerStatus {
    /// The upstream's name.
    pub upstream: String,
    /// The peer, as declared.
    pub peer: String,
    /// Whether requests go there.
    pub healthy: bool,
    /// Requests there now, of all workers.
    pub in_flight: usize,
    /// Failures since its last success.
    pub fails: u32,
}

/// The state of one peer, shared by all threads and by all policies that name it.
///
/// It is all independent numbers, so no ordering is asked of them: two threads that judge at the
/// same time may send one request more or less to a failing peer, and no harm is done.
pub(super) struct Peer {
    upstream: String,
    address: Address,
    name: String,
    in_flight: AtomicUsize,
    fails: AtomicU32,
    /// Left out by its failures until this moment; 0: it is not.
    out_until: AtomicU64,
    passes_checks: AtomicBool,
    /// What operators were told last.
    told: AtomicBool,
}

/// A moment, in nanoseconds since the process first asked; never 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Moment(u64);

impl Moment {
    pub(super) fn now() -> Self {
        static START: LazyLock<Instant> = LazyLock::new(Instant::now);
        Self(START.elapsed().as_nanos() as u64 + 1)
    }

    pub(super) fn after(self, time: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)))
    }
}

impl Peer {
    pub(super) fn new(upstream: &str, address: Address) -> Self {
        Self {
            upstream: upstream.to_owned(),
            name: address.to_string(),
            address,
            in_flight: AtomicUsize::new(0),
            fails: AtomicU32::new(0),
            out_until: AtomicU64::new(0),
            passes_checks: AtomicBool::new(true),
            told: AtomicBool::new(true),
        }
    }

    pub(super) fn address(&self) -> &Address {
        &self.address
    }

    /// As declared; stable, for the ring of hashes and for operators.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.load(Relaxed)
    }

    pub(super) fn enter(&self) {
        self.in_flight.fetch_add(1, Relaxed);
    }

    pub(super) fn leave(&self) {
        self.in_flight.fetch_sub(1, Relaxed);
    }

    /// Whether requests should go there. One that was left out and whose time is over is healthy
    /// until [`Peer::try_again`].
    pub(super) fn is_healthy(&self, now: Moment) -> bool {
        self.passes_checks.load(Relaxed) && self.out_until.load(Relaxed) <= now.0
    }

    /// Called for a peer that was chosen. If it was left out and its time is over, this one request
    /// tries it, and the others wait for how that goes: so a dead peer costs one request for each
    /// `fail_time`, not all that come in the moment when it is up.
    pub(super) fn try_again(&self, health: &HealthCheck, now: Moment) {
        let until = self.out_until.load(Relaxed);
        if until != 0 && until <= now.0 {
            let next = now.after(health.fail_time).0;
            // If another thread was faster, two requests try it.
            let _ = self.out_until.compare_exchange(until, next, Relaxed, Relaxed);
        }
    }

    pub(super) fn succeeded(&self) {
        if self.fails.load(Relaxed) != 0 {
            self.absolve();
        }
    }

    pub(super) fn failed(&self, health: &HealthCheck, now: Moment) {
        let fails = self.fails.fetch_add(1, Relaxed).saturating_add(1);
        if health.max_fails != 0 && fails >= health.max_fails {
            self.out_until.store(now.after(health.fail_time).0, Relaxed);
            self.tell();
        }
    }

    /// The word of the active checks.
    pub(super) fn checked(&self, good: bool) {
        self.passes_checks.store(good, Relaxed);
        self.tell();
    }

    /// Called when a policy comes into force: a judgement is void where it no longer judges that
    /// way. Operators are told the rest, though nothing changed.
    pub(super) fn adopt(&self, health: &HealthCheck) {
        if health.path.is_none() {
            self.checked(true);
        }
        if health.max_fails == 0 {
            self.absolve();
        }
        self.emit(self.told.load(Relaxed));
    }

    pub(super) fn status(&self, now: Moment) -> PeerStatus {
        PeerStatus {
            upstream: self.upstream.clone(),
            peer: self.name.clone(),
            healthy: self.is_healthy(now),
            in_flight: self.in_flight(),
            fails: self.fails.load(Relaxed),
        }
    }

    fn absolve(&self) {
        self.fails.store(0, Relaxed);
        self.out_until.store(0, Relaxed);
        self.tell();
    }

    /// Looks again after each word, lest another thread's later judgement be told first.
    fn tell(&self) {
        loop {
            let sound = self.passes_checks.load(Relaxed) && self.out_until.load(Relaxed) == 0;
            if self.told.swap(sound, Relaxed) == sound {
                return;
            }
            self.emit(sound);
        }
    }

    fn emit(&self, healthy: bool) {
        events::PeerJudged { upstream: &self.upstream, peer: &self.name, healthy }.emit();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn peer() -> Peer {
        Peer::new("app", Address::Name("one".to_owned(), 80))
    }

    fn health() -> HealthCheck {
        HealthCheck { max_fails: 2, fail_time: 10 * SECOND, ..HealthCheck::default() }
    }

    #[test]
    fn failures_in_a_row_leave_a_peer_out_for_the_fail_time() {
        let (peer, now) = (peer(), Moment::now());
        peer.failed(&health(), now);
        assert!(peer.is_healthy(now));
        peer.failed(&health(), now);
        assert!(!peer.is_healthy(now));
        assert!(!peer.is_healthy(now.after(9 * SECOND)));
        assert!(peer.is_healthy(now.after(10 * SECOND)));
    }

    #[test]
    fn a_success_between_failures_starts_the_count_again() {
        let (peer, now) = (peer(), Moment::now());
        peer.failed(&health(), now);
        peer.succeeded();
        peer.failed(&health(), now);
        assert!(peer.is_healthy(now));
    }

    #[test]
    fn one_request_tries_a_peer_whose_time_is_over() {
        let (peer, now) = (peer(), Moment::now());
        (0..2).for_each(|_| peer.failed(&health(), now));
        let later = now.after(11 * SECOND);
        peer.try_again(&health(), later);
        assert!(!peer.is_healthy(later), "the others wait");
        peer.succeeded();
        assert!(peer.is_healthy(later));
    }

    #[test]
    fn a_failed_trial_leaves_it_out_again_at_once() {
        let (peer, now) = (peer(), Moment::now());
        (0..2).for_each(|_| peer.failed(&health(), now));
        let later = now.after(10 * SECOND);
        peer.try_again(&health(), later);
        peer.failed(&health(), later);
        assert!(!peer.is_healthy(later.after(9 * SECOND)));
    }

    #[test]
    fn a_peer_is_never_left_out_where_failures_do_not_count() {
        let never = HealthCheck { max_fails: 0, ..health() };
        let (peer, now) = (peer(), Moment::now());
        (0..100).for_each(|_| peer.failed(&never, now));
        assert!(peer.is_healthy(now));
    }

    #[test]
    fn a_judgement_is_void_where_a_new_policy_does_not_judge_that_way() {
        let (peer, now) = (peer(), Moment::now());
        peer.checked(false);
        (0..2).for_each(|_| peer.failed(&health(), now));
        peer.adopt(&health());
        assert!(!peer.is_healthy(now), "passive checks still count");
        peer.adopt(&HealthCheck { max_fails: 0, ..health() });
        assert!(peer.is_healthy(now));
    }

    #[test]
    fn a_peer_back_from_active_checks_may_still_be_out_by_its_failures() {
        let (peer, now) = (peer(), Moment::now());
        (0..2).for_each(|_| peer.failed(&health(), now));
        peer.checked(true);
        assert!(!peer.is_healthy(now));
    }
}
