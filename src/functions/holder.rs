//! What one worker holds of the functions: a Lua state for each that was called lately.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;

use super::ledger::Record;
use super::trial::{Form, domain};
use super::version::Version;
use super::{Function, FunctionStore, Name};
use crate::script::{
    Call, DomainSpec, Handler, ScriptError, ScriptErrorKind, State, function_source,
};
use crate::shared::{Dictionaries, Tables};
use crate::telemetry::events;
use crate::transaction::{Phase, Request};

/// How long a function may be idle before its state is dropped.
const IDLE: Duration = Duration::from_secs(300);

/// What one worker holds of the functions.
pub struct Holder {
    store: Arc<FunctionStore>,
    worker: usize,
    workers: usize,
    held: RefCell<HashMap<Name, Rc<Held>>>,
}

/// The function that serves a request, as it was when the request came.
#[derive(Clone)]
pub struct Found {
    /// The function.
    pub function: Arc<Function>,
    /// The version of it.
    pub version: Arc<Version>,
}

/// What there is that functions may be granted.
#[derive(Clone, Copy)]
pub struct Reach<'a> {
    /// Shared dictionaries.
    pub dictionaries: &'a Dictionaries,
    /// Collections.
    pub tables: &'a Arc<Tables>,
}

/// A function that is loaded.
pub struct Held {
    version: Arc<Version>,
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

    /// The function that serves a request.
    pub fn find(&self, request: &Request) -> Option<Found> {
        let registry = self.store.current();
        if registry.serves_nothing() {
            return None;
        }
        let (host, path) = (request.host(), request.normalized_path());
        let path = std::str::from_utf8(&path).ok()?;
        let (function, version) = registry.find(host.as_deref(), path, SystemTime::now())?;
        Some(Found { function: function.clone(), version: version.clone() })
    }

    /// Calls a function for an exchange; `call` is made with its name. The call comes back if it began;
    /// an error if the function cannot be loaded, fails, or as many calls of it run as may.
    pub async fn call(
        &self,
        found: &Found,
        reach: Reach<'_>,
        call: impl FnOnce(&Rc<str>) -> Rc<Call>,
    ) -> (Option<Rc<Call>>, Result<Option<Bytes>, ScriptError>) {
        let held = match self.held(found, reach) {
            Ok(held) => held,
            Err(error) => return (None, Err(self.failed(found, error))),
        };
        let Some(_running) = Running::begin(found) else {
            held.record.refused();
            let (owner, function) = named(found);
            events::FunctionRefused { owner, function }.emit();
            return (None, Err(busy(found)));
        };
        held.last_call.set(Instant::now());
        held.record.began(SystemTime::now());
        let call = call(&held.handler.module);
        let result = held.state.run(&held.handler, &call).await;
        let kind = result.as_ref().err().map(|error| error.kind);
        let cpu = call.cpu.get();
        held.record.ended(kind, cpu, held.state.memory());
        count(found, cpu, kind);
        (Some(call), result)
    }

    /// A call that found no state, because none could be made: it is on record all the same.
    fn failed(&self, found: &Found, error: ScriptError) -> ScriptError {
        let Found { function, version } = found;
        let record = self.store.ledger.record(&function.name, &version.facts.digest, self.worker);
        record.began(SystemTime::now());
        record.ended(Some(error.kind), Duration::ZERO, 0);
        count(found, Duration::ZERO, Some(error.kind));
        error
    }

    /// The function's state, made if it is not there.
    fn held(&self, found: &Found, reach: Reach<'_>) -> Result<Rc<Held>, ScriptError> {
        let name = &found.function.name;
        let declared = &found.version.facts.declaration;
        let dictionaries = reach.dictionaries.granted(&declared.dictionaries);
        let known = self.held.borrow().get(name).cloned();
        let fits = |held: &Rc<Held>| {
            Arc::ptr_eq(&held.version, &found.version)
                && held.dictionaries.is_same(&dictionaries)
                && Arc::ptr_eq(&held.state.spec().tables, reach.tables)
        };
        if let Some(held) = known.filter(fits) {
            return Ok(held);
        }
        let held = Rc::new(self.load(found, Arc::new(dictionaries), reach.tables.clone())?);
        if let Some(before) = self.held.borrow_mut().insert(name.clone(), held.clone()) {
            before.retire(!Arc::ptr_eq(&before.version, &held.version));
        }
        Ok(held)
    }

    fn load(
        &self,
        found: &Found,
        dictionaries: Arc<Dictionaries>,
        tables: Arc<Tables>,
    ) -> Result<Held, ScriptError> {
        let started = Instant::now();
        let Found { function, version } = found;
        let facts = &version.facts;
        let text = version.text().map_err(|error| unreadable(&error))?;
        let spec = DomainSpec {
            digest: facts.digest.to_string(),
            dictionaries: dictionaries.clone(),
            tables,
            workers: self.workers,
            ..domain(&function.name, &function.owner, &facts.declaration)
        };
        let state = State::new(Arc::new(spec), self.worker)?;
        let file = format!("{}.lua", function.name);
        let source = function_source(&file, &text, facts.form == Form::Table);
        let budget = facts.declaration.limits.budget();
        let handler = state.load(&source, Phase::Content, budget)?;
        let record = self.store.ledger.record(&function.name, &facts.digest, self.worker);
        let took = started.elapsed();
        record.loaded(took, state.memory());
        let (owner, function) = named(found);
        events::FunctionLoaded { owner, function, took }.emit();
        let last_call = Cell::new(Instant::now());
        let version = version.clone();
        Ok(Held { version, dictionaries, state, handler, record, last_call })
    }

