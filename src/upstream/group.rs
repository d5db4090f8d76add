//! A named group of peers, and the choice among them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::PeerStatus;
use super::balance::Balancer;
use super::peer::{Moment, Peer};
use super::tls::Tls;
use crate::config::{self, Address, Balance, HealthCheck, Retries, Timeouts};
use crate::transaction::Times;

/// A named group of peers.
pub struct Group {
    /// Its name, to be shared with logs and metrics.
    pub label: Arc<str>,
    config: config::Upstream,
    tls: Option<Arc<Tls>>,
    peers: Vec<Arc<Peer>>,
    balancer: Balancer,
}

/// A peer that was chosen for a request: counted as in flight until this is dropped.
pub struct Lease {
    group: Arc<Group>,
    peer: Arc<Peer>,
    index: usize,
    /// The address of ours from which it is asked.
    local: Option<SocketAddr>,
}

/// On what terms a peer that a script chose is asked.
#[derive(Debug, Clone, Copy, Default)]
pub struct Terms {
    /// How long it may take, where not as the upstream's settings say.
    pub times: Times,
    /// How long a connection to it is kept; none: it is not.
    pub idle: Option<Duration>,
}

impl Group {
    pub(super) fn new(config: config::Upstream, previous: Option<&Self>) -> Self {
        let before = previous.and_then(|group| group.tls.clone());
        let tls = config.tls.as_ref().map(|settings| {
            let kept = before.filter(|tls| tls.is_of(settings));
            kept.unwrap_or_else(|| Arc::new(Tls::new(settings.clone())))
        });
        Self::of(config, tls, previous)
    }

    fn of(config: config::Upstream, tls: Option<Arc<Tls>>, previous: Option<&Self>) -> Self {
        let kept = |address: &Address| previous.and_then(|group| group.find(address));
        let new = |address: &Address| (Arc::new(Peer::new(&config.name, address.clone())), 0);
        let addresses = config.peers.iter().map(|peer| &peer.address);
        let (peers, turns) =
            addresses.map(|address| kept(address).unwrap_or_else(|| new(address))).unzip();
        let balancer = Balancer::new(&config, turns);
        Self { label: config.name.as_str().into(), config, tls, peers, balancer }
    }

    /// The group of one address that a script computed. Its timeouts are the defaults; nobody
    /// judges its peer, for nobody would remember.
    pub fn computed(address: Address) -> Arc<Self> {
        let config = config::Upstream {
            name: address.to_string(),
            peers: vec![config::Peer { address, weight: 1 }],
            balance: Balance::RoundRobin,
            timeouts: Timeouts::default(),
            retries: Retries { tries: 1 },
            health: HealthCheck { max_fails: 0, ..HealthCheck::default() },
            keepalive: 4,
            keepalive_time: Duration::from_secs(10),
            host: None,
            tls: None,
            retry_on: Vec::new(),
            balancing: None,
        };
        Arc::new(Self::new(config, None))
    }

    /// A peer at an address that a script chose, which need be none of the group's. Nobody judges it:
    /// the script does.
    pub fn lease_of(&self, address: SocketAddr, terms: &Terms) -> Option<Lease> {
        let declared = &self.config;
        let config = config::Upstream {
            peers: vec![config::Peer { address: Address::Socket(address), weight: 1 }],
            balance: Balance::RoundRobin,
            timeouts: Timeouts {
                connect: terms.times.connect.unwrap_or(declared.timeouts.connect),
                read: terms.times.read.unwrap_or(declared.timeouts.read),
                write: terms.times.send.unwrap_or(declared.timeouts.write),
            },
            health: HealthCheck { max_fails: 0, ..HealthCheck::default() },
            keepalive: terms.idle.map_or(0, |_| declared.keepalive),
            keepalive_time: terms.idle.unwrap_or_default(),
            balancing: None,
            ..declared.clone()
        };
        Arc::new(Self::of(config, self.tls.clone(), None)).pick(None, &[])
    }

    /// As declared; a computed one's is its address.
    pub fn name(&self) -> &str {
        &self.config.name
    }

    /// As declared.
    pub fn config(&self) -> &config::Upstream {
        &self.config
    }

    /// How its peers are spoken to in TLS, if they are.
    pub(super) fn tls(&self) -> Option<&Arc<Tls>> {
        self.tls.as_ref()
    }

    /// The variable whose value [`Group::pick`] wants as its key, where peers are chosen by
    /// consistent hash.
    pub fn hash_key(&self) -> Option<&str> {
        match &self.config.balance {
            Balance::ConsistentHash { key } => Some(key),
            Balance::LeastConnections | Balance::RoundRobin => None,
        }
    }

