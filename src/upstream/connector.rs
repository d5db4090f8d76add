//! New connections: the peer's name looked up, its addresses tried, all within one time.

use std::time::{Duration, Instant};

use pingora_core::connectors::TransportConnector;
use pingora_core::connectors::l4::BindTo;
use pingora_core::protocols::IO;
use pingora_core::upstreams::peer::HttpPeer;
use pingora_error::{Error, ErrorType};
use tokio::time::timeout;

use super::names::Names;
use super::stream::Stream;
use super::{Connection, Lease, UpstreamError};
use crate::config::Address;
use crate::transaction::PeerAddress;

/// Makes connections for one worker.
pub(super) struct Connector {
    names: Names,
    transport: TransportConnector,
}

impl Connector {
    pub(super) fn new() -> Self {
        Self { names: Names::default(), transport: TransportConnector::new(None) }
    }

    /// Tries all addresses of the peer's name within [`crate::config::Timeouts::connect`], of which
    /// each gets its share, so that the first does not use up what the second needs.
    pub(super) async fn connect(&self, lease: &Lease) -> Result<Connection, UpstreamError> {
        let limit = lease.group().config().timeouts.connect;
        let connected = timeout(limit, self.try_all(lease, Instant::now() + limit)).await;
        connected.unwrap_or_else(|_| Err(too_slow(lease)))
    }

    /// Forgets names that nobody asked for in a long time.
    pub(super) fn sweep(&self, now: Instant) {
        self.names.sweep(now);
    }

    async fn try_all(&self, lease: &Lease, deadline: Instant) -> Result<Connection, UpstreamError> {
        if let Address::Unix(path) = lease.address() {
            let address = PeerAddress::Unix(path.as_str().into());
            return self.open(lease, address, share(deadline, 1)).await;
        }
        let addresses = self.names.resolve(lease.address()).await;
        let addresses = addresses.map_err(|error| unknown(lease, error))?;
        let mut failed = None;
        for (tried, address) in addresses.iter().enumerate() {
            match self
                .open(lease, (*address).into(), share(deadline, addresses.len() - tried))
                .await
            {
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
        address: PeerAddress,
        limit: Duration,
    ) -> Result<Connection, UpstreamError> {
        let peer = match &address {
            PeerAddress::Socket(address) => Ok(HttpPeer::new(*address, false, String::new())),
            PeerAddress::Unix(path) => HttpPeer::new_uds(path, false, String::new()),
        };
        let mut peer = match peer {
            Ok(peer) => peer,
            Err(source) => {
                return Err(UpstreamError::Connect { upstream: name(lease), address, source });
            }
        };
        if let Some(local) = lease.local() {
            let mut bind = BindTo::default();
            bind.addr = Some(local);
            peer.options.bind_to = Some(bind);
        }
        let connecting = async {
            let stream = self.transport.new_stream(&peer).await;
            let stream = stream.map_err(|source| {
                if *source.etype() == ErrorType::ConnectTimedout {
                    return too_slow(lease);
                }
                let (upstream, address) = (name(lease), address.clone());
                UpstreamError::Connect { upstream, address, source }
            });
            secured(lease, stream?, &address).await
        };
        let connected = timeout(limit, connecting).await;
        let stream = connected.unwrap_or_else(|_| Err(too_slow(lease)))?;
        Ok(Connection::new(lease, Box::new(stream), address))
    }
}

/// The stream that requests go through: with TLS, where the peers of the lease speak it.
async fn secured(
    lease: &Lease,
    stream: Box<dyn IO>,
    address: &PeerAddress,
) -> Result<Stream, UpstreamError> {
    let (upstream, address) = (name(lease), address.clone());
    // What Pingora connects without TLS is a plain stream.
    let Ok(plain) = stream.into_any().downcast() else {
        let source = Error::explain(ErrorType::InternalError, "no plain stream");
        return Err(UpstreamError::Connect { upstream, address, source });
    };
    let Some(tls) = lease.group().tls() else { return Ok(Stream::plain(plain)) };
    let shaken = tls.shake(lease.address(), plain).await;
    shaken.map(Stream::tls).map_err(|words| UpstreamError::Handshake { upstream, address, words })
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
    use std::net::SocketAddr;

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
        let connector = Connector::new();
        connector.names.learn(name.clone(), &[refuses, good]);
        let peers = vec![config::Peer { address: name, weight: 1 }];
        let config = config::Upstream { peers, ..upstream("app", &[]) };
        let lease = Upstreams::new(&[config], None).get(0).unwrap().pick(None, &[]).unwrap();
        assert_eq!(connector.connect(&lease).await.unwrap().address, good);
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
