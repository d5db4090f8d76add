//! The functions of a node: what changes them, and where they are kept.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, SystemTime};

use arc_swap::{ArcSwap, Guard};

use crate::functions::disk::Disk;
use crate::functions::ledger::Ledger;
use crate::functions::route::named_in;
use crate::functions::trial::{Trial, attempt};
use crate::functions::version::{Facts, Version, digest};
use crate::functions::{Declaration, Function, FunctionRoute, Grants, Name, Registry};
use crate::script::OPERATOR;

/// Bytes of a function's text at the most.
const LONGEST_TEXT: usize = 256 << 10;
/// Functions of a node at the most.
const MOST_FUNCTIONS: usize = 100_000;
/// Bytes of a message or an author's name that are kept.
const LONGEST_NOTE: usize = 1024;

/// The functions of a node.
pub struct FunctionStore {
    current: ArcSwap<Registry>,
    /// Whether any of them serves: that is asked for each request, and costs less than a look at them.
    serves: AtomicBool,
    /// What workers hold, and what calls came to.
    pub ledger: Ledger,
    disk: Option<Disk>,
    /// One change at a time.
    changing: Mutex<()>,
    /// What owners may have; nobody but the operator has anything before it is said.
    grants: OnceLock<Box<dyn Fn() -> Grants + Send + Sync>>,
}

/// What is pushed.
#[derive(Debug, Clone)]
pub struct Push {
    /// The function's name.
    pub name: Name,
    /// Whose it is; none: as before.
    pub owner: Option<Name>,
    /// The requests that it serves; none: those that its text names, else as before.
    pub route: Option<FunctionRoute>,
    /// Its text.
    pub text: Arc<str>,
    /// What it may reach and cost; none: what its text declares.
    pub declaration: Option<Declaration>,
    /// Who pushes it.
    pub author: String,
    /// Why.
    pub message: String,
    /// After how long it goes by itself.
    pub ttl: Option<Duration>,
    /// Whether it serves at once.
    pub activate: bool,
    /// Whether it is only told what would come of it.
    pub dry_run: bool,
}

/// What came of a push.
#[derive(Debug, Clone)]
pub struct Pushed {
    /// The version.
    pub version: Arc<Version>,
    /// Whether it was there before.
    pub known: bool,
    /// Whether it serves.
    pub active: bool,
    /// Whether it has a test, which held.
    pub tested: bool,
}

/// Why a change was refused; nothing changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The HTTP status that says so.
    pub status: u16,
    /// What kind of fault it is.
    pub code: &'static str,
    /// What is wrong.
    pub message: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Fault {
    /// What was sent does not fit.
    pub fn unfit(code: &'static str, message: impl Into<String>) -> Self {
        Self { status: 422, code, message: message.into() }
    }

    pub(super) fn clash(message: impl Into<String>) -> Self {
        Self { status: 409, code: "function::clash", message: message.into() }
    }

    fn unknown(message: impl Into<String>) -> Self {
        Self { status: 404, code: "function::unknown", message: message.into() }
    }

    /// The machine's fault.
    pub fn internal(error: &io::Error) -> Self {
        Self { status: 500, code: "function::store", message: error.to_string() }
    }
}

impl FunctionStore {
    /// The functions that are kept in a folder (none: they are kept in memory only), and what of them
    /// could not be read.
    pub fn open(folder: Option<PathBuf>) -> (Self, Vec<String>) {
        let disk = folder.map(Disk::new);
        let (functions, faults) = disk.as_ref().map(Disk::load).unwrap_or_default();
        let registry = Registry::new(functions);
        let serves = AtomicBool::new(!registry.serves_nothing());
        let current = ArcSwap::from_pointee(registry);
        let (ledger, changing, grants) = (Ledger::default(), Mutex::default(), OnceLock::new());
        (Self { current, serves, ledger, disk, changing, grants }, faults)
    }

    /// From now on these are the functions.
    fn swap(&self, next: Registry) {
        let serves = !next.serves_nothing();
        self.current.store(Arc::new(next));
        self.serves.store(serves, Ordering::Release);
    }

    /// Whether any function serves.
    pub(super) fn serves(&self) -> bool {
        self.serves.load(Ordering::Acquire)
    }

    /// Says where it is asked what owners may have, whenever that matters. The first word counts.
    pub fn grant(&self, grants: impl Fn() -> Grants + Send + Sync + 'static) {
        // Whoever said it before said it for the life of the store.
        let _ = self.grants.set(Box::new(grants));
    }

    /// What owners may have now.
    pub fn grants(&self) -> Grants {
        self.grants.get().map(|grants| grants()).unwrap_or_default()
    }