    /// Drops the states that nobody called for long, and those of versions that no longer serve. To be
    /// called now and again.
    pub fn sweep(&self, now: Instant) {
        let registry = self.store.current();
        let serves = |name: &Name, held: &Held| {
            let function = registry.get(name.as_str());
            function.is_some_and(|one| one.active.as_ref() == Some(&held.version.facts.digest))
        };
        let gone: Vec<(Name, Rc<Held>)> = {
            let mut held = self.held.borrow_mut();
            let idle = |one: &Held| now.saturating_duration_since(one.last_call.get()) >= IDLE;
            held.extract_if(|name, one| idle(one) || !serves(name, one)).collect()
        };
        for (_, held) in gone {
            held.retire(true);
        }
    }
}

impl Held {
    /// Its state goes when the last call of it ends.
    fn retire(&self, wholly: bool) {
        self.state.retire();
        if wholly {
            self.record.unloaded();
        }
    }
}

/// A call that counts against its function's limit.
struct Running<'a>(&'a Found);

impl<'a> Running<'a> {
    fn begin(found: &'a Found) -> Option<Self> {
        let most = found.version.facts.declaration.limits.concurrent;
        let running = &found.function.running;
        let before = running.fetch_add(1, Ordering::Relaxed);
        // Given back by `Drop` in either case.
        let this = Self(found);
        (before < most).then_some(this)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.function.running.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Whose it is, and what it is called.
fn named(found: &Found) -> (&str, &str) {
    (found.function.owner.as_str(), found.function.name.as_str())
}

fn count(found: &Found, cpu: Duration, failed: Option<ScriptErrorKind>) {
    let (owner, function) = named(found);
    let outcome = failed.map_or("ok", ScriptErrorKind::as_str);
    events::FunctionCalled { owner, function, cpu, outcome }.emit();
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

#[cfg(test)]
mod tests {
    use super::super::{FunctionRoute, Push, Reading};
    use super::*;
    use crate::transaction::{Headers, Version as HttpVersion};

    /// A store with a function `hello` that serves `/hello`.
    fn store() -> Arc<FunctionStore> {
        let (store, _) = FunctionStore::open(None);
        push(&store, "local once = 1");
        Arc::new(store)
    }

    fn push(store: &FunctionStore, text: &str) {
        let push = Push {
            name: Name::new("hello").unwrap(),
            owner: None,
            route: Some(FunctionRoute::parse("/hello").unwrap()),
            text: text.into(),
            declaration: None,
            author: String::new(),
            message: String::new(),
            ttl: None,
            activate: true,
            dry_run: false,
        };
        store.push(push).unwrap();
    }

    fn call(holder: &Holder) {
        let path = Bytes::from_static(b"/hello");
        let method = Bytes::from_static(b"GET");
        let request = Request::new(method, path, HttpVersion::Http11, Headers::default());
        let found = holder.find(&request).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (dictionaries, tables) = (Dictionaries::default(), Arc::default());
        let reach = Reach { dictionaries: &dictionaries, tables: &tables };
        let made = |name: &Rc<str>| Call::new(Phase::Content, name.clone(), None);
        let called = holder.call(&found, reach, made);
        tokio::task::LocalSet::new().block_on(&runtime, called).1.unwrap();
    }

    /// What the worker has on record of the version that serves.
    fn reading(store: &FunctionStore) -> Reading {
        let registry = store.current();
        let function = registry.get("hello").unwrap();
        store.ledger.of(&function.name, function.active.as_ref().unwrap())[0].1.clone()
    }

    #[test]
    fn what_nobody_calls_for_long_is_let_go_and_loaded_again_on_demand() {
        let store = store();
        let holder = Holder::new(store.clone(), 0, 1);
        assert!(store.ledger.held().is_empty(), "nothing is loaded before the first call");
        call(&holder);
        let before = Instant::now();
        holder.sweep(before + IDLE / 2);
        assert!(reading(&store).held && reading(&store).memory > 0);
        holder.sweep(Instant::now() + IDLE);
        assert!(!reading(&store).held && reading(&store).memory == 0);
        assert!(reading(&store).peak > 0 && store.ledger.held().is_empty());
        call(&holder);
        assert!(reading(&store).held);
        assert_eq!((reading(&store).loads, reading(&store).calls), (2, 2));
    }

    #[test]
    fn what_no_longer_serves_is_let_go_soon() {
        let store = store();
        let holder = Holder::new(store.clone(), 0, 1);
        call(&holder);
        push(&store, "local another = 1");
        call(&holder);
        assert_eq!(store.ledger.held()[0].1.states, 1, "the newer takes the place of the older");
        store.deactivate("hello").unwrap();
        holder.sweep(Instant::now());
        assert!(store.ledger.held().is_empty());
    }
}