    /// Chooses a peer, and counts the request as in flight until the lease is dropped. None only if
    /// the group has no peer.
    ///
    /// `tried` are the [indexes](Lease::index) that this request has tried: they are taken again
    /// only where no other healthy peer is left. `key` is what [`Group::hash_key`] asks for; without
    /// one, peers take turns.
    ///
    /// If no peer is healthy, all are taken as if they were: a health check that is wrong, or one
    /// bad minute of all peers, must not take the site down. The worst that comes of it is the
    /// error that the client would have got anyway.
    pub fn pick(self: &Arc<Self>, key: Option<&[u8]>, tried: &[usize]) -> Option<Lease> {
        match self.peers.as_slice() {
            [] => None,
            [only] => Some(Lease::new(self, only, 0)),
            _ => self.pick_at(Moment::now(), key, tried),
        }
    }

    pub(super) fn pick_at(
        self: &Arc<Self>,
        now: Moment,
        key: Option<&[u8]>,
        tried: &[usize],
    ) -> Option<Lease> {
        let standing =
            |index: usize| Standing::of(self.peers.get(index), tried.contains(&index), now);
        let (best, first) = (0..self.peers.len()).map(|index| (standing(index), index)).min()?;
        let load = |index: usize| self.peers.get(index).map_or(0, |peer| peer.in_flight());
        let chosen = self.balancer.choose(key, |index| standing(index) == best, load);
        // None: another thread judged the peers anew between the two looks at them.
        let index = chosen.unwrap_or(first);
        let peer = self.peers.get(index)?;
        peer.try_again(&self.config.health, now);
        Some(Lease::new(self, peer, index))
    }

    pub(super) fn peers(&self) -> &[Arc<Peer>] {
        &self.peers
    }

    pub(super) fn status(&self) -> impl Iterator<Item = PeerStatus> {
        let now = Moment::now();
        self.peers.iter().map(move |peer| peer.status(now))
    }

    /// The peer at this address, and the state of its turns.
    fn find(&self, address: &Address) -> Option<(Arc<Peer>, i64)> {
        let index = self.peers.iter().position(|peer| peer.address() == address)?;
        Some((Arc::clone(self.peers.get(index)?), self.balancer.turn(index)))
    }
}

/// How good a choice a peer is, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Standing {
    Healthy,
    HealthyButTried,
    Unhealthy,
    UnhealthyAndTried,
}

impl Standing {
    fn of(peer: Option<&Arc<Peer>>, tried: bool, now: Moment) -> Self {
        match (peer.is_some_and(|peer| peer.is_healthy(now)), tried) {
            (true, false) => Self::Healthy,
            (true, true) => Self::HealthyButTried,
            (false, false) => Self::Unhealthy,
            (false, true) => Self::UnhealthyAndTried,
        }
    }
}

impl Lease {
    fn new(group: &Arc<Group>, peer: &Arc<Peer>, index: usize) -> Self {
        peer.enter();
        Self { group: Arc::clone(group), peer: Arc::clone(peer), index, local: None }
    }

    /// The same, asked from this address of ours.
    #[must_use]
    pub fn from(mut self, local: Option<SocketAddr>) -> Self {
        self.local = local;
        self
    }

    /// The address of ours from which the peer is asked; none: the system chooses one.
    pub fn local(&self) -> Option<SocketAddr> {
        self.local
    }

    /// The peer's place in its group, for `tried` of [`Group::pick`].
    pub fn index(&self) -> usize {
        self.index
    }

    /// Where the peer is.
    pub fn address(&self) -> &Address {
        self.peer.address()
    }

    /// The group that the peer was chosen from.
    pub fn group(&self) -> &Arc<Group> {
        &self.group
    }

    pub(super) fn peer(&self) -> &Arc<Peer> {
        &self.peer
    }

    /// The peer answered, whatever the status: its failures are forgotten.
    pub fn succeeded(&self) {
        self.peer.succeeded();
    }

