//! The entries of a collection in memory: shards, each behind a lock that nobody holds for longer
//! than it takes to change one entry.

use std::collections::{BTreeSet, HashMap};
use std::hash::BuildHasher as _;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{SystemTime, UNIX_EPOCH};

use foldhash::quality::RandomState;

use super::key::{Key, Packed};

/// Shards of a collection; a power of two.
const SHARDS: usize = 256;
/// What an entry takes besides the bytes of its key and value: its place in the map (which is three
/// quarters full on average), and what the allocator rounds up.
const OVERHEAD: usize = 96;
/// Expired entries that a sweep drops while it holds a lock.
const SWEPT_AT_ONCE: usize = 128;

/// What an entry holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Nothing: an address without attributes.
    Nothing,
    /// An object, as JSON.
    Json(Arc<str>),
    /// A number that is counted up.
    Count(i64),
}

/// An entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What it holds.
    pub value: Value,
    /// The version of the collection that it came with.
    pub version: u64,
    /// When it ends, in milliseconds since 1970; 0: never.
    pub expires: u64,
}

#[derive(Default)]
struct Shard {
    entries: HashMap<Key, Entry, RandomState>,
    /// Those that expire, the soonest first.
    due: BTreeSet<(u64, Key)>,
}

/// All entries of a collection.
pub(super) struct Content {
    shards: Box<[RwLock<Shard>]>,
    hasher: RandomState,
    entries: AtomicUsize,
    bytes: AtomicUsize,
    /// How many networks there are of each length of prefix.
    v4: [AtomicU32; 33],
    v6: [AtomicU32; 129],
}

/// Milliseconds since 1970.
pub(super) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}

impl Value {
    /// The bytes that it has as JSON, but for numbers.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Nothing | Self::Count(_) => 0,
            Self::Json(text) => text.len(),
        }
    }
}

impl Entry {
    pub(super) fn is_over(&self, now: impl FnOnce() -> u64) -> bool {
        self.expires != 0 && self.expires <= now()
    }
}

/// What an entry takes, in bytes.
pub(super) fn weight(key: &[u8], value: &Value) -> usize {
    key.len() + value.bytes() + OVERHEAD
}

impl Default for Content {
    fn default() -> Self {
        Self {
            shards: (0..SHARDS).map(|_| RwLock::default()).collect(),
            hasher: RandomState::default(),
            entries: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
            v4: [const { AtomicU32::new(0) }; 33],
            v6: [const { AtomicU32::new(0) }; 129],
        }
    }
}

impl Content {
    /// What `read` makes of the entry of a key, if there is one and its time is not over. The lock
    /// is held meanwhile.
    pub(super) fn read<T>(&self, key: &[u8], read: impl FnOnce(&Entry) -> T) -> Option<T> {
        let shard = read_lock(self.shard(key)?);
        let entry = shard.entries.get(key)?;
        (!entry.is_over(now)).then(|| read(entry))
    }

    /// What `read` makes of the longest network that an address is in.
    pub(super) fn longest<T>(
        &self,
        address: IpAddr,
        mut read: impl FnMut(&[u8], &Entry) -> T,
    ) -> Option<T> {
        let mut found = |key: Packed| self.read(key.bytes(), |entry| read(key.bytes(), entry));
        match address.to_canonical() {
            IpAddr::V4(address) => {
                let address = address.to_bits();
                lengths(&self.v4).find_map(|length| found(Packed::v4(address, length)))
            }
            IpAddr::V6(address) => {
                let address = address.to_bits();
                lengths(&self.v6).find_map(|length| found(Packed::v6(address, length)))
            }
        }
    }

