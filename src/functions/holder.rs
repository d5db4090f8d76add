//! What one worker holds of the functions: a Lua state for each that was called lately.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;

use super::ledger::Record;
use super::rollout::Mode;
use super::trial::{Form, domain};
use super::version::Version;
use super::{Function, FunctionStore, Name};
use crate::script::{
    Call, DomainSpec, Handler, ScriptError, ScriptErrorKind, State, function_source,
};
use crate::shared::Dictionaries;
use crate::transaction::{Client, Phase, Request};

/// How long a function may be idle before its state is dropped.
const IDLE: Duration = Duration::from_secs(300);

/// What one worker holds of the functions.
pub struct Holder {
    store: Arc<FunctionStore>,
    worker: usize,
    workers: usize,
    /// Of each function a state for every version that is called, and for every place it is called in.
    held: RefCell<HashMap<Name, Vec<Rc<Held>>>>,
}

/// The function that serves a request, as it was when the request came.
#[derive(Clone)]
pub struct Found {
    /// The function.
    pub function: Arc<Function>,
    /// The version of it.
    pub version: Arc<Version>,
    /// What its call is for.
    pub place: Place,
}

/// What a call of a function is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// It runs beside the live version: what it writes is withheld.
    Beside,
    /// It answers a client in the live version's place.
    Canary,
    /// It answers a client.
    Live,
}

/// A function that is loaded.
pub struct Held {
    version: Arc<Version>,
    /// Whether what it writes is withheld.
    withheld: bool,
    dictionaries: Arc<Dictionaries>,
    state: Rc<State>,
    handler: Handler,
    record: Arc<Record>,
    last_call: Cell<Instant>,
}

impl Holder {
    /// That of a worker, one of so many; it holds nothing yet.
    pub fn new(store: Arc<FunctionStore>, worker: usize, workers: usize) -> Self {
        Self { store, worker, workers, held: RefCell::default() }
    }

    /// The function that serves a client's request, and the version that does.
    pub fn find(&self, request: &Request, client: &Client) -> Option<Found> {
        let registry = self.store.current();
        if registry.serves_nothing() {
            return None;
        }
        let (host, path) = (request.host(), request.normalized_path());
        let path = std::str::from_utf8(&path).ok()?;
        let (function, version) = registry.find(host.as_deref(), path, SystemTime::now())?;
        let candidate = function.candidate.as_ref().filter(|one| one.answers(request, client));
        let candidate = candidate.and_then(|one| function.version(&one.digest));
        let place = if candidate.is_some() { Place::Canary } else { Place::Live };
        let version = candidate.unwrap_or(version).clone();
        Some(Found { function: function.clone(), version, place })
    }

    /// Calls a function for an exchange; `call` is made with its name. The call comes back if it began;
    /// an error if the function cannot be loaded, fails, or as many calls of it run as may.
    pub async fn call(
        &self,
        found: &Found,
        dictionaries: &Dictionaries,
        call: impl FnOnce(&Rc<str>) -> Rc<Call>,
    ) -> (Option<Rc<Call>>, Result<Option<Bytes>, ScriptError>) {
        let held = match self.held(found, dictionaries) {
            Ok(held) => held,
            Err(error) => {
                let Found { function, version, .. } = found;
                let ledger = &self.store.ledger;
                let record = ledger.record(&function.name, &version.facts.digest, self.worker);
                record.began(SystemTime::now());
                record.ended(Some(error.kind), Duration::ZERO, Duration::ZERO, 0);
                return (None, Err(error));
            }
        };
        let Some(_running) = Running::begin(found) else {
            held.record.refused();
            return (None, Err(busy(found)));
        };
        let started = Instant::now();
        held.last_call.set(started);
        held.record.began(SystemTime::now());
        let call = call(&held.handler.module);
        let result = held.state.run(&held.handler, &call).await;
        let kind = result.as_ref().err().map(|error| error.kind);
        held.record.ended(kind, started.elapsed(), call.cpu.get(), held.state.memory());
        (Some(call), result)
    }

    /// The function's state, made if it is not there.
    fn held(&self, found: &Found, all: &Dictionaries) -> Result<Rc<Held>, ScriptError> {
        let name = &found.function.name;
        let declared = &found.version.facts.declaration;
        let withheld = found.place == Place::Beside;
        let mut dictionaries = all.granted(&declared.dictionaries);
        if withheld {
            dictionaries = dictionaries.withheld();
        }
        let same = |held: &&Rc<Held>| {
            Arc::ptr_eq(&held.version, &found.version) && held.withheld == withheld
        };
        let known = self.held.borrow().get(name).and_then(|all| all.iter().find(same).cloned());
        if let Some(held) = &known
            && held.dictionaries.is_same(&dictionaries)
        {
            return Ok(held.clone());
        }
        let held = Rc::new(self.load(found, Arc::new(dictionaries))?);
        let registry = self.store.current();
        let function = registry.get(name.as_str());
        let mut all = self.held.borrow_mut();
        let of_function = all.entry(name.clone()).or_default();
        let gone = of_function.extract_if(.., |one| {
            let replaced = known.as_ref().is_some_and(|known| Rc::ptr_eq(known, one));
            replaced || !function.is_some_and(|function| one.is_wanted(function))
        });
        let gone: Vec<Rc<Held>> = gone.collect();
        of_function.push(held.clone());
        for one in &gone {
            one.retire(of_function);
        }
        Ok(held)
    }

