//! Connections of one worker, and those that wait to be used again.
//!
//! Each worker has its own pool: no lock, no task for each idle connection. That an idle one was
//! closed is seen when it is taken, or when the worker sweeps.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use super::connector::Connector;
use super::idle::Idle;
use super::{Connection, Lease, UpstreamError};
use crate::config::Address;
use crate::shared::about_now;

/// The connections of one worker.
pub struct Pool {
    /// By peer, the last to come last: it is the first to go, so that the others age, and a quiet
    /// hour keeps no more connections than it uses.
    idle: RefCell<BTreeMap<Address, VecDeque<Idle>>>,
    connector: Connector,
}

impl Pool {
    /// An empty one.
    pub fn new() -> Self {
        Self { idle: RefCell::default(), connector: Connector::new() }
    }

    /// A connection to the lease's peer: an idle one that is still good, else a new one.
    pub async fn connect(&self, lease: &Lease) -> Result<Connection, UpstreamError> {
        let idle = if lease.local().is_none() { self.take(lease) } else { None };
        match idle {
            Some(idle) => Ok(Connection::of(lease, idle)),
            None => self.connect_fresh(lease).await,
        }
    }

    /// A new connection, after a reused one failed. All addresses of the peer's name are tried, all
    /// within [`crate::config::Timeouts::connect`].
    pub async fn connect_fresh(&self, lease: &Lease) -> Result<Connection, UpstreamError> {
        self.connector.connect(lease).await
    }

    /// Takes a connection back, to be used again if its response was read to the end, both sides
    /// keep it alive, and there is room; else it is closed. A connection whose request was not
    /// written to the end must be dropped instead: the peer would take the next request for the
    /// rest of this one.
    ///
    /// True: it is kept.
    pub async fn release(&self, connection: Connection) -> bool {
        let room = connection.group().config().keepalive;
        let peer = Arc::clone(connection.peer());
        let Some(idle) = connection.rest().await.filter(|_| room > 0) else { return false };
        self.keep(peer.address(), idle, room);
        true
    }

    /// Closes idle connections whose time is over or that the peer has closed. The worker calls it
    /// every second.
    pub fn sweep(&self) {
        let now = Instant::now();
        self.idle.borrow_mut().retain(|_, idle| {
            idle.retain_mut(|idle| idle.is_good(now));
            !idle.is_empty()
        });
        self.connector.sweep(now);
    }

    fn take(&self, lease: &Lease) -> Option<Idle> {
        let mut idle = self.idle.borrow_mut();
        let (idle, now) = (idle.get_mut(lease.address())?, about_now());
        // Two groups may speak to the same peer, with TLS and without.
        let next = || {
            let place = idle.iter().rposition(|idle| idle.is_for(lease.group()))?;
            idle.remove(place)
        };
        std::iter::from_fn(next).find_map(|mut idle| idle.is_good(now).then_some(idle))
    }

    /// Where there is no room, the oldest goes.
    fn keep(&self, address: &Address, connection: Idle, room: usize) {
        let mut idle = self.idle.borrow_mut();
        match idle.get_mut(address) {
            None => {
                idle.insert(address.clone(), VecDeque::from([connection]));
            }
            Some(idle) => {
                if idle.len() >= room {
                    idle.pop_front();
                }
                idle.push_back(connection);
            }
        }
    }
}

impl Default for Pool {
    fn default() -> Self {
        Self::new()
    }
}
