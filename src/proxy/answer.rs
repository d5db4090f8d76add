//! An answer on its way to the client: what waits is gathered, so that a small one leaves in one
//! system call, head, body and end.

use bytes::Bytes;

use super::client_stream::GATHERED;
use super::{ClientStream, Sent, wire};
use crate::shared::rounds;
use crate::upstream::Framing;

/// An answer whose head waits to be sent.
pub(super) struct Answer<'a> {
    client: &'a mut ClientStream,
    framing: Framing,
}

/// Whether what is given leaves at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leaves {
    /// Now, and it is the end.
    AsTheEnd,
    /// Now.
    Now,
    /// With what follows, which is there already.
    WithWhatFollows,
}

impl<'a> Answer<'a> {
    /// An answer with a body framed so.
    pub(super) fn new(client: &'a mut ClientStream, framing: Framing) -> Self {
        Self { client, framing }
    }

    /// Gives all of the body, and what waits before it.
    pub(super) async fn give_whole(&mut self, bytes: Bytes, leaves: Leaves) -> Sent {
        match &mut self.client.kept {
            Some(kept) if self.framing != Framing::Nothing => {
                self.client.waiting.clear();
                if kept.keep_whole(bytes) { Sent::Whole } else { Sent::Cut }
            }
            _ => self.give(&bytes, leaves).await,
        }
    }

    /// Gives bytes of the body, perhaps none, and what waits before them.
    pub(super) async fn give(&mut self, bytes: &[u8], leaves: Leaves) -> Sent {
        let bytes = if self.framing == Framing::Nothing { &[] } else { bytes };
        if let Some(kept) = &mut self.client.kept {
            self.client.waiting.clear();
            return if kept.keep(bytes) { Sent::Whole } else { Sent::Cut };
        }
        let chunk = self.framing == Framing::Chunked && !bytes.is_empty();
        if chunk {
            wire::chunk_length(&mut self.client.waiting, bytes.len());
        }
        let end: &[u8] = match (self.framing, leaves) {
            (Framing::Chunked, Leaves::AsTheEnd) if chunk => b"\r\n0\r\n\r\n",
            (Framing::Chunked, Leaves::AsTheEnd) => b"0\r\n\r\n",
            (Framing::Chunked, _) if chunk => b"\r\n",
            _ => b"",
        };
        self.client.body_sent += bytes.len() as u64;
        let waiting = self.client.waiting.len() + bytes.len();
        if leaves == Leaves::WithWhatFollows && waiting <= GATHERED {
            self.client.waiting.extend_from_slice(bytes);
            self.client.waiting.extend_from_slice(end);
            return Sent::Whole;
        }
        if leaves == Leaves::AsTheEnd {
            rounds::wait_for_others().await;
        }
        match self.client.send([bytes, end]).await {
            Ok(()) => Sent::Whole,
            Err(_) => Sent::Cut,
        }
    }
}
