//! Connections to peers, and those that wait to be used again.
//!
//! Each worker has its own pool: no lock, no task for each idle connection. That an idle one was
//! closed is seen when it is taken, or when the worker sweeps.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use pingora_core::connectors::TransportConnector;
use pingora_core::protocols::Stream;
use pingora_core::protocols::http::v1::client::HttpSession;
use pingora_core::upstreams::peer::HttpPeer;
use pingora_error::{Error, ErrorType};
use tokio::io::AsyncReadExt;
use tokio::time::timeout;

use super::names::Names;
use super::{Group, Lease, UpstreamError};
use crate::config::Address;

/// The idle connections of one worker.
pub struct Pool {
    idle: RefCell<HashMap<Address, VecDeque<Idle>>>,
    names: Names,
    connector: TransportConnector,
}

/// A connection to a peer.
pub struct Connection {
    /// Pingora's end of it, with the read and write timeouts of the group.
    pub session: HttpSession,
    /// Whether it has served a request before: then the peer may have closed it just as the next
    /// one was sent, which says nothing against the peer.
    pub reused: bool,
    /// Where it goes.
    pub address: SocketAddr,
    group: Arc<Group>,
    peer: usize,
}

/// A connection that waits. The last to come is the first to go, so that the others age and a quiet
/// hour needs no more connections than it uses.
struct Idle {
    stream: Stream,
    address: SocketAddr,
    until: Instant,
}

impl Pool {
    /// An empty one.
    pub fn new() -> Self {
        Self {
            idle: RefCell::default(),
            names: Names::default(),
            connector: TransportConnector::new(None),
        }
    }

    /// A connection to the lease's peer: an idle one that is still good, else a new one.
    pub async fn connect(&self, lease: &Lease) -> Result<Connection, UpstreamError> {
        match self.take(lease.address()) {
            Some(idle) => Ok(Connection { reused: true, ..Connection::new(lease, idle) }),
            None => self.connect_fresh(lease).await,
        }
    }

    /// A new connection, after a reused one failed. All addresses of the peer's name are tried, all
    /// within [`crate::config::Timeouts::connect`], of which each gets its share.
    pub async fn connect_fresh(&self, lease: &Lease) -> Result<Connection, UpstreamError> {
        let limit = lease.group().config().timeouts.connect;
        let opened = timeout(limit, self.open_any(lease, Instant::now() + limit)).await;
        opened.unwrap_or_else(|_| Err(too_slow(lease)))
    }

    /// Takes a connection back, to be used again if its response was read to the end, both sides
    /// keep it alive, and there is room. A connection whose request was not written to the end is
    /// to be dropped instead.
    pub async fn release(&self, connection: Connection) {
        let Connection { mut session, address, group, peer, .. } = connection;
        let Some(peer) = group.peers().get(peer) else { return };
        let config = group.config();
        session.respect_keepalive();
        let time = config.keepalive_time.min(kept_by_peer(&session));
        // Pingora shuts down what cannot be used again.
        let Some(stream) = session.reuse().await else { return };
        let idle = Idle { stream, address, until: Instant::now() + time };
        self.keep(peer.address(), idle, config.keepalive);
    }

    /// Closes idle connections whose time is over or that the peer has closed. The worker calls it
    /// every second.
    pub fn sweep(&self) {
        let now = Instant::now();
        self.idle.borrow_mut().retain(|_, idle| {
            idle.retain_mut(|idle| idle.is_good(now));
            !idle.is_empty()
        });
        self.names.sweep();
    }

    fn take(&self, address: &Address) -> Option<Idle> {
        let mut idle = self.idle.borrow_mut();
        let (idle, now) = (idle.get_mut(address)?, Instant::now());
        while let Some(mut newest) = idle.pop_back() {
            if newest.is_good(now) {
                return Some(newest);
            }
        }
        None
    }

    fn keep(&self, address: &Address, connection: Idle, room: usize) {
        let mut idle = self.idle.borrow_mut();
        if let Some(idle) = idle.get_mut(address) {
            idle.push_back(connection);
            let surplus = idle.len().saturating_sub(room);
            idle.drain(..surplus);
        } else if room > 0 {
            idle.insert(address.clone(), VecDeque::from([connection]));
        }
    }

    async fn open_any(
        &self,
        lease: &Lease,
        deadline: Instant,
    ) -> Result<Connection, UpstreamError> {
        let addresses = self.names.resolve(lease.address()).await;
        let addresses = addresses.map_err(|error| unknown(lease, error))?;
        let mut failed = None;
        for (tried, address) in addresses.iter().enumerate() {
            let share = share(deadline, addresses.len() - tried);
            match self.open(lease, *address, share).await {
                Ok(connection) => return Ok(connection),
                Err(error) => failed = Some(error),
            }
        }
        Err(failed.unwrap_or_else(|| UpstreamError::NoPeer { upstream: name(lease) }))
    }

