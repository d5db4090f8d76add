//! `collections.db`: what is kept of collections, in SQLite.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use rusqlite::types::ValueRef;
use rusqlite::{
    Connection, OpenFlags, OptionalExtension as _, Row, Statement, Transaction, params,
};

use super::content::{Content, Entry, Value, now};
use super::declaration::{Declaration, Kind};
use super::history::Record;
use super::key::Key;
use super::query::View;
use super::table::{Kindled, Table};

/// The layout of the file; another number is of another version of Moongate.
const LAYOUT: i64 = 1;
/// Versions that may have been given out and lost, where it was not closed in order: none of them
/// is given out again.
const LOST_VERSIONS: u64 = 1 << 20;
/// Rows that one transaction drops of what nothing refers to any more.
const DROPPED_AT_ONCE: usize = 5000;

const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS state (name TEXT PRIMARY KEY, value INTEGER) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS collections (
        id INTEGER PRIMARY KEY, name TEXT UNIQUE NOT NULL, content INTEGER NOT NULL,
        version INTEGER NOT NULL, declaration TEXT NOT NULL, views TEXT NOT NULL);
    CREATE TABLE IF NOT EXISTS entries (
        content INTEGER NOT NULL, key BLOB NOT NULL, value, version INTEGER NOT NULL,
        expires INTEGER NOT NULL, PRIMARY KEY (content, key)) WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS due ON entries (expires) WHERE expires > 0;
    CREATE TABLE IF NOT EXISTS history (
        id INTEGER NOT NULL, version INTEGER NOT NULL, record TEXT NOT NULL,
        PRIMARY KEY (id, version)) WITHOUT ROWID;";

/// The file, open.
pub(super) struct Disk(Connection);

/// What a collection has on disk.
pub(super) struct Found {
    pub(super) kindled: Kindled,
    /// The number under which its entries are.
    pub(super) content: i64,
}

/// Why the file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DiskError {
    /// It is of another version.
    #[error("its layout is {0}, and this Moongate reads {LAYOUT}")]
    Layout(i64),
    /// Its folder cannot be made.
    #[error(transparent)]
    Folder(#[from] std::io::Error),
    /// SQLite says so.
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    /// What it holds cannot be read.
    #[error("what it keeps of `{0}` cannot be read: {1}")]
    Unreadable(String, String),
}

/// Names of the collections in a file that another process may be using; none if it cannot be read.
pub(super) fn names(path: &Path) -> Vec<String> {
    let read = || -> rusqlite::Result<Vec<String>> {
        let file = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        file.busy_timeout(Duration::from_secs(1))?;
        let mut names = file.prepare("SELECT name FROM collections")?;
        names.query_map([], |row| row.get(0))?.collect()
    };
    read().unwrap_or_default()
}

