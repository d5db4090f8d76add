//! Compiled operators, kept for as long as a rule set has them: what is written the same is compiled
//! once for all rule sets, and an edit compiles only what it changed.

use std::cell::{Cell, RefCell};
use std::cmp::Reverse;
use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;

use sha2::{Digest, Sha256};

use crate::config::Files;
use crate::detection::operators::{Argument, Fault, GeoDatabase, Kind, Matcher, Operator};
use crate::detection::prefilter::Sieves;
use crate::memory::heap::Heap;

/// Operators that are worth a thread of their own.
const WORTH_A_THREAD: usize = 16;
/// Threads that compile, at most.
const MOST_THREADS: usize = 4;

/// Compiled operators, by what they were compiled from. Those that no rule set has any more go.
#[derive(Debug, Default)]
pub struct Matchers {
    known: Mutex<HashMap<Key, Known>>,
    compiled: AtomicUsize,
    sieves: Sieves,
}

/// The operator's name, its argument, and the folder that files in it are relative to, if it names
/// any.
type Key = (&'static str, Box<[u8]>, Option<PathBuf>);

#[derive(Debug, Clone)]
struct Known {
    matcher: Weak<dyn Matcher>,
    /// The files that were read for it.
    files: Vec<Read>,
}

/// A file and the SHA-256 of what it said.
type Read = (PathBuf, [u8; 32]);

/// An operator that is to be compiled.
pub(super) struct Wanted<'a> {
    pub(super) operator: &'static Operator,
    pub(super) text: &'a [u8],
}

/// What the compiling of an operator has from outside.
pub(super) struct Outside<'a> {
    /// The folder of the rule file.
    pub(super) folder: &'a Path,
    pub(super) files: &'a dyn Files,
    pub(super) geo: Option<&'a Arc<GeoDatabase>>,
}

impl Matchers {
    /// How many operators were compiled so far.
    pub fn compiled(&self) -> usize {
        self.compiled.load(Ordering::Relaxed)
    }

    /// What was made of them.
    pub(super) fn sieves(&self) -> &Sieves {
        &self.sieves
    }

    /// The compiled operator, compiled now if no rule set has it.
    ///
    /// # Errors
    /// If the argument is none that it can have.
    pub(super) fn matcher(
        &self,
        wanted: &Wanted<'_>,
        outside: &Outside<'_>,
    ) -> Result<Arc<dyn Matcher>, Fault> {
        if let Some(known) = self.alone(wanted).or_else(|| self.of_files(wanted, outside)) {
            return Ok(known);
        }
        let reading = Reading::default();
        let argument = Argument {
            text: wanted.text,
            read: &|name| reading.read(outside, name),
            path: &|name| reading.path(outside, name),
            dataset: &|_| None,
            geo: outside.geo,
        };
        let matcher = self.compile(wanted.operator, &argument)?;
        // What looks into a database goes with it.
        if outside.geo.is_none() {
            let folder = reading.is_outside.get().then(|| outside.folder.to_owned());
            self.keep(wanted, folder, &matcher, reading.files.into_inner());
        }
        Ok(matcher)
    }

