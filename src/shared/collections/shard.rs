//! What is behind one lock: collections by kind and key, in the orders of their use and their end.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::{CollectionId, CollectionKind, CollectionStatistics, MOST_MEMBERS, Member, Refused};

/// Bytes that a collection takes besides its key and members: its places in the map and in both
/// orders, the allocator's share.
const COLLECTION_BYTES: usize = 400;
/// Bytes that a member takes besides its name and value.
const MEMBER_BYTES: usize = 112;
/// Collections past their time that each write drops on its way.
const DROPPED_BY_A_WRITE: usize = 2;

/// How long a collection can live on without a write: ten years.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(10 * 365 * 86_400);

type Key = (CollectionKind, Arc<[u8]>);

/// Keys are hashed with a secret of this process, so that a client cannot choose keys that collide.
pub struct Shard {
    capacity: usize,
    used: usize,
    evictions: u64,
    /// The number of the last use.
    last: u64,
    kept: HashMap<Key, Kept>,
    /// The least recently used first.
    by_use: BTreeMap<u64, Key>,
    /// The soonest to expire first.
    by_end: BTreeSet<(SystemTime, Key)>,
}

struct Kept {
    members: BTreeMap<Box<[u8]>, Value>,
    bytes: usize,
    created: SystemTime,
    updated: SystemTime,
    updates: u64,
    timeout: Duration,
    ends: SystemTime,
    used: u64,
}

struct Value {
    bytes: Box<[u8]>,
    ends: Option<SystemTime>,
}

impl Shard {
    pub fn new(capacity: usize) -> Self {
        Self {
            capacity,
            used: 0,
            evictions: 0,
            last: 0,
            kept: HashMap::new(),
            by_use: BTreeMap::new(),
            by_end: BTreeSet::new(),
        }
    }

    pub fn statistics(&self) -> CollectionStatistics {
        let entries = self.kept.len();
        CollectionStatistics { entries, bytes: self.used, evictions: self.evictions }
    }

    pub fn members(&mut self, id: &CollectionId, now: SystemTime) -> Vec<Member> {
        let key = key_of(id);
        let Some(kept) = self.valid(&key, now) else {
            return Kept::new(id, now).told(id, now, true);
        };
        let members = kept.told(id, now, false);
        self.touch(&key);
        members
    }

    /// Writes what `change` makes of a member's value (empty if it is not there).
    pub fn write(
        &mut self,
        id: &CollectionId,
        name: &[u8],
        now: SystemTime,
        change: impl FnOnce(&[u8]) -> Box<[u8]>,
    ) -> Result<Box<[u8]>, Refused> {
        let key = key_of(id);
        let mut kept = match self.valid(&key, now) {
            Some(_) => self.take(&key).unwrap_or_else(|| Kept::new(id, now)),
            None => Kept::new(id, now),
        };
        let value = change(kept.value(name).unwrap_or_default());
        let outcome = kept.set(name, &value, now, self.capacity);
        if kept.updates > 0 {
            self.put(key, kept, now);
        }
        outcome.map(|()| value)
    }

    pub fn unset(&mut self, id: &CollectionId, name: &[u8], now: SystemTime) {
        self.change(id, now, |kept| {
            kept.members.remove(name);
        });
    }

    pub fn expire(&mut self, id: &CollectionId, name: &[u8], after: Duration, now: SystemTime) {
        self.change(id, now, |kept| {
            if let Some(value) = kept.members.get_mut(name) {
                value.ends = now.checked_add(after);
            }
        });
    }

    /// Changes a collection that is there, in a way that takes no more room.
    fn change(&mut self, id: &CollectionId, now: SystemTime, change: impl FnOnce(&mut Kept)) {
        let key = key_of(id);
        if self.valid(&key, now).is_none() {
            return;
        }
        if let Some(mut kept) = self.take(&key) {
            change(&mut kept);
            kept.written(now);
            self.put(key, kept, now);
        }
    }

    /// A collection that is not past its time; one that is, is dropped.
    fn valid(&mut self, key: &Key, now: SystemTime) -> Option<&mut Kept> {
        if self.kept.get(key)?.ends <= now {
            self.take(key);
        }
        let kept = self.kept.get_mut(key)?;
        kept.members.retain(|_, value| value.ends.is_none_or(|ends| ends > now));
        Some(kept)
    }

    fn touch(&mut self, key: &Key) {
        if let Some(kept) = self.kept.get_mut(key) {
            self.last += 1;
            self.by_use.remove(&kept.used);
            kept.used = self.last;
            self.by_use.insert(self.last, key.clone());
        }
    }

