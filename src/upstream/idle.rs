//! A connection that waits for its next request.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use tokio::io::AsyncReadExt as _;

use super::Group;
use super::head::Head;
use super::stream::Stream;
use super::tls::Tls;
use crate::shared::about_now;
use crate::transaction::PeerAddress;

/// A connection that waits for its next request, with the room that the last response needed.
pub(super) struct Idle {
    pub(super) stream: Box<Stream>,
    pub(super) address: PeerAddress,
    /// The terms on which TLS was agreed on, if it was.
    pub(super) tls: Option<Arc<Tls>>,
    pub(super) unread: BytesMut,
    pub(super) head: Head,
    /// Whether it has served a request.
    pub(super) served: bool,
    until: Instant,
}

impl Idle {
    /// One that has not served yet.
    pub(super) fn fresh(stream: Box<Stream>, address: PeerAddress) -> Self {
        let (unread, head) = (BytesMut::new(), Head::default());
        Self { stream, address, tls: None, unread, head, served: false, until: about_now() }
    }

    /// One that has, and may wait so long.
    pub(super) fn after(
        stream: Box<Stream>,
        (address, tls): (PeerAddress, Option<Arc<Tls>>),
        (unread, head): (BytesMut, Head),
        time: Duration,
    ) -> Self {
        let until = about_now() + time;
        Self { stream, address, tls, unread, head, served: true, until }
    }

    /// Whether it was made on the terms of this group.
    pub(super) fn is_for(&self, group: &Group) -> bool {
        match (&self.tls, group.tls()) {
            (None, None) => true,
            (Some(own), Some(wanted)) => Arc::ptr_eq(own, wanted),
            _ => false,
        }
    }

    /// Whether its time is not over, and the peer has neither closed it nor sent what nobody asked
    /// for: a response that comes before its request would be taken for the next client's.
    pub(super) fn is_good(&mut self, now: Instant) -> bool {
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
