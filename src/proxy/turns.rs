//! Whose turn it is: the peer of each try, chosen by the upstream's settings or by a script.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::Failure;
use crate::phases::{self, Exchange};
use crate::policy::StepId;
use crate::script::variable;
use crate::telemetry::events;
use crate::transaction::{PeerFailure, Turn, Verdict};
use crate::upstream::{Group, Lease, Terms};

const NO_PEER: Failure = Failure::ours(503, "upstream::no_peer");
const NO_PEER_SET: Failure = Failure::ours(500, "balancer::no_peer");

/// The peers that an exchange tries.
pub(super) struct Turns<'a> {
    exchange: &'a Exchange,
    group: Arc<Group>,
    /// The script that chooses.
    script: Option<StepId>,
    /// By what a peer is chosen, where it is by a key.
    key: Option<Bytes>,
    tried: Vec<usize>,
}

/// A peer whose turn it is.
pub(super) struct Chosen {
    pub(super) lease: Lease,
    /// Whether no connection may be used that has served before.
    pub(super) fresh: bool,
}

impl<'a> Turns<'a> {
    /// None was tried yet.
    pub(super) fn new(exchange: &'a Exchange, group: Arc<Group>) -> Self {
        let config = group.config();
        let balancing = config.balancing.as_ref();
        let script = balancing.and_then(|_| exchange.live.policy.balancer(&config.name));
        let mut transaction = exchange.subject.transaction.borrow_mut();
        let key = group.hash_key().and_then(|key| variable(&transaction, key));
        transaction.upstream.turn = balancing
            .map(|balancing| Box::new(Turn::new(config.retries.tries + 1, balancing.most_tries)));
        drop(transaction);
        Self { exchange, group, script, key, tried: Vec::new() }
    }

    /// The group whose peers they are.
    pub(super) fn group(&self) -> &Arc<Group> {
        &self.group
    }

    /// The next peer.
    ///
    /// # Errors
    /// If there is none, or the script wants none.
    pub(super) fn next(&self) -> Result<Chosen, Failure> {
        let Some(script) = self.script else {
            let lease = self.group.pick(self.key.as_deref(), &self.tried).ok_or(NO_PEER)?;
            return Ok(Chosen { lease: lease.from(self.local()), fresh: false });
        };
        phases::choose_peer(self.exchange, script).map_err(left)?;
        let turn = self.exchange.subject.transaction.borrow().upstream.turn.clone();
        let turn = turn.unwrap_or_default();
        let terms = Terms { times: turn.times, idle: turn.kept.map(|kept| kept.idle) };
        let keeps = self.group.config().balancing.as_ref().is_some_and(|own| own.keeps);
        let terms = Terms { idle: terms.idle.or(self.idle(keeps)), ..terms };
        let fresh = turn.peer.is_some() && terms.idle.is_none();
        let chosen = match turn.peer {
            Some(peer) => self.group.lease_of(peer, &terms),
            None => self.group.pick(self.key.as_deref(), &self.tried),
        };
        match chosen {
            Some(lease) => Ok(Chosen { lease: lease.from(turn.local.or(self.local())), fresh }),
            None => Err(self.no_peer_set()),
        }
    }

    /// How long a connection is kept that the script says nothing of.
    fn idle(&self, keeps: bool) -> Option<Duration> {
        keeps.then(|| self.group.config().keepalive_time)
    }

    /// The address of ours that the route's settings want.
    fn local(&self) -> Option<SocketAddr> {
        let transaction = self.exchange.subject.transaction.borrow();
        transaction.upstream.onward.as_ref().and_then(|onward| onward.local)
    }

    /// Whether there may be another try after this one.
    pub(super) fn has_more(&self) -> bool {
        match &self.exchange.subject.transaction.borrow().upstream.turn {
            Some(turn) => turn.left > 1,
            None => self.tried.len() < self.group.config().retries.tries as usize,
        }
    }

    /// The try on this peer failed.
    pub(super) fn failed(&mut self, lease: &Lease, failure: PeerFailure) {
        let upstream = &mut *self.exchange.subject.transaction.borrow_mut().upstream;
        upstream.failed.push((upstream.peer.clone(), failure.status));
        if let Some(turn) = &mut upstream.turn {
            turn.fail(failure);
        }
        self.tried.push(lease.index());
    }

    fn no_peer_set(&self) -> Failure {
        let transaction = self.exchange.subject.transaction.borrow();
        let message = "lua balancer: no peer set while connecting to upstream";
        events::Said { level: 4, message, about: Some(&transaction) }.emit();
        NO_PEER_SET
    }
}

/// The script left, or failed.
fn left(status: u16) -> Failure {
    Failure { status, reason: "balancer::left", verdict: Verdict::of_status(status) }
}
