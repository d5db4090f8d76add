//! What is done with a collection as a whole: declared again, replaced, restored, listed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::content::{Content, now, weight};
use super::declaration::{Declaration, Kind, name};
use super::fault::{Fault, shown};
use super::history::{Deed, Kept, Record, TOLD, Told};
use super::journal::{Ticket, Work};
use super::query::{Page, Query, View};
use super::step::{Change, Condition, Step, Until};
use super::table::{Done, Table};

/// Views of a collection, at most.
const VIEWS: usize = 100;

impl Table {
    /// Entries that answer a question.
    pub fn page(&self, query: &Query) -> Page {
        query.page(&self.content())
    }

    /// The last changes, the newest first, from before a version on.
    pub fn history(&self, before: Option<u64>, most: usize) -> Vec<Record> {
        let changes = self.lock();
        let wanted = |record: &&Record| before.is_none_or(|before| record.version < before);
        changes.history.newest().filter(wanted).take(most).cloned().collect()
    }

    /// The oldest version that it can be restored to.
    pub fn oldest(&self) -> u64 {
        self.lock().history.floor()
    }

    /// Makes every entry what it was at a version, as far as the history tells; what counters were
    /// counted up by since is left. The change is one like others, and has its own version.
    ///
    /// # Errors
    /// [`Fault::Conflict`]: that is not known any more. [`Fault::Full`].
    pub fn restore(&self, version: u64, who: &str) -> Result<Done, Fault> {
        let changes = self.lock();
        if version > changes.version {
            return Err(Fault::NotFound(format!("there is no version {version} yet")));
        }
        let entries = changes.history.before(version)?;
        drop(changes);
        let back = |(key, kept): (_, Option<Kept>)| {
            let kept = kept.filter(|kept| kept.expires == 0 || kept.expires > now());
            let (change, until) = match kept {
                Some(Kept { value, expires }) => (Change::Set(value), Until::At(expires)),
                None => (Change::Drop, Until::Usual),
            };
            Step { key, condition: Condition::Always, change, until }
        };
        self.apply(entries.into_iter().map(back).collect(), who, Deed::Restore)
    }

    /// Its views.
    pub fn views(&self) -> BTreeMap<String, View> {
        self.lock().views.clone()
    }

    /// Sets a view, or removes it.
    ///
    /// # Errors
    /// [`Fault::Bad`], [`Fault::Full`], [`Fault::NotFound`] of one that is to be removed.
    pub fn set_view(&self, called: &str, view: Option<View>) -> Result<Ticket, Fault> {
        let mut changes = self.lock();
        if let Some(view) = view {
            name("view", called)?;
            view.query(self.declaration(), None)?;
            if changes.views.len() >= VIEWS && !changes.views.contains_key(called) {
                return Err(Fault::Full(format!("there are {VIEWS} views already")));
            }
            changes.views.insert(called.to_owned(), view);
        } else {
            let gone = changes.views.remove(called);
            gone.ok_or_else(|| Fault::NotFound(format!("no view `{}`", shown(called))))?;
        }
        drop(changes);
        Ok(self.queue.push(Work::Declared { id: self.id() }))
    }

    /// It was declared for the first time.
    pub(super) fn declared(&self, who: &str) -> Done {
        let mut changes = self.lock();
        changes.version += 1;
        let (version, declared) = (changes.version, self.declaration());
        let told = Some(Vec::new());
        self.queue.push(Work::Declared { id: self.id() });
        let ticket = self.remember(&mut changes, &declared, who, Deed::Declare, 0, told);
        Done { version, created: true, ticket }
    }

    /// Puts another declaration in force, if what is there fits it. Entries above lower bounds stay.
    pub(super) fn declare_again(&self, next: Declaration, who: &str) -> Result<Done, Fault> {
        let mut changes = self.lock();
        let declared = self.declaration();
        if *declared == next {
            let ticket = self.queue.push(Work::Declared { id: self.id() });
            return Ok(Done { version: changes.version, created: false, ticket });
        }
        fits(&declared, &next)?;
        changes.version += 1;
        self.declaration.store(Arc::new(next));
        let version = changes.version;
        self.changed.fetch_add(1, Ordering::Relaxed);
        let told = Some(Vec::new());
        self.remember(&mut changes, &self.declaration(), who, Deed::Declare, 0, told);
        drop(changes);
        let ticket = self.queue.push(Work::Declared { id: self.id() });
        Ok(Done { version, created: false, ticket })
    }