    /// The one place that makes streams.
    async fn open(
        &self,
        lease: &Lease,
        address: SocketAddr,
        limit: Duration,
    ) -> Result<Connection, UpstreamError> {
        let peer = HttpPeer::new(address, false, String::new());
        match timeout(limit, self.connector.new_stream(&peer)).await {
            Ok(Ok(stream)) => {
                Ok(Connection::new(lease, Idle { stream, address, until: Instant::now() }))
            }
            Ok(Err(source)) if *source.etype() != ErrorType::ConnectTimedout => {
                Err(UpstreamError::Connect { upstream: name(lease), address, source })
            }
            Ok(Err(_)) | Err(_) => Err(too_slow(lease)),
        }
    }
}

impl Default for Pool {
    fn default() -> Self {
        Self::new()
    }
}

impl Connection {
    fn new(lease: &Lease, idle: Idle) -> Self {
        let timeouts = lease.group().config().timeouts;
        let mut session = HttpSession::new(idle.stream);
        session.read_timeout = Some(timeouts.read);
        session.write_timeout = Some(timeouts.write);
        let group = Arc::clone(lease.group());
        Self { session, reused: false, address: idle.address, group, peer: lease.index() }
    }

    /// What an error of the session means.
    pub fn error(&self, source: Box<Error>) -> UpstreamError {
        UpstreamError::of_session(&self.group, source)
    }
}

impl Idle {
    /// Whether its time is not over, and the peer has neither closed it nor sent what nobody asked
    /// for: a response that comes before its request would be taken for the next client's.
    fn is_good(&mut self, now: Instant) -> bool {
        self.until > now && is_quiet(&mut self.stream)
    }
}

/// Whether there is nothing to read, not even an end. Costs no system call, for tokio knows.
fn is_quiet(stream: &mut Stream) -> bool {
    let mut byte = [0];
    // Unconstrained, or a task that has done much would be told `pending` whatever there is.
    let read = pin!(tokio::task::unconstrained(stream.read(&mut byte)));
    read.poll(&mut Context::from_waker(Waker::noop())).is_pending()
}

/// How long the peer said that it keeps the connection (`Keep-Alive: timeout=5`), less a second,
/// so that a request does not cross its end on the way.
fn kept_by_peer(session: &HttpSession) -> Duration {
    let field = str::from_utf8(session.get_header_bytes("keep-alive")).unwrap_or_default();
    let seconds = field.split(',').find_map(|part| {
        let (name, value) = part.split_once('=')?;
        name.trim().eq_ignore_ascii_case("timeout").then(|| value.trim().parse::<u32>().ok())?
    });
    seconds.map_or(Duration::MAX, |seconds| Duration::from_secs(seconds.saturating_sub(1).into()))
}

/// The time until the deadline, shared by the addresses left.
fn share(deadline: Instant, addresses: usize) -> Duration {
    let left = deadline.saturating_duration_since(Instant::now());
    left / u32::try_from(addresses).unwrap_or(u32::MAX).max(1)
}

fn name(lease: &Lease) -> String {
    lease.group().name().to_owned()
}

fn too_slow(lease: &Lease) -> UpstreamError {
    let limit = lease.group().config().timeouts.connect;
    UpstreamError::Timeout { upstream: name(lease), deed: "accept a connection", limit }
}

fn unknown(lease: &Lease, source: std::io::Error) -> UpstreamError {
    UpstreamError::Resolve { upstream: name(lease), host: lease.address().to_string(), source }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;
    use crate::config;
    use crate::upstream::Upstreams;
    use crate::upstream::group::tests::upstream;

    #[tokio::test]
    async fn all_addresses_of_a_name_are_tried() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let good = listener.local_addr().unwrap();
        let refuses = SocketAddr::from(([127, 0, 0, 1], 1));
        let name = Address::Name("app.example".to_owned(), 80);
        let pool = Pool::new();
        pool.names.learn(name.clone(), &[refuses, good]);
        let peers = vec![config::Peer { address: name, weight: 1 }];
        let config = config::Upstream { peers, ..upstream("app", &[]) };
        let lease = Upstreams::new(&[config], None).get(0).unwrap().pick(None, &[]).unwrap();
        assert_eq!(pool.connect(&lease).await.unwrap().address, good);
    }

    #[test]
    fn each_address_has_its_share_of_the_time_left() {
        let deadline = Instant::now() + Duration::from_secs(4);
        assert!(share(deadline, 4) <= Duration::from_secs(1));
        assert!(share(deadline, 1) > Duration::from_secs(3));
        assert_eq!(share(Instant::now(), 2), Duration::ZERO);
        assert!(share(deadline, 0) > Duration::from_secs(3));
    }
}