    fn take(&mut self, key: &Key) -> Option<Kept> {
        let kept = self.kept.remove(key)?;
        self.by_use.remove(&kept.used);
        self.by_end.remove(&(kept.ends, key.clone()));
        self.used -= kept.bytes;
        Some(kept)
    }

    fn put(&mut self, key: Key, mut kept: Kept, now: SystemTime) {
        kept.bytes = kept.size(key.1.len());
        self.make_room(kept.bytes, now);
        self.last += 1;
        kept.used = self.last;
        self.used += kept.bytes;
        self.by_use.insert(kept.used, key.clone());
        self.by_end.insert((kept.ends, key.clone()));
        self.kept.insert(key, kept);
    }

    /// Drops collections: some that are past their time, then as many as it takes, those past
    /// their time first.
    fn make_room(&mut self, bytes: usize, now: SystemTime) {
        for _ in 0..DROPPED_BY_A_WRITE {
            self.drop_ended(now);
        }
        while self.used + bytes > self.capacity {
            if self.drop_ended(now) {
                continue;
            }
            let Some((_, key)) = self.by_use.first_key_value() else { return };
            let key = key.clone();
            self.take(&key);
            self.evictions += 1;
        }
    }

    /// Drops one collection that is past its time, if there is one.
    fn drop_ended(&mut self, now: SystemTime) -> bool {
        let ended = self.by_end.first().filter(|(ends, _)| *ends <= now);
        let Some((_, key)) = ended else { return false };
        let key = key.clone();
        self.take(&key);
        true
    }
}

impl Kept {
    fn new(id: &CollectionId, now: SystemTime) -> Self {
        Self {
            members: BTreeMap::new(),
            bytes: 0,
            created: now,
            updated: now,
            updates: 0,
            timeout: id.timeout,
            ends: now,
            used: 0,
        }
    }

    fn size(&self, key: usize) -> usize {
        let members = self.members.iter();
        let sizes = members.map(|(name, value)| MEMBER_BYTES + name.len() + value.bytes.len());
        // The key is there three times, but shared.
        COLLECTION_BYTES + key + sizes.sum::<usize>()
    }

    /// A member's value; members past their time are gone already.
    fn value(&self, name: &[u8]) -> Option<&[u8]> {
        self.members.get(name).map(|value| &*value.bytes)
    }

    fn set(
        &mut self,
        name: &[u8],
        value: &[u8],
        now: SystemTime,
        capacity: usize,
    ) -> Result<(), Refused> {
        if name == b"timeout" {
            self.timeout = Duration::from_secs(u64::try_from(super::number(value)).unwrap_or(0));
        } else if self.bytes + COLLECTION_BYTES + MEMBER_BYTES + name.len() + value.len() > capacity
        {
            return Err(Refused::TooLarge);
        } else if let Some(kept) = self.members.get_mut(name) {
            kept.bytes = value.into();
        } else if self.members.len() >= MOST_MEMBERS {
            return Err(Refused::Full);
        } else {
            self.members.insert(name.into(), Value { bytes: value.into(), ends: None });
        }
        self.written(now);
        Ok(())
    }

    /// Counts an update; all writes of one exchange, which have the same time, are one.
    fn written(&mut self, now: SystemTime) {
        if self.updates == 0 || self.updated != now {
            self.updates += 1;
        }
        self.updated = now;
        self.ends = now.checked_add(self.timeout.min(LONGEST_TIMEOUT)).unwrap_or(now);
    }

    fn told(&self, id: &CollectionId, now: SystemTime, new: bool) -> Vec<Member> {
        let minutes = now.duration_since(self.created).unwrap_or_default().as_secs() / 60 + 1;
        let own = [
            ("create_time", seconds(self.created)),
            ("is_new", u64::from(new)),
            ("last_update_time", seconds(self.updated)),
            ("timeout", self.timeout.as_secs()),
            ("update_counter", self.updates),
            ("update_rate", self.updates / minutes),
        ];
        let own = own.map(|(name, value)| member(name.as_bytes(), value.to_string().as_bytes()));
        let set = self.members.iter().map(|(name, value)| member(name, &value.bytes));
        own.into_iter().chain([member(b"key", &id.key)]).chain(set).collect()
    }
}

fn key_of(id: &CollectionId) -> Key {
    (id.kind, id.key.clone())
}

fn member(name: &[u8], value: &[u8]) -> Member {
    Member { name: name.into(), value: value.into() }
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