    /// The peer could not be reached, or broke off, or was too slow. As many of these in a row as
    /// [`HealthCheck::max_fails`] leave it out for [`HealthCheck::fail_time`].
    pub fn failed(&self) {
        self.peer.failed(&self.group.config.health, Moment::now());
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.peer.leave();
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// An upstream of peers 10.0.0.1, 10.0.0.2 and so on, with these weights.
    pub(in crate::upstream) fn upstream(name: &str, weights: &[u32]) -> config::Upstream {
        let address = |n: usize| Address::Socket(SocketAddr::from(([10, 0, 0, n as u8 + 1], 80)));
        let peer =
            |(n, weight): (usize, &u32)| config::Peer { address: address(n), weight: *weight };
        config::Upstream {
            name: name.to_owned(),
            peers: weights.iter().enumerate().map(peer).collect(),
            balance: Balance::RoundRobin,
            timeouts: Timeouts::default(),
            retries: Retries { tries: 1 },
            health: HealthCheck::default(),
            keepalive: 8,
            keepalive_time: Duration::from_secs(60),
            host: None,
            tls: None,
            retry_on: Vec::new(),
            balancing: None,
        }
    }

    fn group(balance: Balance, weights: &[u32]) -> Arc<Group> {
        Arc::new(Group::new(config::Upstream { balance, ..upstream("app", weights) }, None))
    }

    fn fail(group: &Arc<Group>, index: usize) {
        (0..3).for_each(|_| group.peers[index].failed(&group.config.health, Moment::now()));
    }

    #[test]
    fn a_lease_counts_its_request_until_it_is_dropped() {
        let group = group(Balance::RoundRobin, &[1]);
        let leases = [group.pick(None, &[]), group.pick(None, &[])];
        assert_eq!(group.peers[0].in_flight(), 2);
        drop(leases);
        assert_eq!(group.peers[0].in_flight(), 0);
    }

    #[test]
    fn the_least_busy_peer_is_next_and_a_lease_dropped_makes_it_so() {
        let group = group(Balance::LeastConnections, &[1, 1, 1]);
        let mut leases: Vec<_> = (0..3).filter_map(|_| group.pick(None, &[])).collect();
        let freed = leases.remove(1).index();
        assert_eq!(group.pick(None, &[]).unwrap().index(), freed);
    }

    #[test]
    fn a_failed_peer_gets_nothing_while_another_is_healthy() {
        let group = group(Balance::RoundRobin, &[1, 1]);
        fail(&group, 0);
        assert!((0..10).all(|_| group.pick(None, &[]).unwrap().index() == 1));
    }

    #[test]
    fn a_peer_that_was_tried_is_taken_only_where_no_other_is_healthy() {
        let group = group(Balance::RoundRobin, &[1, 1, 1]);
        assert!((0..10).all(|_| group.pick(None, &[0, 2]).unwrap().index() == 1));
        assert!(group.pick(None, &[0, 1, 2]).is_some());
        fail(&group, 1);
        assert!((0..10).all(|_| group.pick(None, &[0, 2]).unwrap().index() != 1));
    }

    #[test]
    fn all_peers_serve_when_none_is_healthy() {
        let group = group(Balance::RoundRobin, &[1, 1, 1]);
        (0..3).for_each(|index| fail(&group, index));
        let taken: Vec<_> = (0..3).map(|_| group.pick(None, &[]).unwrap().index()).collect();
        assert_eq!(taken, [0, 1, 2]);
        assert_eq!(group.pick(None, &[0, 1]).unwrap().index(), 2);
    }

    #[test]
    fn one_request_tries_a_failed_peer_when_its_time_is_over() {
        let group = group(Balance::RoundRobin, &[1, 1]);
        fail(&group, 0);
        let later = Moment::now().after(Duration::from_secs(11));
        let taken: Vec<_> =
            (0..6).map(|_| group.pick_at(later, None, &[]).unwrap().index()).collect();
        assert_eq!(taken.iter().filter(|index| **index == 0).count(), 1, "{taken:?}");
    }

    #[test]
    fn the_same_key_goes_to_the_same_peer_until_it_fails() {
        let group = group(Balance::ConsistentHash { key: "uri".to_owned() }, &[1, 1, 1, 1]);
        assert_eq!(group.hash_key(), Some("uri"));
        let home = group.pick(Some(b"/a"), &[]).unwrap().index();
        assert!((0..10).all(|_| group.pick(Some(b"/a"), &[]).unwrap().index() == home));
        fail(&group, home);
        let refuge = group.pick(Some(b"/a"), &[]).unwrap().index();
        assert_ne!(refuge, home);
        assert!((0..10).all(|_| group.pick(Some(b"/a"), &[]).unwrap().index() == refuge));
    }

    #[test]
    fn requests_without_a_key_take_turns() {
        let group = group(Balance::ConsistentHash { key: "uri".to_owned() }, &[1, 1]);
        let taken: Vec<_> = (0..4).map(|_| group.pick(None, &[]).unwrap().index()).collect();
        assert_eq!(taken, [0, 1, 0, 1]);
    }

    #[test]
    fn shares_are_exact_though_all_workers_pick_at_once() {
        let group = group(Balance::RoundRobin, &[1, 2, 5]);
        let indexes =
            || (0..800).filter_map(|_| group.pick(None, &[])).map(|l| l.index()).collect();
        let taken: Vec<Vec<usize>> = std::thread::scope(|scope| {
            let workers: Vec<_> = (0..4).map(|_| scope.spawn(indexes)).collect();
            workers.into_iter().map(|worker| worker.join().unwrap()).collect()
        });
        let count = |index| taken.iter().flatten().filter(|taken| **taken == index).count();
        assert_eq!([0, 1, 2].map(count), [400, 800, 2000]);
    }

    #[test]
    fn a_peer_that_was_heavy_is_not_starved_when_it_turns_light() {
        let heavy = Group::new(upstream("app", &[1000, 999]), None);
        let heavy = Arc::new(heavy);
        heavy.pick(None, &[]);
        let light = Arc::new(Group::new(upstream("app", &[1, 1]), Some(&heavy)));
        let taken: Vec<_> = (0..6).map(|_| light.pick(None, &[]).unwrap().index()).collect();
        assert!(taken.contains(&0), "{taken:?}");
    }

    #[test]
    fn a_computed_address_is_a_group_of_its_own() {
        let group = Group::computed(Address::Name("db.example".to_owned(), 81));
        assert_eq!(group.name(), "db.example:81");
        assert_eq!(group.pick(None, &[0]).unwrap().address(), &group.config().peers[0].address);
    }
}
