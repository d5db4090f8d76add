//! Typed collections: what scripts and rules consult is data, not code.
//!
//! A [`Table`] has addresses, keys with attributes, rows of declared columns, or counters. Every
//! worker reads the same memory, so a change is everywhere once it is made: nothing is rebuilt.
//! One thread writes behind what was changed, and loads it at the next start. (`Tables`, because
//! [`super::Collections`] are those of the rules' own language.)

mod content;
mod declaration;
mod disk;
mod fault;
mod filter;
mod history;
mod import;
mod journal;
mod key;
mod lines;
mod manage;
mod query;
mod registry;
mod schema;
mod step;
mod table;
mod writer;

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use bytes::Bytes;

pub use content::{Entry, Value};
pub use declaration::{Declaration, Grant, Kind, Limits, OPERATOR};
pub use disk::DiskError;
pub use fault::Fault;
pub use history::{Deed, Kept, Record, Told};
pub use import::{Import, Mode, OnFault, Progress, Stage};
pub use journal::{Durability, Ticket};
pub use key::unpack as key_text;
pub use lines::Format;
pub use query::{LONGEST_PAGE, Page, Query, View, entry, moment};
pub use schema::{Column, Schema, Type};
pub use step::{Condition, Draft, json};
pub use table::{Done, Statistics, Table};

use content::now;
use disk::Disk;
use journal::{Queue, Work};
use registry::Registry;
use table::Kindled;
use writer::{Loaded, Writer};

/// Collections of a process, at most.
const TABLES: usize = 1000;
/// Imports that run at once, at most: each holds its list in memory.
const IMPORTS: usize = 2;
/// Imports that are remembered.
const REMEMBERED: usize = 100;

/// Says that something is wrong which nobody asked about.
pub type Tell = Box<dyn Fn(&str) + Send>;

/// All collections of a process. They live outside of policies: a reload changes none.
#[derive(Default)]
pub struct Tables {
    file: Option<PathBuf>,
    registry: Arc<Registry>,
    queue: Arc<Queue>,
    thread: Mutex<Option<JoinHandle<()>>>,
    imports: Arc<Mutex<VecDeque<Arc<Import>>>>,
    running: Arc<AtomicUsize>,
    last_import: AtomicU64,
    /// Names that are known before any is loaded: `check` asks no more.
    foreseen: Mutex<BTreeSet<String>>,
}

impl Tables {
    /// Those of a file, of which only the names are known until they are [`start`](Self::start)ed:
    /// for those who only ask whether a collection is declared.
    pub fn foresee(file: &Path) -> Self {
        let foreseen = disk::names(file).into_iter().collect();
        let mut tables = Self::default();
        (tables.file, tables.foreseen) = (Some(file.to_owned()), Mutex::new(foreseen));
        tables
    }

    /// Loads what is in the file, and keeps there what is changed from now on. What goes wrong later
    /// is told. Without a file collections live as long as the process.
    ///
    /// # Errors
    /// If the file is no such file, or cannot be read and written: nothing is kept in it then.
    pub fn start(&self, tell: Tell) -> Result<(), DiskError> {
        let mut writer = Writer::new(self.registry.clone(), self.queue.clone(), tell);
        // The file is made when the first collection is declared.
        let loaded = self.file.as_deref().filter(|file| file.exists()).map(|file| self.load(file));
        let failed = match loaded.transpose() {
            Ok(loaded) => {
                if let Some(file) = &self.file {
                    self.queue.keep();
                    writer.keep(file, loaded);
                }
                Ok(())
            }
            Err(error) => Err(error),
        };
        self.lock_foreseen().clear();
        self.begin(writer);
        failed
    }

    /// Where they are kept; none: in memory alone.
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    fn load(&self, file: &Path) -> Result<Loaded, DiskError> {
        let disk = Disk::open(file)?;
        let (mut contents, mut tables) = (HashMap::new(), Vec::new());
        for disk::Found { kindled, content } in disk.collections()? {
            contents.insert(kindled.id, content);
            let loaded = disk.content(kindled.declaration.kind, content)?;
            tables.push(Arc::new(Table::new(kindled, loaded, self.queue.clone())));
        }
        let last_content = disk.last_content()?;
        self.registry.fill(tables);
        Ok(Loaded { disk, contents, last_content })
    }

    /// The collection of that name.
    pub fn get(&self, name: &str) -> Option<Arc<Table>> {
        self.registry.by_name(name)
    }

    /// Whether a collection of that name is declared.
    pub fn is_declared(&self, name: &str) -> bool {
        self.get(name).is_some() || self.lock_foreseen().contains(name)
    }

    /// Them all, by name.
    pub fn all(&self) -> Vec<Arc<Table>> {
        self.registry.all()
    }

