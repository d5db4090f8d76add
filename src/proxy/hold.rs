//! Holding a request's body until the verdict: in memory to a limit, then in a file without a name.

use std::fs::File;
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use pingora_core::protocols::http::ServerSession;
use tokio::io::AsyncWriteExt as _;

use super::Failure;
use crate::config::BodyLimits;
use crate::telemetry::events;
use crate::transaction::Body;

/// How a body is held.
#[derive(Debug, Clone)]
pub(super) struct Terms {
    /// How large it may be.
    pub(super) limits: BodyLimits,
    /// How long it may take.
    pub(super) time: Duration,
    /// Where it is spooled.
    pub(super) folder: PathBuf,
}

/// A whole body.
pub(super) struct Held {
    /// As scripts see it.
    pub(super) body: Body,
    /// Keeps the file behind [`Body::Spooled`] alive.
    pub(super) file: Option<File>,
}

/// Reads a body to its end.
pub(super) async fn hold(session: &mut ServerSession, terms: &Terms) -> Result<Held, Failure> {
    let reading = read(session, terms);
    match tokio::time::timeout(terms.time, reading).await {
        Ok(held) => held,
        Err(_) => Err(Failure::theirs(408, "body::too_slow")),
    }
}

async fn read(session: &mut ServerSession, terms: &Terms) -> Result<Held, Failure> {
    let mut memory = Memory::default();
    while let Some(chunk) = next(session).await? {
        let length = (memory.length() + chunk.len()) as u64;
        if length > terms.limits.total {
            return Err(TOO_LARGE);
        }
        if length > terms.limits.memory as u64 {
            return spool(session, terms, memory.whole(), chunk).await;
        }
        memory.push(chunk);
    }
    let bytes = memory.whole();
    let body = if bytes.is_empty() { Body::Empty } else { Body::Memory(bytes) };
    Ok(Held { body, file: None })
}

const TOO_LARGE: Failure = Failure::theirs(413, "body::too_large");

async fn next(session: &mut ServerSession) -> Result<Option<Bytes>, Failure> {
    let chunk = session.read_request_body().await;
    chunk.map_err(|_| Failure::theirs(400, "body::malformed"))
}

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
    session: &mut ServerSession,
    terms: &Terms,
    before: Bytes,
    chunk: Bytes,
) -> Result<Held, Failure> {
    events::BodySpooled.emit();
    let file = nameless_file(&terms.folder)?;
    let copy = file.try_clone().map_err(|error| disk(&terms.folder, &error))?;
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
            written.map_err(|error| disk(&terms.folder, &error))?;
        }
        match next(session).await? {
            Some(bytes) => pending.push(bytes),
            None => break,
        }
    }
    writer.flush().await.map_err(|error| disk(&terms.folder, &error))?;
    let path = format!("/proc/self/fd/{}", file.as_raw_fd()).into();
    Ok(Held { body: Body::Spooled { path, length }, file: Some(file) })
}

fn nameless_file(folder: &Path) -> Result<File, Failure> {
    tempfile::tempfile_in(folder).map_err(|error| disk(folder, &error))
}

/// A full disk is ours, not the client's: it is said once for each body, and the request fails.
fn disk(folder: &Path, error: &std::io::Error) -> Failure {
    events::Trouble {
        what: &format!("a request body could not be spooled in `{}`: {error}", folder.display()),
        next: "free space there, or name another folder with `state_dir`",
    }
    .emit();
    Failure::ours(503, "body::spool_failed")
}