    /// Whether a version may serve what it serves, and reach what it declares.
    pub(super) fn admit(&self, function: &Function, version: &Version) -> Result<(), Fault> {
        let (grants, facts) = (self.grants(), &version.facts);
        grants.serves(&function.owner, &facts.route, &self.current())?;
        grants.reaches(&function.owner, &facts.declaration)
    }

    /// All functions now.
    pub fn current(&self) -> Guard<Arc<Registry>> {
        self.current.load()
    }

    /// Tries a function and keeps it as a version. Takes as long as its tests.
    ///
    /// # Errors
    /// Why not; nothing changed then.
    pub fn push(&self, push: Push) -> Result<Pushed, Fault> {
        if push.text.len() > LONGEST_TEXT {
            let message = format!("its text is longer than {} KiB", LONGEST_TEXT >> 10);
            return Err(Fault::unfit("function::size", message));
        }
        let (owner, _) = self.standing(&push)?;
        let trial = attempt(&push.name, &owner, &push.text, push.declaration.clone())?;
        self.grants().reaches(&owner, &trial.declaration)?;
        let _one_at_a_time = self.lock();
        let (owner, route) = self.standing(&push)?;
        let now = SystemTime::now();
        let known = self.current().get(push.name.as_str()).map(|known| (**known).clone());
        let mut function = known.unwrap_or_else(|| Function {
            name: push.name.clone(),
            owner,
            versions: Vec::new(),
            active: None,
            before: Vec::new(),
            since: now,
            candidate: None,
            history: Vec::new(),
            last_tried: None,
            expires: None,
            running: Arc::default(),
        });
        function.expires = push.ttl.map(|ttl| now + ttl);
        let dry_run = push.dry_run;
        let pushed = self.add_version(&mut function, push, route, trial, now)?;
        if !dry_run {
            self.keep(function)?;
        }
        Ok(pushed)
    }

    /// Owner and route of what is pushed, if it may be.
    fn standing(&self, push: &Push) -> Result<(Name, FunctionRoute), Fault> {
        let current = self.current();
        let known = current.get(push.name.as_str());
        let owner = match (known, &push.owner) {
            (Some(known), Some(owner)) if known.owner != *owner => {
                let message = format!("`{}` belongs to `{}`", push.name, known.owner);
                return Err(Fault::clash(message));
            }
            (Some(known), _) => known.owner.clone(),
            (None, Some(owner)) => owner.clone(),
            (None, None) => {
                Name::new(OPERATOR).map_err(|message| Fault::unfit("function::owner", message))?
            }
        };
        let last = known.and_then(|known| known.versions.last());
        let named = named_in(&push.text).map(FunctionRoute::parse).transpose();
        let named = named.map_err(|message| Fault::unfit("function::route", message))?;
        let route = push.route.clone().or(named);
        let route = route.or_else(|| Some(last?.facts.route.clone()));
        let route = route.ok_or_else(|| {
            Fault::unfit("function::route", "a new function needs a route: `--route /hello`, or a first line `-- route: /hello`")
        })?;
        if known.is_none() && current.len() >= MOST_FUNCTIONS {
            return Err(Fault::clash(format!("there are {MOST_FUNCTIONS} functions already")));
        }
        self.grants().serves(&owner, &route, &current)?;
        if push.activate {
            self.free(&push.name, &route)?;
        }
        Ok((owner, route))
    }

    /// Whether nobody else serves a route.
    fn free(&self, name: &Name, route: &FunctionRoute) -> Result<(), Fault> {
        match self.current().at(route) {
            Some(other) if other != name => {
                Err(Fault::clash(format!("`{other}` serves `{route}` already")))
            }
            _ => Ok(()),
        }
    }

    fn add_version(
        &self,
        function: &mut Function,
        push: Push,
        route: FunctionRoute,
        trial: Trial,
        now: SystemTime,
    ) -> Result<Pushed, Fault> {
        let Trial { form, declaration, tested } = trial;
        let digest = digest(&push.text, &route, &declaration);
        let same = function.versions.iter().find(|one| one.facts.digest == digest).cloned();
        let known = same.is_some();
        let version = if let Some(version) = same {
            version
        } else {
            let number = function.versions.last().map_or(1, |last| last.facts.number + 1);
            let size = push.text.len();
            let (author, message) = (note(push.author), note(push.message));
            let facts = Facts {
                digest: digest.clone(),
                number,
                author,
                at: now,
                message,
                size,
                form,
                route,
                declaration,
            };
            let version = if push.dry_run {
                Version::held(facts, push.text)
            } else {
                self.keep_text(&push.name, facts, push.text)?
            };
            let version = Arc::new(version);
            function.add(version.clone());
            version
        };
        if push.activate {
            function.activate(&digest, now);
        }
        let active = function.active.as_ref() == Some(&digest);
        Ok(Pushed { version, known, active, tested })
    }

