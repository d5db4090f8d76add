//! What was changed, by whom and when: a bounded memory, and the way back.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use super::content::{Entry, Value};
use super::fault::Fault;
use super::key::Key;

/// Bytes that the history of a collection takes, at most.
const BYTES: usize = 8 << 20;
/// Entries that one change tells of; a larger one cannot be undone.
pub(super) const TOLD: usize = 10_000;
/// What a record takes besides what it tells.
const OVERHEAD: usize = 128;

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Deed {
    /// It was declared, or declared again.
    Declare,
    /// Entries were removed.
    Delete,
    /// A list was read into it.
    Import,
    /// A list was read in place of what was there.
    Replace,
    /// It is again as it was at a version.
    Restore,
    /// Entries were set.
    Write,
}

/// A change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The version that it made.
    pub version: u64,
    /// When, in milliseconds since 1970.
    pub at: u64,
    /// Whose it is.
    pub who: String,
    /// What it was.
    pub deed: Deed,
    /// How many entries it touched.
    pub count: usize,
    /// What these were and became; none: they were too many to tell.
    pub told: Option<Vec<Told>>,
}

/// An entry that was changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// Its key, as it is kept.
    pub key: Key,
    /// What it was; none: it was not there.
    pub before: Option<Kept>,
    /// What it became; none: it was removed.
    pub after: Option<Kept>,
}

/// A value with its time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// What it holds.
    #[serde(with = "written")]
    pub value: Value,
    /// When it ends, in milliseconds since 1970; 0: never.
    pub expires: u64,
}

/// The last changes of a collection, the oldest first.
#[derive(Debug, Default)]
pub(super) struct History {
    records: VecDeque<Record>,
    bytes: usize,
    /// What was so at earlier versions is forgotten.
    floor: u64,
}

impl Kept {
    pub(super) fn of(entry: &Entry) -> Self {
        Self { value: entry.value.clone(), expires: entry.expires }
    }
}

impl History {
    /// One that knows nothing of what was before a version.
    pub(super) fn since(floor: u64) -> Self {
        Self { floor, ..Self::default() }
    }

    /// Remembers a change, and forgets the oldest ones that are too many.
    pub(super) fn push(&mut self, record: Record, most: usize) {
        self.bytes += weight(&record);
        self.records.push_back(record);
        while self.records.len() > most || self.bytes > BYTES {
            let Some(oldest) = self.records.pop_front() else { return };
            self.bytes -= weight(&oldest);
            self.floor = oldest.version;
        }
    }

    /// Them, the newest first.
    pub(super) fn newest(&self) -> impl Iterator<Item = &Record> {
        self.records.iter().rev()
    }

    /// The oldest version that there is a way back to.
    pub(super) fn floor(&self) -> u64 {
        self.floor
    }

    /// What every entry that was changed after a version was at that version.
    ///
    /// # Errors
    /// [`Fault::Conflict`] if that is not known any more.
    pub(super) fn before(&self, version: u64) -> Result<BTreeMap<Key, Option<Kept>>, Fault> {
        if version < self.floor {
            let floor = self.floor;
            return Err(Fault::Conflict(format!(
                "version {version} is forgotten; the oldest that is known is {floor}"
            )));
        }
        let mut entries = BTreeMap::new();
        for record in self.newest().take_while(|record| record.version > version) {
            let Some(told) = &record.told else {
                let blocking = record.version;
                return Err(Fault::Conflict(format!(
                    "version {blocking} changed too many entries to go back behind it: import \
                     the former list again"
                )));
            };
            for told in told.iter().rev() {
                entries.insert(told.key.clone(), told.before.clone());
            }
        }
        Ok(entries)
    }
}

fn weight(record: &Record) -> usize {
    let kept = |kept: &Option<Kept>| kept.as_ref().map_or(0, |kept| kept.value.bytes());
    let told = record.told.iter().flatten();
    told.map(|told| told.key.len() + kept(&told.before) + kept(&told.after) + OVERHEAD)
        .sum::<usize>()
        + record.who.len()
        + OVERHEAD
}

/// A value as JSON: null, a text, or a number.
mod written {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::Value;

    #[derive(Serialize, Deserialize)]
    #[serde(untagged)]
    enum Written {
        Nothing,
        Count(i64),
        Json(String),
    }

    pub(super) fn serialize<S: Serializer>(value: &Value, to: S) -> Result<S::Ok, S::Error> {
        match value {
            Value::Nothing => Written::Nothing,
            Value::Count(count) => Written::Count(*count),
            Value::Json(text) => Written::Json(text.to_string()),
        }
        .serialize(to)
    }

    pub(super) fn deserialize<'a, D: Deserializer<'a>>(from: D) -> Result<Value, D::Error> {
        Ok(match Written::deserialize(from)? {
            Written::Nothing => Value::Nothing,
            Written::Count(count) => Value::Count(count),
            Written::Json(text) => Value::Json(text.into()),
        })
    }
}
