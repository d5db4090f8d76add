//! A connection to a peer, in use or waiting.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use pingora_core::protocols::Stream;
use pingora_core::protocols::http::v1::client::HttpSession;
use pingora_error::Error;
use tokio::io::AsyncReadExt;

use super::peer::Peer;
use super::{Group, Lease, UpstreamError};

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
    peer: Arc<Peer>,
}

/// A connection that waits for its next request.
pub(super) struct Idle {
    stream: Stream,
    address: SocketAddr,
    until: Instant,
}

impl Connection {
    pub(super) fn new(lease: &Lease, stream: Stream, address: SocketAddr) -> Self {
        let timeouts = lease.group().config().timeouts;
        let mut session = HttpSession::new(stream);
        session.read_timeout = Some(timeouts.read);
        session.write_timeout = Some(timeouts.write);
        let (group, peer) = (Arc::clone(lease.group()), Arc::clone(lease.peer()));
        Self { session, reused: false, address, group, peer }
    }

    /// What an error of the session means.
    pub fn error(&self, source: Box<Error>) -> UpstreamError {
        UpstreamError::of_session(&self.group, source)
    }

    pub(super) fn group(&self) -> &Arc<Group> {
        &self.group
    }

    pub(super) fn peer(&self) -> &Arc<Peer> {
        &self.peer
    }

    /// Ready for the next request, if the response was read to its end and both sides keep the
    /// connection alive; else it is closed.
    pub(super) async fn rest(mut self) -> Option<Idle> {
        self.session.respect_keepalive();
        // Dropped here: Pingora's own end would wait for the peer to read what is left for it.
        if !self.session.will_keepalive() {
            return None;
        }
        let time = self.group.config().keepalive_time.min(kept_by_peer(&self.session));
        let stream = self.session.reuse().await?;
        Some(Idle { stream, address: self.address, until: Instant::now() + time })
    }
}

impl Idle {
    /// Whether its time is not over, and the peer has neither closed it nor sent what nobody asked
    /// for: a response that comes before its request would be taken for the next client's.
    pub(super) fn is_good(&mut self, now: Instant) -> bool {
        self.until > now && is_quiet(&mut self.stream)
    }

    pub(super) fn wake(self, lease: &Lease) -> Connection {
        Connection { reused: true, ..Connection::new(lease, self.stream, self.address) }
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