    fn keep_text(&self, name: &Name, facts: Facts, text: Arc<str>) -> Result<Version, Fault> {
        match &self.disk {
            None => Ok(Version::held(facts, text)),
            Some(disk) => {
                disk.keep_text(name, facts, &text).map_err(|error| Fault::internal(&error))
            }
        }
    }

    /// Another version serves: that of a digest (or the beginning of one), else the newest.
    ///
    /// # Errors
    /// Why not; nothing changed then.
    pub fn activate(&self, name: &str, wanted: Option<&str>) -> Result<Arc<Version>, Fault> {
        self.change(name, |function| {
            let version = match wanted {
                Some(digest) => function.version(digest),
                None => function.versions.last(),
            };
            version.cloned().ok_or_else(|| no_version(function, wanted.unwrap_or_default()))
        })
    }

    /// The version that served before serves again, or another that is named.
    ///
    /// # Errors
    /// Why not; nothing changed then.
    pub fn rollback(&self, name: &str, to: Option<&str>) -> Result<Arc<Version>, Fault> {
        self.change(name, |function| {
            let wanted = to.or_else(|| function.previous().map(|digest| &**digest));
            let wanted = wanted.ok_or_else(|| {
                Fault::clash(format!("no version of `{}` served before", function.name))
            })?;
            function.version(wanted).cloned().ok_or_else(|| no_version(function, wanted))
        })
    }

    /// No version serves any more; all are kept.
    ///
    /// # Errors
    /// If there is no such function, or its folder cannot be written.
    pub fn deactivate(&self, name: &str) -> Result<(), Fault> {
        let _one_at_a_time = self.lock();
        let mut function = self.known(name)?;
        function.end_rollout("no version serves any more");
        if let Some(last) = function.active.take() {
            function.before.retain(|digest| *digest != last);
            function.before.push(last);
            function.since = SystemTime::now();
        }
        self.keep(function)
    }

    /// A function goes, with all its versions.
    ///
    /// # Errors
    /// If there is no such function, or its folder cannot be removed.
    pub fn remove(&self, name: &str) -> Result<(), Fault> {
        let _one_at_a_time = self.lock();
        let function = self.known(name)?;
        self.forget(&function.name).map_err(|error| Fault::internal(&error))
    }

    /// Removes the functions whose time is over; their names.
    pub fn expire(&self, now: SystemTime) -> Vec<Name> {
        if self.current().expired(now).next().is_none() {
            return Vec::new();
        }
        let _one_at_a_time = self.lock();
        let current = self.current.load_full();
        let mut names: Vec<Name> = current.expired(now).map(|one| one.name.clone()).collect();
        names.sort();
        names.into_iter().filter(|name| self.forget(name).is_ok()).collect()
    }

    fn forget(&self, name: &Name) -> io::Result<()> {
        if let Some(disk) = &self.disk {
            disk.forget(name)?;
        }
        self.ledger.keep(name, &[]);
        self.swap(self.current().with(name, None));
        Ok(())
    }

    fn change(
        &self,
        name: &str,
        choose: impl FnOnce(&Function) -> Result<Arc<Version>, Fault>,
    ) -> Result<Arc<Version>, Fault> {
        let _one_at_a_time = self.lock();
        let mut function = self.known(name)?;
        let version = choose(&function)?;
        self.free(&function.name, &version.facts.route)?;
        self.admit(&function, &version)?;
        function.activate(&version.facts.digest, SystemTime::now());
        self.keep(function)?;
        Ok(version)
    }

    pub(super) fn known(&self, name: &str) -> Result<Function, Fault> {
        let current = self.current();
        let known = current.get(name).map(|known| (**known).clone());
        known.ok_or_else(|| {
            let shown: String = name.chars().take(63).collect();
            Fault::unknown(format!("there is no function `{}`", shown.escape_default()))
        })
    }

    /// On disk first: what serves is also there after a restart.
    pub(super) fn keep(&self, function: Function) -> Result<(), Fault> {
        if let Some(disk) = &self.disk {
            disk.keep(&function).map_err(|error| Fault::internal(&error))?;
        }
        let digests: Vec<Arc<str>> =
            function.versions.iter().map(|version| version.facts.digest.clone()).collect();
        let name = function.name.clone();
        self.swap(self.current().with(&name, Some(function)));
        self.ledger.keep(&name, &digests);
        Ok(())
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, ()> {
        self.changing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) fn no_version(function: &Function, wanted: &str) -> Fault {
    let shown: String = wanted.chars().take(64).collect();
    let shown = shown.escape_default();
    Fault::unknown(format!("`{}` has no version, or more than one, `{shown}`", function.name))
}

pub(super) fn note(mut text: String) -> String {
    let end = text.floor_char_boundary(LONGEST_NOTE.min(text.len()));
    text.truncate(end);
    text
}

#[cfg(test)]
mod tests;