    /// Sets an entry; the one before, also if its time is over.
    pub(super) fn put(&self, networks: bool, key: Key, entry: Entry) -> Option<Entry> {
        let mut shard = write_lock(self.shard(&key)?);
        if entry.expires != 0 {
            shard.due.insert((entry.expires, key.clone()));
        }
        let expires = entry.expires;
        self.bytes.fetch_add(weight(&key, &entry.value), Ordering::Relaxed);
        let Some(place) = shard.entries.get_mut(&key) else {
            self.entries.fetch_add(1, Ordering::Relaxed);
            if networks {
                self.count(&key, |count| count.fetch_add(1, Ordering::Release));
            }
            shard.entries.insert(key, entry);
            return None;
        };
        let before = std::mem::replace(place, entry);
        self.bytes.fetch_sub(weight(&key, &before.value), Ordering::Relaxed);
        if before.expires != 0 && before.expires != expires {
            shard.due.remove(&(before.expires, key));
        }
        Some(before)
    }

    /// Removes an entry.
    pub(super) fn remove(&self, networks: bool, key: &[u8]) -> Option<Entry> {
        let mut shard = write_lock(self.shard(key)?);
        let removed = shard.entries.remove(key)?;
        if removed.expires != 0 {
            shard.due.remove(&(removed.expires, key.into()));
        }
        self.entries.fetch_sub(1, Ordering::Relaxed);
        self.bytes.fetch_sub(weight(key, &removed.value), Ordering::Relaxed);
        if networks {
            self.count(key, |count| count.fetch_sub(1, Ordering::Relaxed));
        }
        Some(removed)
    }

    /// Removes an entry if its time is over.
    pub(super) fn remove_over(&self, networks: bool, key: &[u8], now: u64) {
        let over = self.shard(key).map(read_lock);
        let over = over.and_then(|shard| Some(shard.entries.get(key)?.is_over(|| now)));
        if over == Some(true) {
            self.remove(networks, key);
        }
    }

    /// At most some keys whose time is over, of one shard.
    pub(super) fn over(&self, shard: usize, now: u64) -> Vec<Key> {
        let Some(shard) = self.shards.get(shard).map(read_lock) else { return Vec::new() };
        let over = shard.due.iter().take_while(|(at, _)| *at <= now);
        over.take(SWEPT_AT_ONCE).map(|(_, key)| key.clone()).collect()
    }

    /// How many shards there are.
    pub(super) fn shards(&self) -> usize {
        self.shards.len()
    }

    /// Shows every entry of a shard, while its lock is held for reading.
    pub(super) fn each(&self, shard: usize, mut show: impl FnMut(&Key, &Entry)) {
        let Some(shard) = self.shards.get(shard).map(read_lock) else { return };
        for (key, entry) in &shard.entries {
            show(key, entry);
        }
    }

    pub(super) fn entries(&self) -> usize {
        self.entries.load(Ordering::Relaxed)
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    fn shard(&self, key: &[u8]) -> Option<&RwLock<Shard>> {
        // A map tells its entries apart by the highest and the lowest bits of a hash.
        let hash = (self.hasher.hash_one(key) >> 32) as usize;
        self.shards.get(hash % SHARDS)
    }

    fn count(&self, key: &[u8], change: impl FnOnce(&AtomicU32) -> u32) {
        let Some((length, counts)) = key.last().zip(match key.len() {
            6 => Some(&self.v4[..]),
            18 => Some(&self.v6[..]),
            _ => None,
        }) else {
            return;
        };
        if let Some(count) = counts.get(usize::from(*length)) {
            change(count);
        }
    }
}

/// The lengths of prefixes that there are, the longest first.
fn lengths(counts: &[AtomicU32]) -> impl Iterator<Item = u8> {
    let there = counts.iter().enumerate().rev();
    there.filter(|(_, count)| count.load(Ordering::Acquire) > 0).map(|(length, _)| length as u8)
}

/// A panic while the lock is held leaves no shard half-changed: nothing foreign is called.
fn read_lock(shard: &RwLock<Shard>) -> RwLockReadGuard<'_, Shard> {
    shard.read().unwrap_or_else(PoisonError::into_inner)
}

fn write_lock(shard: &RwLock<Shard>) -> RwLockWriteGuard<'_, Shard> {
    shard.write().unwrap_or_else(PoisonError::into_inner)
}