    /// A version that nothing else gets: for entries that are made aside.
    pub(super) fn reserve(&self) -> u64 {
        let mut changes = self.lock();
        changes.version += 1;
        changes.version
    }

    /// Puts other entries in the place of all, at once. What was changed while they were made is
    /// gone with the rest.
    pub(super) fn replace(&self, next: Content, who: &str) -> Done {
        let mut changes = self.lock();
        let declared = self.declaration();
        changes.version += 1;
        let (version, count) = (changes.version, next.entries());
        self.content.store(Arc::new(next));
        self.changed.fetch_add(count as u64, Ordering::Relaxed);
        let ticket = self.queue.push(Work::Copy { id: self.id() });
        self.remember(&mut changes, &declared, who, Deed::Replace, count, None);
        Done { version, created: true, ticket }
    }

    /// Makes a part of a larger change: it is remembered once all parts are made.
    pub(super) fn merge(
        &self,
        steps: Vec<Step>,
        told: &mut Option<Vec<Told>>,
    ) -> Result<(), Fault> {
        let declared = self.declaration();
        let mut changes = self.lock();
        let content = self.content();
        let planned = self.plan(&declared, &content, steps)?;
        let (_, part) = self.carry_out(&mut changes, &declared, &content, planned);
        *told = told.take().map(|told| [told, part].concat()).filter(|told| told.len() <= TOLD);
        Ok(())
    }

    /// Whether there is room for all of a large change, as things are now.
    pub(super) fn has_room(&self, declared: &Declaration, steps: &[Step]) -> Result<(), Fault> {
        let content = self.content();
        let (mut entries, mut bytes) = (0, 0);
        for Step { key, change, .. } in steps {
            let Change::Set(value) = change else { continue };
            let before = content.read(key, |entry| weight(key, &entry.value));
            entries += isize::from(before.is_none());
            bytes += weight(key, value) as isize - before.unwrap_or(0) as isize;
        }
        self.room(declared, &content, entries, bytes)
    }

    /// All parts of an import are made.
    pub(super) fn merged(&self, who: &str, count: usize, told: Option<Vec<Told>>) -> Done {
        let mut changes = self.lock();
        changes.version += 1;
        let version = changes.version;
        let declared = self.declaration();
        let ticket = self.remember(&mut changes, &declared, who, Deed::Import, count, told);
        Done { version, created: false, ticket }
    }

    /// Drops entries whose time is over, a few at a time.
    pub(super) fn sweep(&self) {
        let networks = self.declaration().kind == Kind::Addresses;
        let now = now();
        let content = self.content();
        for shard in 0..content.shards() {
            loop {
                let over = content.over(shard, now);
                if over.is_empty() {
                    break;
                }
                // Not between a look at an entry and its change.
                let _changes = self.lock();
                for key in over {
                    content.remove_over(networks, &key, now);
                }
            }
        }
    }
}

/// Whether entries of one declaration are entries of another.
fn fits(declared: &Declaration, next: &Declaration) -> Result<(), Fault> {
    let other = |what: &str| {
        Fault::Conflict(format!(
            "it is declared with another {what}; delete it first, or use a new name"
        ))
    };
    if declared.kind != next.kind {
        return Err(other("kind"));
    }
    let (Some(before), Some(after)) = (&declared.schema, &next.schema) else { return Ok(()) };
    if before.key != after.key {
        return Err(other("key column"));
    }
    for column in &before.columns {
        let same = after.column(&column.name);
        let same = same.filter(|same| same.kind == column.kind && same.required <= column.required);
        same.ok_or_else(|| other(&format!("column `{}`", column.name)))?;
    }
    let new = after.columns.iter().filter(|column| before.column(&column.name).is_none());
    for column in new {
        if column.required {
            let column = &column.name;
            return Err(Fault::Conflict(format!(
                "column `{column}` is new, and the rows that are there do not have it: it cannot be \
                 required"
            )));
        }
    }
    Ok(())
}
