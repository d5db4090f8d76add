//! Rollouts: a version that does not serve yet is tried beside the one that does, or for some clients,
//! until it takes its place or is given up.

mod change;
mod difference;
mod gates;
mod history;
mod share;

use std::io;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Instant, SystemTime};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

pub use change::Rollout;
pub use difference::{Compared, Difference, Differences, Done, Ending, Summary};
pub use gates::{Gates, Standing};
pub use history::{Event, GATE, Happening, remember};
pub use share::{Share, Sticky};

use super::FunctionRoute;
use super::ledger::Counts;
use crate::transaction::{Client, Request};

/// Calls beside the live ones that may be waiting or running at once, on all workers; the next ones
/// are left out, and counted.
pub(super) const SHADOWS_AT_ONCE: u32 = 16;

/// A version that is being tried.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Candidate {
    /// Its digest.
    pub digest: Arc<str>,
    /// How it is tried.
    #[serde(flatten)]
    pub mode: Mode,
    /// What a client is known by, that stays with one version in a canary.
    pub sticky: Sticky,
    /// The requests of its function that it is tried for; none: all.
    #[serde(default)]
    pub route: Option<FunctionRoute>,
    /// What it must be like.
    pub gates: Gates,
    /// Since when it is tried so.
    pub since: SystemTime,
    /// Who wanted it.
    pub by: String,
    /// Which clients a canary is for: drawn anew with each version, so that it is not always the same
    /// ones that meet what is new.
    pub(super) key: u64,
    /// How it compares so far; not kept over a restart.
    #[serde(skip)]
    pub contest: Arc<Contest>,
}

/// How a candidate is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "mode", content = "percent", rename_all = "lowercase")]
pub enum Mode {
    /// So many of all clients are answered by it.
    Canary(Share),
    /// So many of the requests that the live version answered are run by it too, without effect.
    Sample(Share),
    /// All requests that the live version answered are run by it too, without effect.
    Shadow,
}

/// How a candidate compares with the version that serves.
#[derive(Debug, Default)]
pub struct Contest {
    /// Calls of it that answer clients at this moment, on all workers.
    pub running: AtomicU32,
    /// What it would have done otherwise.
    pub differences: Differences,
    shadows: AtomicU32,
    base: Mutex<Option<Base>>,
}

/// What both had come to when the gates' window began.
#[derive(Debug, Clone)]
struct Base {
    at: Instant,
    live: Counts,
    candidate: Counts,
}

/// A call beside the live ones, that makes the next ones wait their turn until it is dropped.
#[derive(Debug)]
pub struct Turn(Arc<Contest>);

impl Mode {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Canary(_) => "canary",
            Self::Sample(_) => "sample",
            Self::Shadow => "shadow",
        }
    }

    /// Of how many requests or clients it is.
    pub fn share(self) -> Share {
        match self {
            Self::Canary(share) | Self::Sample(share) => share,
            Self::Shadow => Share::ALL,
        }
    }
}

impl Candidate {
    /// One whose clients are drawn anew.
    ///
    /// # Errors
    /// If the system has no randomness to give.
    pub fn new(digest: Arc<str>, mode: Mode, sticky: Sticky, gates: Gates) -> io::Result<Self> {
        let mut key = [0; 8];
        getrandom::fill(&mut key).map_err(io::Error::other)?;
        Ok(Self {
            digest,
            mode,
            sticky,
            route: None,
            gates,
            since: SystemTime::now(),
            by: String::new(),
            key: u64::from_le_bytes(key),
            contest: Arc::default(),
        })
    }

    /// Whether this client is answered by it.
    pub fn answers(&self, request: &Request, client: &Client) -> bool {
        let Mode::Canary(share) = self.mode else { return false };
        let known = self.sticky.of(request);
        let drawn = match &known {
            Some(value) => self.draw(value),
            None => self.draw(&place(client.address)),
        };
        share.takes(drawn)
    }

    /// Whether it is tried for requests of this host and path; elsewhere the live version serves.
    pub fn is_for(&self, host: Option<&str>, path: &str) -> bool {
        self.route.as_ref().is_none_or(|route| route.covers(host, path))
    }

    /// The same for a request.
    pub(super) fn is_for_request(&self, request: &Request) -> bool {
        self.route.is_none()
            || std::str::from_utf8(&request.normalized_path())
                .is_ok_and(|path| self.is_for(request.host().as_deref(), path))
    }

    /// Whether it is to be run beside the live version for an exchange of this id.
    pub fn shadows(&self, id: &str) -> bool {
        match self.mode {
            Mode::Canary(_) => false,
            Mode::Sample(share) => share.takes(self.draw(id.as_bytes())),
            Mode::Shadow => true,
        }
    }

    /// A number that nobody can foretell who does not know the key, always the same for a value.
    fn draw(&self, value: &[u8]) -> u64 {
        let mut hasher = Sha256::new();
        hasher.update(self.key.to_le_bytes());
        hasher.update(value);
        let first = hasher.finalize().first_chunk::<8>().copied();
        u64::from_le_bytes(first.unwrap_or_default())
    }
}

/// What a client without the wanted cookie or field is known by. Who has one address of IPv6 has
/// 2^64 of them.
fn place(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().iter().take(8).copied().collect(),
    }
}

impl Contest {
    /// A turn for one more call beside the live ones, if not so many wait.
    pub fn turn(self: &Arc<Self>, most: u32) -> Option<Turn> {
        let before = self.shadows.fetch_add(1, Ordering::Relaxed);
        // Given back by `Drop` in either case.
        let turn = Turn(self.clone());
        (before < most).then_some(turn)
    }

    fn base(&self) -> Option<Base> {
        self.base.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn begin(&self, base: Base) {
        *self.base.lock().unwrap_or_else(PoisonError::into_inner) = Some(base);
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.shadows.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
