//! One collection: read without waiting, changed by one at a time.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use serde_json::Value as Json;

use super::content::{Content, Entry, Value, now, weight};
use super::declaration::{Declaration, Grant, Kind};
use super::fault::Fault;
use super::history::{Deed, History, Kept, Record, TOLD, Told};
use super::journal::{Queue, Ticket, Work};
use super::key::{self, Key};
use super::query::View;
use super::schema::Type;
use super::step::{self, Change, Condition, Draft, Step, Until};

/// A collection. Reads take one lock of one shard, which is held no longer than one entry takes;
/// changes are made one after the other.
pub struct Table {
    name: Arc<str>,
    /// When it was first declared: tells it from one of the same name before it.
    id: u64,
    pub(super) declaration: ArcSwap<Declaration>,
    pub(super) content: ArcSwap<Content>,
    changes: Mutex<Changes>,
    /// Changes since the start.
    pub(super) changed: AtomicU64,
    pub(super) queue: Arc<Queue>,
}

/// What only one at a time changes.
pub(super) struct Changes {
    pub(super) version: u64,
    pub(super) history: History,
    pub(super) views: BTreeMap<String, View>,
}

/// What a change came to.
#[derive(Debug, Clone)]
pub struct Done {
    /// The version that it made.
    pub version: u64,
    /// Whether an entry came to be that was not there.
    pub created: bool,
    /// Tells when it is kept on disk.
    pub ticket: Ticket,
}

/// What a collection has, for answers and metrics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statistics {
    /// Its name.
    pub name: Arc<str>,
    /// Its entries; those whose time is over count until they are swept.
    pub entries: usize,
    /// The bytes that they take, about.
    pub bytes: usize,
    /// Changes since the start.
    pub changes: u64,
}

/// A collection as it is read from disk.
pub(super) struct Kindled {
    pub(super) name: Arc<str>,
    pub(super) id: u64,
    pub(super) declaration: Declaration,
    pub(super) version: u64,
    pub(super) views: BTreeMap<String, View>,
    pub(super) records: Vec<Record>,
}

/// An entry that a change is going to make.
pub(super) type Planned = BTreeMap<Key, (Option<Kept>, Option<Kept>)>;

impl Table {
    pub(super) fn new(kindled: Kindled, content: Content, queue: Arc<Queue>) -> Self {
        let Kindled { name, id, declaration, version, views, records } = kindled;
        let floor = records.first().map_or(version, |record| record.version.saturating_sub(1));
        let mut history = History::since(floor);
        for record in records {
            history.push(record, declaration.limits.history);
        }
        Self {
            name,
            id,
            declaration: ArcSwap::from_pointee(declaration),
            content: ArcSwap::from_pointee(content),
            changes: Mutex::new(Changes { version, history, views }),
            changed: AtomicU64::new(0),
            queue,
        }
    }

    /// Its name.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// What it is.
    pub fn declaration(&self) -> Arc<Declaration> {
        self.declaration.load_full()
    }

    /// What an owner may do with it; none: nothing.
    pub fn grant(&self, owner: &str) -> Option<Grant> {
        self.declaration.load().grant(owner)
    }

    /// The number of its last change.
    pub fn version(&self) -> u64 {
        self.lock().version
    }

    /// What tells a version of it, or of an entry, from all others: an entity tag, with its quotes.
    pub fn etag(&self, version: u64) -> String {
        format!("\"{:x}-{version}\"", self.id)
    }

    /// The entry of a key.
    pub fn get(&self, key: &str) -> Option<Entry> {
        self.read(key, Entry::clone)
    }

    /// Whether a key has an entry.
    pub fn has(&self, key: &str) -> bool {
        self.read(key, |_| ()).is_some()
    }

