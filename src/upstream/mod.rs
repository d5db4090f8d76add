//! Where requests go: named groups of peers, which of them is next, how they are judged, and the
//! connections to them.
//!
//! [`Upstreams`] is shared by all threads and outlives a change of policy where its peers do; a
//! [`Pool`] belongs to one worker. An exchange takes a [`Lease`] on a peer, a [`Connection`] for the
//! lease, tells the lease how it went, and gives the connection back.
//!
//! Deliberately absent: HTTP/2 to the upstream. It comes beside [`Connection`], for it shares one stream
//! among requests instead of keeping idle ones.

mod allow;
mod balance;
mod connection;
mod connector;
mod error;
mod group;
mod head;
mod health;
mod idle;
mod names;
mod peer;
mod pool;
mod stream;
mod tls;

pub use allow::allowed;
pub use connection::{Asked, Connection};
pub use error::UpstreamError;
pub use group::{Group, Lease, Terms};
pub use head::{Framing, Head, keeps_alive};
pub use health::watch_health;
pub use peer::PeerStatus;
pub use pool::Pool;
pub use tls::faults_of;

use std::sync::Arc;

use crate::config;

/// All declared upstreams of a policy.
pub struct Upstreams {
    groups: Vec<Arc<Group>>,
}

impl Upstreams {
    /// The groups of `config`, in its order. A peer that `previous` also had (the same address in an
    /// upstream of the same name) keeps its state: its health, what is in flight, whose turn it is.
    /// Nothing changes for `previous`: this policy may yet be refused. See [`watch_health`].
    pub fn new(config: &[config::Upstream], previous: Option<&Self>) -> Self {
        let before = |name: &str| previous.and_then(|upstreams| upstreams.by_name(name));
        let group = |upstream: &config::Upstream| {
            Arc::new(Group::new(upstream.clone(), before(&upstream.name).map(Arc::as_ref)))
        };
        Self { groups: config.iter().map(group).collect() }
    }

    /// The group of [`config::UpstreamChoice::upstream`].
    pub fn get(&self, index: usize) -> Option<&Arc<Group>> {
        self.groups.get(index)
    }

    /// The group of this name.
    pub fn by_name(&self, name: &str) -> Option<&Arc<Group>> {
        self.groups.iter().find(|group| group.name() == name)
    }

    /// All groups, in the order declared.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Group>> {
        self.groups.iter()
    }

    /// Every peer as it is now, for operators.
    pub fn status(&self) -> Vec<PeerStatus> {
        self.iter().flat_map(|group| group.status()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upstream::group::tests::upstream;

    #[test]
    fn groups_are_found_by_index_and_by_name() {
        let upstreams = Upstreams::new(&[upstream("a", &[1]), upstream("b", &[1])], None);
        assert_eq!(upstreams.get(1).unwrap().name(), "b");
        assert_eq!(upstreams.by_name("a").unwrap().name(), "a");
        assert!(upstreams.get(2).is_none());
        assert!(upstreams.by_name("c").is_none());
    }

    #[test]
    fn a_peer_that_stays_keeps_its_state_over_a_change_of_policy() {
        let before = Upstreams::new(&[upstream("app", &[1, 1])], None);
        let held = before.get(0).unwrap().pick(None, &[]).unwrap();
        (0..3).for_each(|_| held.failed());
        let after = Upstreams::new(&[upstream("app", &[1, 1, 1])], Some(&before));
        let status = after.status();
        assert_eq!(status.len(), 3);
        assert!(!status[0].healthy);
        assert_eq!((status[0].in_flight, status[0].fails), (1, 3));
        assert!(status[1].healthy && status[2].healthy);
        drop(held);
        assert_eq!(after.status()[0].in_flight, 0);
    }

    #[test]
    fn turns_go_on_where_they_were_over_a_change_of_policy() {
        let before = Upstreams::new(&[upstream("app", &[1, 1, 1])], None);
        assert_eq!(before.get(0).unwrap().pick(None, &[]).unwrap().index(), 0);
        let after = Upstreams::new(&[upstream("app", &[1, 1, 1])], Some(&before));
        assert_eq!(after.get(0).unwrap().pick(None, &[]).unwrap().index(), 1);
    }

    #[test]
    fn the_same_address_in_another_upstream_is_another_peer() {
        let before = Upstreams::new(&[upstream("app", &[1])], None);
        let _held = before.get(0).unwrap().pick(None, &[]).unwrap();
        let after = Upstreams::new(&[upstream("shop", &[1])], Some(&before));
        assert_eq!(after.status()[0].in_flight, 0);
    }
}