    /// Declares a collection; one of that name and kind gets the new bounds and grants.
    ///
    /// # Errors
    /// [`Fault::Bad`] of the name, [`Fault::Conflict`] if what is there does not fit it,
    /// [`Fault::Full`] if there are too many.
    pub fn declare(&self, name: &str, wanted: Declaration, who: &str) -> Result<Done, Fault> {
        declaration::name("collection", name)?;
        let mut registered = self.registry.change();
        if let Some(table) = self.get(name) {
            return table.declare_again(wanted, who);
        }
        if self.all().len() >= TABLES {
            return Err(Fault::Full(format!("there are {TABLES} collections already")));
        }
        registered.last_id = now().max(registered.last_id + 1);
        let kindled = Kindled {
            name: name.into(),
            id: registered.last_id,
            declaration: wanted,
            version: 0,
            views: std::collections::BTreeMap::new(),
            records: Vec::new(),
        };
        let table = Arc::new(Table::new(kindled, content::Content::default(), self.queue.clone()));
        self.registry.add(table.clone());
        Ok(table.declared(who))
    }

    /// Removes a collection with all its entries.
    ///
    /// # Errors
    /// [`Fault::NotFound`].
    pub fn remove(&self, name: &str) -> Result<Ticket, Fault> {
        let _registered = self.registry.change();
        let removed = self.registry.remove(name);
        let removed = removed.ok_or_else(|| no_table(name))?;
        Ok(self.queue.push(Work::Dropped { id: removed.id() }))
    }

    /// Begins to read a list into a collection, on a thread of its own.
    ///
    /// # Errors
    /// [`Fault::NotFound`]; [`Fault::Full`] if too many imports run.
    pub fn import(&self, name: &str, list: List, who: &str) -> Result<Arc<Import>, Fault> {
        let table = self.get(name).ok_or_else(|| no_table(name))?;
        let place = Place::take(&self.running)?;
        let List { format, mode, on_fault, text } = list;
        let import = Arc::new(Import {
            id: self.last_import.fetch_add(1, Ordering::Relaxed) + 1,
            table: table.name().clone(),
            who: who.to_owned(),
            format,
            mode,
            on_fault,
            began: now(),
            bytes: text.len(),
            progress: Mutex::default(),
        });
        let mut imports = self.imports.lock().unwrap_or_else(PoisonError::into_inner);
        imports.push_back(import.clone());
        if imports.len() > REMEMBERED {
            imports.pop_front();
        }
        drop(imports);
        let begun = import.clone();
        let work = move || {
            begun.run(&table, &text);
            drop(place);
        };
        let thread = std::thread::Builder::new().name("import".to_owned()).spawn(work);
        thread.map_err(|error| Fault::Full(format!("no thread for the import: {error}")))?;
        Ok(import)
    }

    /// The import of that number into a collection, if it is remembered.
    pub fn import_of(&self, name: &str, id: u64) -> Option<Arc<Import>> {
        let imports = self.imports.lock().unwrap_or_else(PoisonError::into_inner);
        imports.iter().find(|import| import.id == id && &*import.table == name).cloned()
    }

    /// What each has, by name.
    pub fn statistics(&self) -> Vec<Statistics> {
        self.all().iter().map(|table| table.statistics()).collect()
    }

    /// Writes what waits, and ends. Blocks.
    pub fn close(&self) {
        self.queue.close();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(thread.map(JoinHandle::join));
    }

    fn lock_foreseen(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.foreseen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self, writer: Writer) {
        let work = move || writer.run();
        let begun = std::thread::Builder::new().name("collections".to_owned()).spawn(work);
        *self.thread.lock().unwrap_or_else(PoisonError::into_inner) = begun.ok();
    }
}

impl fmt::Debug for Tables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tables").field("file", &self.file).finish_non_exhaustive()
    }
}

impl Drop for Tables {
    fn drop(&mut self) {
        self.close();
    }
}

/// A list that is to be read into a collection.
#[derive(Debug)]
pub struct List {
    /// How it is written.
    pub format: Format,
    /// What becomes of what is there.
    pub mode: Mode,
    /// What lines at fault mean.
    pub on_fault: OnFault,
    /// It itself.
    pub text: Bytes,
}

/// A place among the imports that run.
struct Place(Arc<AtomicUsize>);

impl Place {
    fn take(running: &Arc<AtomicUsize>) -> Result<Self, Fault> {
        let before = running.fetch_add(1, Ordering::AcqRel);
        let place = Self(running.clone());
        if before < IMPORTS {
            return Ok(place);
        }
        Err(Fault::Full(format!("{IMPORTS} imports run already: wait for one to end")))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

fn no_table(name: &str) -> Fault {
    Fault::NotFound(format!("no collection `{}`", fault::shown(name)))
}

#[cfg(test)]
mod tests;