    fn load(&self, found: &Found, dictionaries: Arc<Dictionaries>) -> Result<Held, ScriptError> {
        let started = Instant::now();
        let Found { function, version, place } = found;
        let facts = &version.facts;
        let text = version.text().map_err(|error| unreadable(&error))?;
        let (mut declaration, mut file) =
            (facts.declaration.clone(), format!("{}.lua", function.name));
        let withheld = *place == Place::Beside;
        if withheld {
            declaration.hosts = std::mem::take(&mut declaration.shadow_hosts);
            // So that log lines tell that it had no effect.
            file = format!("{} (shadow).lua", function.name);
        }
        let spec = DomainSpec {
            digest: facts.digest.to_string(),
            dictionaries: dictionaries.clone(),
            workers: self.workers,
            ..domain(&function.name, &function.owner, &declaration)
        };
        let state = State::new(Arc::new(spec), self.worker)?;
        let source = function_source(&file, &text, facts.form == Form::Table);
        let budget = facts.declaration.limits.budget();
        let handler = state.load(&source, Phase::Content, budget)?;
        let record = self.store.ledger.record(&function.name, &facts.digest, self.worker);
        record.loaded(started.elapsed(), state.memory());
        let last_call = Cell::new(Instant::now());
        let version = version.clone();
        Ok(Held { version, withheld, dictionaries, state, handler, record, last_call })
    }

    /// Drops the states that nobody called for long, and those of versions that no longer serve. To be
    /// called now and again.
    pub fn sweep(&self, now: Instant) {
        let registry = self.store.current();
        let idle = |one: &Held| now.saturating_duration_since(one.last_call.get()) >= IDLE;
        let mut gone: Vec<(Rc<Held>, Vec<Rc<Held>>)> = Vec::new();
        self.held.borrow_mut().retain(|name, all| {
            let function = registry.get(name.as_str());
            let wanted = |one: &Held| function.is_some_and(|function| one.is_wanted(function));
            let left: Vec<Rc<Held>> = all.extract_if(.., |one| idle(one) || !wanted(one)).collect();
            gone.extend(left.into_iter().map(|one| (one, all.clone())));
            !all.is_empty()
        });
        for (held, others) in gone {
            held.retire(&others);
        }
    }
}

impl Held {
    /// Whether a function as it is now may call it.
    fn is_wanted(&self, function: &Function) -> bool {
        let digest = &self.version.facts.digest;
        let live = function.active.as_ref() == Some(digest);
        let tried = function.candidate.as_ref().filter(|one| one.digest == *digest);
        match (self.withheld, tried.map(|one| one.mode)) {
            (false, Some(Mode::Canary(_))) | (true, Some(Mode::Sample(_) | Mode::Shadow)) => true,
            (withheld, _) => live && !withheld,
        }
    }

    /// Its state goes when the last call of it ends; `others` are those of its function that stay.
    fn retire(&self, others: &[Rc<Self>]) {
        self.state.retire();
        let version = |one: &Rc<Self>| Arc::ptr_eq(&one.version, &self.version);
        if !others.iter().any(version) {
            self.record.unloaded();
        }
    }
}

/// A call that counts against its function's limit.
struct Running<'a>(&'a AtomicU32);

impl<'a> Running<'a> {
    /// None if as many run as may. What is tried has a limit of its own, lest it keep clients from the
    /// live version.
    fn begin(found: &'a Found) -> Option<Self> {
        let most = found.version.facts.declaration.limits.concurrent;
        let candidate = found.function.candidate.as_ref().filter(|_| found.place != Place::Live);
        let running = candidate.map_or(&*found.function.running, |one| &one.contest.running);
        let before = running.fetch_add(1, Ordering::Relaxed);
        // Given back by `Drop` in either case.
        let this = Self(running);
        (before < most).then_some(this)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn busy(found: &Found) -> ScriptError {
    let most = found.version.facts.declaration.limits.concurrent;
    let message = format!("{}: {most} calls run already", found.function.name);
    ScriptError { kind: ScriptErrorKind::Runtime, message, traceback: String::new() }
}

fn unreadable(error: &std::io::Error) -> ScriptError {
    let message = format!("its text cannot be read: {error}");
    ScriptError { kind: ScriptErrorKind::Runtime, message, traceback: String::new() }
}