    /// Whether an address is in one of its networks.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.content.load().longest(address, |_, _| ()).is_some()
    }

    /// The longest of its networks that an address is in, and what is said of it.
    pub fn matching(&self, address: IpAddr) -> Option<(String, Entry)> {
        let found = |key: &[u8], entry: &Entry| (key::unpack(Kind::Addresses, key), entry.clone());
        self.content.load().longest(address, found)
    }

    /// Sets an entry.
    ///
    /// # Errors
    /// Any; then nothing is changed.
    pub fn put(&self, draft: Draft, condition: Condition, who: &str) -> Result<Done, Fault> {
        let step = draft.step(&self.declaration.load())?;
        self.apply(vec![Step { condition, ..step }], who, Deed::Write)
    }

    /// Sets fields of an entry and removes those that are null; to a counter it adds. An entry that
    /// is not there is a fault, but for a counter.
    ///
    /// # Errors
    /// Any; then nothing is changed.
    pub fn patch(&self, draft: Draft, condition: Condition, who: &str) -> Result<Done, Fault> {
        let declared = self.declaration.load();
        let until = match draft.until()? {
            Until::Usual => Until::Kept,
            until => until,
        };
        let key = step::bounded_key(&declared, draft.key.as_deref().unwrap_or_default())?;
        let change = match declared.kind {
            Kind::Counters => Change::Add(draft.value.as_i64().ok_or_else(|| {
                Fault::bad("`value` is a whole number of 64 bits: what is added to the counter")
            })?),
            _ => Change::Merge(draft.value),
        };
        self.apply(vec![Step { key, condition, change, until }], who, Deed::Write)
    }

    /// Removes an entry.
    ///
    /// # Errors
    /// [`Fault::NotFound`], [`Fault::Condition`].
    pub fn delete(&self, key: &str, condition: Condition, who: &str) -> Result<Done, Fault> {
        let key = step::bounded_key(&self.declaration.load(), key)?;
        let step = Step { key, condition, change: Change::Delete, until: Until::Usual };
        self.apply(vec![step], who, Deed::Delete)
    }

    /// Sets and removes many entries, all or none of them.
    ///
    /// # Errors
    /// The first fault, with the number of the entry from 0.
    pub fn put_all(&self, drafts: Vec<Draft>, who: &str) -> Result<Done, Fault> {
        let declared = self.declaration.load_full();
        let steps = drafts.into_iter().enumerate().map(|(index, draft)| {
            draft.step(&declared).map_err(|fault| Fault::bad(format!("entry {index}: {fault}")))
        });
        self.apply(steps.collect::<Result<_, _>>()?, who, Deed::Write)
    }

    /// Adds to a counter, which begins at 0 and then lives for `ttl`; what it comes to. It is kept on
    /// disk within about a second, and not in the history.
    ///
    /// # Errors
    /// [`Fault::Bad`], [`Fault::Full`].
    pub fn incr(&self, key: &str, by: i64, ttl: Option<Duration>) -> Result<i64, Fault> {
        let declared = self.declaration.load();
        if declared.kind != Kind::Counters {
            return Err(Fault::bad("only counters are counted up"));
        }
        let key = step::bounded_key(&declared, key)?;
        let until = ttl.map_or(Until::Kept, |ttl| Until::At(now() + ttl.as_millis() as u64));
        let mut changes = self.lock();
        let content = self.content.load();
        let before = content.read(&key, Kept::of);
        let count = sum(before.as_ref().map(|kept| &kept.value), by)?;
        let expires = match &before {
            Some(before) => before.expires,
            None => until.resolve(&declared, None),
        };
        if before.is_none() {
            self.room(&declared, &content, 1, weight(&key, &Value::Count(count)) as isize)?;
        }
        changes.version += 1;
        let entry = Entry { value: Value::Count(count), version: changes.version, expires };
        content.put(false, key.clone(), entry);
        self.changed.fetch_add(1, Ordering::Relaxed);
        drop(changes);
        self.queue.counted(self.id, &key);
        Ok(count)
    }

    /// Its entries, bytes and changes.
    pub fn statistics(&self) -> Statistics {
        let content = self.content.load();
        Statistics {
            name: self.name.clone(),
            entries: content.entries(),
            bytes: content.bytes(),
            changes: self.changed.load(Ordering::Relaxed),
        }
    }

    pub(super) fn id(&self) -> u64 {
        self.id
    }

    pub(super) fn content(&self) -> Arc<Content> {
        self.content.load_full()
    }

    /// The entry of a kept key, also if its time is over.
    pub(super) fn kept(&self, key: &[u8]) -> Option<Entry> {
        self.content.load().read(key, Entry::clone)
    }

    /// What `read` makes of the entry of a key.
    fn read<T>(&self, key: &str, read: impl FnOnce(&Entry) -> T) -> Option<T> {
        let declared = self.declaration.load();
        let content = self.content.load();
        let texts = match &declared.schema {
            None => declared.kind != Kind::Addresses,
            Some(schema) => schema.column(&schema.key).is_some_and(|key| key.kind == Type::Text),
        };
        if texts {
            return content.read(key.as_bytes(), read);
        }
        content.read(&step::bounded_key(&declared, key).ok()?, read)
    }

    /// Makes changes, all or none of them.
    pub(super) fn apply(&self, steps: Vec<Step>, who: &str, deed: Deed) -> Result<Done, Fault> {
        let declared = self.declaration.load_full();
        let mut changes = self.lock();
        let content = self.content.load_full();
        let planned = self.plan(&declared, &content, steps)?;
        let count = planned.len();
        let created = planned.values().any(|(before, after)| before.is_none() && after.is_some());
        let (version, told) = self.carry_out(&mut changes, &declared, &content, planned);
        let told = (count <= TOLD).then_some(told);
        let ticket = self.remember(&mut changes, &declared, who, deed, count, told);
        Ok(Done { version, created, ticket })
    }

    /// What the changes come to, if they can all be made.
    pub(super) fn plan(
        &self,
        declared: &Declaration,
        content: &Content,
        steps: Vec<Step>,
    ) -> Result<Planned, Fault> {
        let mut planned = Planned::new();
        let (mut entries, mut bytes) = (0, 0);
        for Step { key, condition, change, until } in steps {
            let found = content.read(&key, Entry::clone);
            let (first, before) = match planned.get(&key) {
                Some((first, last)) => (first.clone(), last.clone()),
                None => (found.as_ref().map(Kept::of), found.as_ref().map(Kept::of)),
            };
            self.hold(&condition, found.as_ref())?;
            let after = changed(declared, &key, before.as_ref(), change, until)?;
            let weigh = |kept: &Option<Kept>| {
                kept.as_ref().map_or(0, |kept| weight(&key, &kept.value) as isize)
            };
            entries += isize::from(after.is_some()) - isize::from(before.is_some());
            bytes += weigh(&after) - weigh(&before);
            planned.insert(key, (first, after));
        }
        self.room(declared, content, entries, bytes)?;
        Ok(planned)
    }

    /// Makes the changes; their version, and what they were.
    pub(super) fn carry_out(
        &self,
        changes: &mut Changes,
        declared: &Declaration,
        content: &Content,
        planned: Planned,
    ) -> (u64, Vec<Told>) {
        changes.version += 1;
        let version = changes.version;
        let networks = declared.kind == Kind::Addresses;
        let mut keys = Vec::with_capacity(planned.len());
        let mut told = Vec::with_capacity(planned.len());
        for (key, (before, after)) in planned {
            match &after {
                Some(Kept { value, expires }) => {
                    let entry = Entry { value: value.clone(), version, expires: *expires };
                    content.put(networks, key.clone(), entry);
                }
                None => drop(content.remove(networks, &key)),
            }
            told.push(Told { key: key.clone(), before, after });
            keys.push(key);
        }
        self.changed.fetch_add(keys.len() as u64, Ordering::Relaxed);
        self.queue.push(Work::Entries { id: self.id, version, keys });
        (version, told)
    }

    /// Notes a change that made the version that is now.
    pub(super) fn remember(
        &self,
        changes: &mut Changes,
        declared: &Declaration,
        who: &str,
        deed: Deed,
        count: usize,
        told: Option<Vec<Told>>,
    ) -> Ticket {
        let version = changes.version;
        let record = Record { version, at: now(), who: who.to_owned(), deed, count, told };
        changes.history.push(record.clone(), declared.limits.history);
        let floor = changes.history.floor();
        self.queue.push(Work::Record { id: self.id, record: Box::new(record), floor })
    }

    /// Whether a condition is met.
    fn hold(&self, condition: &Condition, found: Option<&Entry>) -> Result<(), Fault> {
        let etag = found.map(|entry| self.etag(entry.version));
        let held = match condition {
            Condition::Always => true,
            Condition::Absent => etag.is_none(),
            Condition::There => etag.is_some(),
            Condition::Is(wanted) => etag.as_ref().is_some_and(|etag| wanted.contains(etag)),
        };
        if held { Ok(()) } else { Err(Fault::Condition { etag }) }
    }

    /// Whether there is room for so much more.
    pub(super) fn room(
        &self,
        declared: &Declaration,
        content: &Content,
        entries: isize,
        bytes: isize,
    ) -> Result<(), Fault> {
        let limits = &declared.limits;
        if entries > 0 && content.entries().saturating_add_signed(entries) > limits.entries {
            return Err(Fault::Full(format!(
                "`{}` is full: {} entries",
                self.name, limits.entries
            )));
        }
        if bytes > 0 && content.bytes().saturating_add_signed(bytes) > limits.bytes {
            return Err(Fault::Full(format!("`{}` is full: {} bytes", self.name, limits.bytes)));
        }
        Ok(())
    }

    /// A panic of another thread leaves nothing half-changed that is not journalled again.
    pub(super) fn lock(&self) -> MutexGuard<'_, Changes> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What an entry becomes.
fn changed(
    declared: &Declaration,
    key: &Key,
    before: Option<&Kept>,
    change: Change,
    until: Until,
) -> Result<Option<Kept>, Fault> {
    let text = || key::unpack(declared.kind, key);
    let value = match change {
        Change::Delete if before.is_none() => return Err(Fault::no_entry(&text())),
        Change::Delete | Change::Drop => return Ok(None),
        Change::Set(value) => value,
        Change::Add(by) => Value::Count(sum(before.map(|kept| &kept.value), by)?),
        Change::Merge(patch) => {
            let before = before.ok_or_else(|| Fault::no_entry(&text()))?;
            let merged = match patch {
                Json::Null => step::json(&before.value),
                patch => step::merge(step::json(&before.value), patch),
            };
            step::fit(declared, Some(&text()), merged)?.1
        }
    };
    Ok(Some(Kept { value, expires: until.resolve(declared, before) }))
}

fn sum(before: Option<&Value>, by: i64) -> Result<i64, Fault> {
    let count = match before {
        Some(Value::Count(count)) => *count,
        _ => 0,
    };
    count.checked_add(by).ok_or_else(|| Fault::bad("the counter would pass 64 bits"))
}