impl Disk {
    /// Opens the file, or makes it.
    pub(super) fn open(path: &Path) -> Result<Self, DiskError> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let file = Connection::open(path)?;
        file.busy_timeout(Duration::from_secs(5))?;
        file.pragma_update(None, "journal_mode", "WAL")?;
        // What was said to be kept is so, also if the power fails.
        file.pragma_update(None, "synchronous", "FULL")?;
        let layout = file.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        if layout != 0 && layout != LAYOUT {
            return Err(DiskError::Layout(layout));
        }
        file.execute_batch(TABLES)?;
        file.pragma_update(None, "user_version", LAYOUT)?;
        let disk = Self(file);
        if layout == 0 {
            disk.set_clean(false)?;
        }
        Ok(disk)
    }

    /// All collections without their entries. From here on the file counts as not closed in order.
    pub(super) fn collections(&self) -> Result<Vec<Found>, DiskError> {
        let clean = "SELECT value FROM state WHERE name = 'clean'";
        let clean = self.0.query_row(clean, [], |row| row.get::<_, bool>(0)).optional()?;
        let lost = if clean == Some(false) { LOST_VERSIONS } else { 0 };
        self.set_clean(false)?;
        let mut all = self
            .0
            .prepare("SELECT id, name, content, version, declaration, views FROM collections")?;
        let rows = all.query_map([], |row| Ok(Raw::of(row)))?;
        rows.map(|raw| self.found(raw??, lost)).collect()
    }

    /// Says whether all that was ever changed is in the file.
    pub(super) fn set_clean(&self, clean: bool) -> rusqlite::Result<()> {
        let set = "INSERT OR REPLACE INTO state VALUES ('clean', ?1)";
        self.0.execute(set, [clean]).map(drop)
    }

    /// The entries of a collection.
    pub(super) fn content(&self, kind: Kind, content: i64) -> rusqlite::Result<Content> {
        let loaded = Content::default();
        let all = "SELECT key, value, version, expires FROM entries WHERE content = ?1";
        let mut all = self.0.prepare(all)?;
        let mut rows = all.query([content])?;
        let now = now();
        while let Some(row) = rows.next()? {
            let entry = Entry { value: value(row)?, version: row.get(2)?, expires: row.get(3)? };
            if !entry.is_over(|| now) {
                let key: Vec<u8> = row.get(0)?;
                loaded.put(kind == Kind::Addresses, key.into(), entry);
            }
        }
        Ok(loaded)
    }

    /// The highest number that entries are under.
    pub(super) fn last_content(&self) -> rusqlite::Result<i64> {
        let highest = "SELECT max(0, ifnull((SELECT max(content) FROM entries), 0),
            ifnull((SELECT max(content) FROM collections), 0))";
        self.0.query_row(highest, [], |row| row.get(0))
    }

    pub(super) fn begin(&mut self) -> rusqlite::Result<Transaction<'_>> {
        self.0.transaction()
    }

    fn found(&self, raw: Raw, lost: u64) -> Result<Found, DiskError> {
        let Raw { id, name, content, version, declaration, views } = raw;
        let unreadable =
            |error: serde_json::Error| DiskError::Unreadable(name.clone(), error.to_string());
        let declaration: Declaration = serde_json::from_str(&declaration).map_err(unreadable)?;
        let views: BTreeMap<String, View> = serde_json::from_str(&views).map_err(unreadable)?;
        let mut all =
            self.0.prepare("SELECT record FROM history WHERE id = ?1 ORDER BY version")?;
        let records = all.query_map([id], |row| row.get::<_, String>(0))?;
        let records = records
            .map(|record| serde_json::from_str::<Record>(&record?).map_err(unreadable))
            .collect::<Result<Vec<_>, _>>()?;
        let version = version + lost;
        let name = name.as_str().into();
        let kindled = Kindled { name, id, declaration, version, views, records };
        Ok(Found { kindled, content })
    }
}

struct Raw {
    id: u64,
    name: String,
    content: i64,
    version: u64,
    declaration: String,
    views: String,
}

impl Raw {
    fn of(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            name: row.get(1)?,
            content: row.get(2)?,
            version: row.get(3)?,
            declaration: row.get(4)?,
            views: row.get(5)?,
        })
    }
}

fn value(row: &Row<'_>) -> rusqlite::Result<Value> {
    Ok(match row.get_ref(1)? {
        ValueRef::Integer(count) => Value::Count(count),
        ValueRef::Text(text) => Value::Json(String::from_utf8_lossy(text).into()),
        _ => Value::Nothing,
    })
}

/// Writes what a collection is.
pub(super) fn declare(on: &Transaction<'_>, table: &Table, content: i64) -> rusqlite::Result<()> {
    let declaration = serde_json::to_string(&*table.declaration()).unwrap_or_default();
    let views = serde_json::to_string(&table.views()).unwrap_or_default();
    let write = "INSERT OR REPLACE INTO collections VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    on.prepare(write)?
        .execute(params![table.id(), &**table.name(), content, table.version(), declaration, views])
        .map(drop)
}

/// Writes which version a collection is at.
pub(super) fn set_version(on: &Transaction<'_>, id: u64, version: u64) -> rusqlite::Result<()> {
    let write = "UPDATE collections SET version = max(version, ?2) WHERE id = ?1";
    on.prepare(write)?.execute(params![id, version]).map(drop)
}

