//! SecLang's persistent collections (`IP`, `SESSION`, …): bounded in bytes, members expire.
//!
//! A write is seen by every worker at once: two exchanges that count on the same member lose no
//! count. A collection exists from its first write on; to open one that nobody wrote takes no
//! memory, so that a client cannot fill it by changing its key.

mod shard;

use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::BuildHasher;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use self::shard::Shard;

/// Bytes of all collections, at most, unless said otherwise.
pub const DEFAULT_CAPACITY: usize = 64 << 20;
/// Bytes of a key, at most: nothing is kept under a longer one.
pub const LONGEST_KEY: usize = 1024;
/// Bytes of a member's name, at most.
pub const LONGEST_NAME: usize = 256;
/// Bytes of a member's value, at most.
pub const LONGEST_VALUE: usize = 16 << 10;
/// Members of a collection, at most.
pub const MOST_MEMBERS: usize = 1000;

/// Workers seldom wait for one another: a key's lock is one of these.
const SHARDS: usize = 16;

/// Persistent collections, shared by all workers.
pub struct Collections {
    hasher: RandomState,
    shards: [Mutex<Shard>; SHARDS],
}

/// Which kind of thing a key names; the same key in two kinds is two collections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs, reason = "they are the variables of these names")]
pub enum CollectionKind {
    Global,
    Ip,
    Resource,
    Session,
    User,
}

/// A collection as `initcol` names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CollectionId {
    /// Its kind.
    pub kind: CollectionKind,
    /// Its key, macros expanded. At most [`LONGEST_KEY`] bytes.
    pub key: Arc<[u8]>,
    /// How long it lives on after its last write (`SecCollectionTimeout`), unless its own member
    /// `timeout` says otherwise.
    pub timeout: Duration,
}

/// A member of a collection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Lower case.
    pub name: Box<[u8]>,
    /// As it was set.
    pub value: Box<[u8]>,
}

/// Why nothing was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The collection has [`MOST_MEMBERS`].
    #[error("the collection has too many members")]
    Full,
    /// A rule cannot write `create_time`, `is_new`, `key`, `last_update_time`, `update_counter`
    /// or `update_rate`.
    #[error("the member is read-only")]
    ReadOnly,
    /// The key, the name, the value or all of it is larger than may be.
    #[error("too large")]
    TooLarge,
}

/// What is held, for metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CollectionStatistics {
    /// Collections, also those past their time that nobody has met since.
    pub entries: usize,
    /// Bytes: keys, names, values, and what it takes to keep them.
    pub bytes: usize,
    /// How many that were still valid had to make room so far.
    pub evictions: u64,
}

impl Collections {
    /// Empty ones, of that many bytes in all. Each key lives in one of 16 parts of it.
    pub fn new(capacity: usize) -> Self {
        let shards = std::array::from_fn(|_| Mutex::new(Shard::new(capacity / SHARDS)));
        Self { hasher: RandomState::new(), shards }
    }

    /// Its members as they are now, with those that every collection has: `create_time`, `is_new`,
    /// `key`, `last_update_time`, `timeout`, `update_counter` and `update_rate` (times in seconds
    /// since 1970, the rate in updates a minute).
    pub fn open(&self, id: &CollectionId, now: SystemTime) -> Vec<Member> {
        self.shard(id).members(id, now)
    }

    /// A member's value.
    pub fn read(&self, id: &CollectionId, name: &[u8], now: SystemTime) -> Option<Box<[u8]>> {
        let name = name.to_ascii_lowercase();
        let member = self.open(id, now).into_iter().find(|member| *member.name == *name)?;
        Some(member.value)
    }

    /// Sets a member. When it expires, if it does, stays as it was. `timeout` (in seconds) is the
    /// collection's own.
    ///
    /// # Errors
    /// [`Refused`]: nothing is changed.
    pub fn set(
        &self,
        id: &CollectionId,
        name: &[u8],
        value: &[u8],
        now: SystemTime,
    ) -> Result<(), Refused> {
        let name = checked(id, name, value)?;
        self.shard(id).write(id, &name, now, |_| value.into()).map(|_| ())
    }

    /// Adds to a member; the sum. A member that is not there, or no number, is 0 before.
    ///
    /// # Errors
    /// [`Refused`]: nothing is changed.
    pub fn add(
        &self,
        id: &CollectionId,
        name: &[u8],
        by: i64,
        now: SystemTime,
    ) -> Result<i64, Refused> {
        let name = checked(id, name, b"")?;
        let sum = |before: &[u8]| number(before).saturating_add(by).to_string().into_bytes().into();
        self.shard(id).write(id, &name, now, sum).map(|sum| number(&sum))
    }

    /// Removes a member.
    pub fn unset(&self, id: &CollectionId, name: &[u8], now: SystemTime) {
        self.shard(id).unset(id, &name.to_ascii_lowercase(), now);
    }

    /// Lets a member that is there expire so long after now.
    pub fn expire(&self, id: &CollectionId, name: &[u8], after: Duration, now: SystemTime) {
        self.shard(id).expire(id, &name.to_ascii_lowercase(), after, now);
    }

    /// What is held.
    pub fn statistics(&self) -> CollectionStatistics {
        let add = |sum: CollectionStatistics, shard: &Mutex<Shard>| {
            let part = lock(shard).statistics();
            CollectionStatistics {
                entries: sum.entries + part.entries,
                bytes: sum.bytes + part.bytes,
                evictions: sum.evictions + part.evictions,
            }
        };
        self.shards.iter().fold(CollectionStatistics::default(), add)
    }

    fn shard(&self, id: &CollectionId) -> MutexGuard<'_, Shard> {
        let hash = self.hasher.hash_one((id.kind, &id.key));
        let [first, ..] = &self.shards;
        lock(self.shards.get(hash as usize % SHARDS).unwrap_or(first))
    }
}

/// Every operation is short and calls nothing foreign: a lock that a panic poisoned is used on.
fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The name in lower case, if this may be written.
fn checked(id: &CollectionId, name: &[u8], value: &[u8]) -> Result<Vec<u8>, Refused> {
    if id.key.len() > LONGEST_KEY || name.len() > LONGEST_NAME || value.len() > LONGEST_VALUE {
        return Err(Refused::TooLarge);
    }
    let name = name.to_ascii_lowercase();
    match name.as_slice() {
        b"create_time" | b"is_new" | b"key" | b"last_update_time" | b"update_counter"
        | b"update_rate" => Err(Refused::ReadOnly),
        _ => Ok(name),
    }
}

/// The number at the beginning of a text; 0 if there is none.
fn number(text: &[u8]) -> i64 {
    let text = text.trim_ascii_start();
    let sign = usize::from(matches!(text.first(), Some(b'-' | b'+')));
    let digits = text.iter().skip(sign).take_while(|byte| byte.is_ascii_digit()).count();
    let number = text.get(..sign + digits).and_then(|text| std::str::from_utf8(text).ok());
    match number.map(str::parse::<i128>) {
        Some(Ok(number)) => {
            i64::try_from(number).unwrap_or(if number < 0 { i64::MIN } else { i64::MAX })
        }
        _ => 0,
    }
}

impl Default for Collections {
    fn default() -> Self {
        Self::new(DEFAULT_CAPACITY)
    }
}

impl fmt::Debug for Collections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Collections").field("statistics", &self.statistics()).finish()
    }
}

#[cfg(test)]
mod tests;
