//! Questions to a collection: filters, pages, and views, which are questions with a name.

use std::collections::BinaryHeap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::content::{Content, Entry, now};
use super::declaration::{Declaration, Kind};
use super::fault::Fault;
use super::filter::Filter;
use super::key::{self, Key};
use super::step;

/// Entries of a page unless another number is asked for.
const PAGE: usize = 100;
/// Entries of a page, at most.
pub const LONGEST_PAGE: usize = 10_000;
/// Filters of a question, at most.
const FILTERS: usize = 16;

/// A question as it is asked and kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct View {
    /// Filters, all of which hold: `country:eq:FR`.
    #[serde(rename = "where", skip_serializing_if = "Vec::is_empty")]
    pub filters: Vec<String>,
    /// What keys begin with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// How many entries a page has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}

/// A question that was checked.
#[derive(Debug)]
pub struct Query {
    declared: Arc<Declaration>,
    filters: Vec<Filter>,
    prefix: String,
    /// Only keys after this one.
    after: Option<Key>,
    limit: usize,
}

/// Entries that answer a question, by key.
#[derive(Debug)]
pub struct Page {
    /// Them, each with its key.
    pub entries: Vec<(String, Entry)>,
    /// What to ask for as `after` to read on; none: these were the last.
    pub next: Option<String>,
}

impl View {
    /// Reads a view from JSON.
    ///
    /// # Errors
    /// [`Fault::Bad`].
    pub fn read(json: &[u8]) -> Result<Self, Fault> {
        serde_json::from_slice(json).map_err(|error| Fault::bad(format!("the view: {error}")))
    }

    /// The question, from `after` on, if it can be asked of such a collection.
    ///
    /// # Errors
    /// [`Fault::Bad`].
    pub fn query(&self, declared: Arc<Declaration>, after: Option<&str>) -> Result<Query, Fault> {
        if self.filters.len() > FILTERS {
            return Err(Fault::bad(format!("at most {FILTERS} filters")));
        }
        let filters = self.filters.iter().map(|text| Filter::read(text, &declared));
        let filters = filters.collect::<Result<_, _>>()?;
        let limit = self.limit.unwrap_or(PAGE);
        if !(1..=LONGEST_PAGE).contains(&limit) {
            return Err(Fault::bad(format!("`limit` is 1 to {LONGEST_PAGE}")));
        }
        let after = after.map(|key| step::bounded_key(&declared, key)).transpose()?;
        let prefix = self.prefix.clone().unwrap_or_default();
        Ok(Query { declared, filters, prefix, after, limit })
    }
}

impl Query {
    /// The entries that answer it. One shard after the other is looked at; an entry that is changed
    /// meanwhile may be told as it was.
    pub(super) fn page(&self, content: &Content) -> Page {
        let mut found: BinaryHeap<Found> = BinaryHeap::new();
        for shard in 0..content.shards() {
            for candidate in self.candidates(content, shard, &found) {
                if !self.holds(&candidate) {
                    continue;
                }
                found.push(candidate);
                // One more than asked for: it tells that there is a next page.
                if found.len() > self.limit + 1 {
                    found.pop();
                }
            }
        }
        let mut found = found.into_sorted_vec();
        let more = found.len() > self.limit;
        found.truncate(self.limit);
        let text = |found: &Found| key::unpack(self.declared.kind, &found.key);
        let next = if more { found.last().map(text) } else { None };
        let entries = found.into_iter().map(|found| (text(&found), found.entry)).collect();
        Page { entries, next }
    }

    /// What of a shard may be of the page, by its keys alone: values are read without the lock.
    fn candidates(&self, content: &Content, shard: usize, found: &BinaryHeap<Found>) -> Vec<Found> {
        let last = found.peek().filter(|_| found.len() > self.limit);
        let mut candidates = Vec::new();
        content.each(shard, |key, entry| {
            let behind = self.after.as_ref().is_none_or(|after| key > after);
            let before = last.is_none_or(|last| *key < last.key);
            if behind && before && self.begins(key) {
                candidates.push(Found { key: key.clone(), entry: entry.clone() });
            }
        });
        candidates
    }

    fn begins(&self, key: &[u8]) -> bool {
        match self.declared.kind {
            Kind::Addresses if !self.prefix.is_empty() => {
                key::unpack(Kind::Addresses, key).starts_with(&self.prefix)
            }
            _ => key.starts_with(self.prefix.as_bytes()),
        }
    }

    fn holds(&self, found: &Found) -> bool {
        if found.entry.is_over(now) {
            return false;
        }
        if self.filters.is_empty() {
            return true;
        }
        let value = step::json(&found.entry.value);
        self.filters.iter().all(|filter| filter.holds(&value))
    }
}

/// An entry that is ordered by its key.
struct Found {
    key: Key,
    entry: Entry,
}

impl PartialEq for Found {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl Eq for Found {}

impl PartialOrd for Found {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Found {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key.cmp(&other.key)
    }
}

/// An entry as clients read it.
pub fn entry(key: &str, entry: &Entry) -> Json {
    let mut shown = serde_json::Map::new();
    shown.insert("key".to_owned(), key.into());
    shown.insert("value".to_owned(), step::json(&entry.value));
    shown.insert("version".to_owned(), entry.version.into());
    if entry.expires != 0 {
        shown.insert("expires".to_owned(), moment(entry.expires).into());
    }
    Json::Object(shown)
}

/// A time in milliseconds since 1970, as RFC 3339 writes it.
pub fn moment(millis: u64) -> String {
    use time::OffsetDateTime;
    use time::format_description::well_known::Rfc3339;
    let at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(millis) * 1_000_000);
    at.ok().and_then(|at| at.format(&Rfc3339).ok()).unwrap_or_default()
}