    /// Compiles what no rule set has, as far as it needs nothing from outside, with several threads.
    /// What is at fault is left out: whoever asks for it is told. The caller holds what comes back
    /// until it has asked for all it needs.
    pub(super) fn prepare(&self, wanted: &[Wanted<'_>]) -> Vec<Arc<dyn Matcher>> {
        let (known, mut new): (Vec<_>, Vec<_>) = wanted
            .iter()
            .map(|wanted| (wanted, self.alone(wanted)))
            .partition(|(_, known)| known.is_some());
        // The longest first: no thread is left with one at the end, and what is compiled later finds
        // room in the memory that these needed.
        new.sort_by_key(|(wanted, _)| Reverse(wanted.text.len()));
        let mut ready: Vec<_> = known.into_iter().filter_map(|(_, known)| known).collect();
        let next = AtomicUsize::new(0);
        let work = || {
            let mut done = Vec::new();
            while let Some((wanted, _)) = new.get(next.fetch_add(1, Ordering::Relaxed)) {
                done.extend(self.prepare_one(wanted));
            }
            done
        };
        let threads = thread::available_parallelism().map_or(1, usize::from).min(MOST_THREADS);
        let helpers = (threads - 1).min(new.len() / WORTH_A_THREAD);
        let heap = Heap::current();
        thread::scope(|scope| {
            let helpers: Vec<_> = (0..helpers)
                .map(|_| {
                    scope.spawn(|| {
                        let _taking = heap.enter();
                        work()
                    })
                })
                .collect();
            ready.extend(work());
            for helper in helpers {
                ready.extend(helper.join().unwrap_or_default());
            }
        });
        ready
    }

    /// Forgets what is gone.
    pub fn sweep(&self) {
        self.lock().retain(|_, known| known.matcher.strong_count() > 0);
    }

    fn prepare_one(&self, wanted: &Wanted<'_>) -> Option<Arc<dyn Matcher>> {
        let is_outside = Cell::new(false);
        let absent = || {
            is_outside.set(true);
            io::Error::from(io::ErrorKind::NotFound)
        };
        let argument = Argument {
            read: &|_| Err(absent()),
            path: &|name| {
                is_outside.set(true);
                name.to_owned()
            },
            ..Argument::alone(wanted.text)
        };
        let matcher = self.compile(wanted.operator, &argument).ok()?;
        if is_outside.get() {
            return None;
        }
        // What it needs is found here too, and remembered by those for which that takes long.
        drop((matcher.needs(), matcher.plain_needs()));
        self.keep(wanted, None, &matcher, Vec::new());
        Some(matcher)
    }

    fn compile(
        &self,
        operator: &Operator,
        argument: &Argument<'_>,
    ) -> Result<Arc<dyn Matcher>, Fault> {
        let Kind::Compiled(compile) = &operator.kind else {
            return Err(Fault::new("there is nothing to compile"));
        };
        let matcher = compile(argument)?;
        self.compiled.fetch_add(1, Ordering::Relaxed);
        Ok(matcher.into())
    }

    fn keep(
        &self,
        wanted: &Wanted<'_>,
        folder: Option<PathBuf>,
        matcher: &Arc<dyn Matcher>,
        files: Vec<Read>,
    ) {
        let known = Known { matcher: Arc::downgrade(matcher), files };
        self.lock().insert(wanted.key(folder), known);
    }

    fn alone(&self, wanted: &Wanted<'_>) -> Option<Arc<dyn Matcher>> {
        self.lock().get(&wanted.key(None))?.matcher.upgrade()
    }

    /// One whose files say what they said. They are read anew, so that they are part of what the
    /// rule set was made of.
    fn of_files(&self, wanted: &Wanted<'_>, outside: &Outside<'_>) -> Option<Arc<dyn Matcher>> {
        let key = wanted.key(Some(outside.folder.to_owned()));
        let known = self.lock().get(&key)?.clone();
        let matcher = known.matcher.upgrade()?;
        let same = |(path, digest): &Read| {
            outside.files.read(path).is_ok_and(|bytes| digest_of(&bytes) == *digest)
        };
        known.files.iter().all(same).then_some(matcher)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wanted<'_> {
    fn key(&self, folder: Option<PathBuf>) -> Key {
        (self.operator.name, self.text.into(), folder)
    }
}

/// What an operator asked for while it was compiled.
#[derive(Default)]
struct Reading {
    is_outside: Cell<bool>,
    files: RefCell<Vec<Read>>,
}

impl Reading {
    fn read(&self, outside: &Outside<'_>, name: &str) -> io::Result<Vec<u8>> {
        self.is_outside.set(true);
        let path = outside.folder.join(name);
        let bytes = outside.files.read(&path)?;
        self.files.borrow_mut().push((path, digest_of(&bytes)));
        Ok(bytes)
    }

    fn path(&self, outside: &Outside<'_>, name: &str) -> String {
        self.is_outside.set(true);
        outside.folder.join(name).to_string_lossy().into_owned()
    }
}

fn digest_of(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}