/// Has a collection's entries be those under another number.
pub(super) fn set_content(on: &Transaction<'_>, id: u64, content: i64) -> rusqlite::Result<()> {
    let write = "UPDATE collections SET content = ?2 WHERE id = ?1";
    on.prepare(write)?.execute(params![id, content]).map(drop)
}

/// Writes entries, with statements that are prepared once for a transaction.
pub(super) struct Rows<'a> {
    put: Statement<'a>,
    remove: Statement<'a>,
}

impl<'a> Rows<'a> {
    pub(super) fn of(on: &'a Transaction<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            put: on.prepare("INSERT OR REPLACE INTO entries VALUES (?1, ?2, ?3, ?4, ?5)")?,
            remove: on.prepare("DELETE FROM entries WHERE content = ?1 AND key = ?2")?,
        })
    }

    /// Writes an entry as it is; none: it is gone.
    pub(super) fn write(
        &mut self,
        content: i64,
        key: &Key,
        entry: Option<&Entry>,
    ) -> rusqlite::Result<()> {
        let key = &**key;
        let Some(Entry { value, version, expires }) = entry else {
            return self.remove.execute(params![content, key]).map(drop);
        };
        let nothing = Option::<i64>::None;
        match value {
            Value::Nothing => self.put.execute(params![content, key, nothing, version, expires]),
            Value::Count(count) => self.put.execute(params![content, key, count, version, expires]),
            Value::Json(text) => self.put.execute(params![content, key, &**text, version, expires]),
        }
        .map(drop)
    }
}

/// Writes a change into the history, and drops what is forgotten.
pub(super) fn remember(
    on: &Transaction<'_>,
    id: u64,
    record: &Record,
    floor: u64,
) -> rusqlite::Result<()> {
    let text = serde_json::to_string(record).unwrap_or_default();
    on.prepare("INSERT OR REPLACE INTO history VALUES (?1, ?2, ?3)")?.execute(params![
        id,
        record.version,
        text
    ])?;
    on.prepare("DELETE FROM history WHERE id = ?1 AND version <= ?2")?
        .execute(params![id, floor])
        .map(drop)
}

/// Drops a collection; its entries are then nobody's.
pub(super) fn drop_collection(on: &Transaction<'_>, id: u64) -> rusqlite::Result<()> {
    on.execute("DELETE FROM history WHERE id = ?1", [id])?;
    on.execute("DELETE FROM collections WHERE id = ?1", [id]).map(drop)
}

/// Drops some of the entries that are under a number; whether there were any.
pub(super) fn drop_entries(on: &Transaction<'_>, content: i64) -> rusqlite::Result<bool> {
    let drop = format!(
        "DELETE FROM entries WHERE content = ?1 AND key IN
         (SELECT key FROM entries WHERE content = ?1 LIMIT {DROPPED_AT_ONCE})"
    );
    on.prepare(&drop)?.execute([content]).map(|dropped| dropped > 0)
}

/// The numbers of entries that no collection has.
pub(super) fn orphans(on: &Transaction<'_>) -> rusqlite::Result<Vec<i64>> {
    // One look at the index for each number, not at each entry.
    let all = "WITH RECURSIVE numbers (content) AS (
            SELECT min(content) FROM entries
            UNION ALL SELECT (SELECT min(content) FROM entries WHERE content > numbers.content)
            FROM numbers WHERE numbers.content IS NOT NULL)
        SELECT content FROM numbers WHERE content IS NOT NULL
            AND content NOT IN (SELECT content FROM collections)";
    let mut all = on.prepare(all)?;
    all.query_map([], |row| row.get(0))?.collect()
}

/// Drops entries whose time is over.
pub(super) fn drop_over(on: &Transaction<'_>, now: u64) -> rusqlite::Result<()> {
    let over = "DELETE FROM entries WHERE expires > 0 AND expires <= ?1";
    on.prepare(over)?.execute([now]).map(drop)
}
