//! Holding a request's body until the verdict: in memory to a limit, then in a file, which has a name only
//! where the settings want that.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::AsyncWriteExt as _;

use super::Failure;
use super::incoming::Incoming;
use super::spool::{self, Spool};
use crate::config::BodyLimits;
use crate::policy::Live;
use crate::shared::within;
use crate::telemetry::events;
use crate::transaction::Body;

/// How a body is held.
pub(super) struct Terms<'a> {
    /// How large it may be.
    pub(super) limits: BodyLimits,
    /// How long it may take.
    pub(super) time: Duration,
    /// Its policy says where it is spooled.
    pub(super) live: &'a Live,
}

/// A whole body.
pub(super) struct Held {
    /// As scripts see it.
    pub(super) body: Body,
    /// Keeps the file behind [`Body::Spooled`] alive.
    pub(super) file: Option<Spool>,
}

/// Reads a body to its end.
pub(super) async fn hold(body: &mut Incoming<'_>, terms: &Terms<'_>) -> Result<Held, Failure> {
    // Boxed: what few exchanges need would else make the future of each larger.
    match within(terms.time, Box::pin(read(body, terms))).await {
        Ok(held) => held,
        Err(_) => Err(TOO_SLOW),
    }
}

async fn read(body: &mut Incoming<'_>, terms: &Terms<'_>) -> Result<Held, Failure> {
    let mut memory = Memory::default();
    while let Some(chunk) = next(body, terms).await? {
        let length = (memory.length() + chunk.len()) as u64;
        if length > terms.limits.total {
            return Err(TOO_LARGE);
        }
        if length > terms.limits.memory as u64 {
            return spool(body, terms, memory.whole(), chunk).await;
        }
        memory.push(chunk);
    }
    let bytes = memory.whole();
    let body = if bytes.is_empty() { Body::Empty } else { Body::Memory(bytes) };
    Ok(Held { body, file: None })
}

async fn next(body: &mut Incoming<'_>, terms: &Terms<'_>) -> Result<Option<Bytes>, Failure> {
    let next = within(terms.limits.pause, body.next()).await;
    next.unwrap_or(Err(TOO_SLOW))
}

const TOO_SLOW: Failure = Failure::theirs(408, "body::too_slow");
const TOO_LARGE: Failure = Failure::theirs(413, "body::too_large");

/// Chunks so far; one chunk (the usual case) is never copied.
#[derive(Default)]
struct Memory {
    first: Bytes,
    rest: BytesMut,
}

impl Memory {
    fn length(&self) -> usize {
        if self.rest.is_empty() { self.first.len() } else { self.rest.len() }
    }

    fn push(&mut self, chunk: Bytes) {
        if self.first.is_empty() {
            self.first = chunk;
            return;
        }
        if self.rest.is_empty() {
            self.rest.extend_from_slice(&self.first);
        }
        self.rest.extend_from_slice(&chunk);
    }

    fn whole(self) -> Bytes {
        if self.rest.is_empty() { self.first } else { self.rest.freeze() }
    }
}

async fn spool(
    body: &mut Incoming<'_>,
    terms: &Terms<'_>,
    before: Bytes,
    chunk: Bytes,
) -> Result<Held, Failure> {
    events::BodySpooled.emit();
    let file = Spool::new(&terms.live.policy.config).map_err(spool::lost)?;
    let copy = file.writer().map_err(spool::lost)?;
    let mut writer = tokio::fs::File::from_std(copy);
    let mut length = 0;
    let mut pending = vec![chunk, before];
    loop {
        while let Some(bytes) = pending.pop() {
            length += bytes.len() as u64;
            if length > terms.limits.total {
                return Err(TOO_LARGE);
            }
            let written = writer.write_all(&bytes).await;
            written.map_err(|error| file.lost(&error))?;
        }
        match next(body, terms).await? {
            Some(bytes) => pending.push(bytes),
            None => break,
        }
    }
    writer.flush().await.map_err(|error| file.lost(&error))?;
    Ok(Held { body: file.body(length), file: Some(file) })
}
