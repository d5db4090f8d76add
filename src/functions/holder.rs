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
use crate::shared::Dictionaries;
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
        dictionaries: &Dictionaries,
        call: impl FnOnce(&Rc<str>) -> Rc<Call>,
    ) -> (Option<Rc<Call>>, Result<Option<Bytes>, ScriptError>) {
        let held = match self.held(found, dictionaries) {
            Ok(held) => held,
            Err(error) => return (None, Err(error)),
        };
        let Some(_running) = Running::begin(found) else {
            held.record.refused();
            return (None, Err(busy(found)));
        };
        held.last_call.set(Instant::now());
        held.record.began(SystemTime::now());
        let call = call(&held.handler.module);
        let limits = found.version.facts.declaration.limits;
        call.answer_limit.set(usize::try_from(limits.response).unwrap_or(usize::MAX));
        let result = held.state.run(&held.handler, &call).await;
        let kind = result.as_ref().err().map(|error| error.kind);
        held.record.ended(kind, call.cpu.get(), held.state.memory());
        (Some(call), result)
    }

    /// The function's state, made if it is not there.
    fn held(&self, found: &Found, all: &Dictionaries) -> Result<Rc<Held>, ScriptError> {
        let name = &found.function.name;
        let declared = &found.version.facts.declaration;
        let dictionaries = all.granted(&declared.dictionaries);
        let known = self.held.borrow().get(name).cloned();
        let fits = |held: &Rc<Held>| {
            Arc::ptr_eq(&held.version, &found.version) && held.dictionaries.is_same(&dictionaries)
        };
        if let Some(held) = known.filter(fits) {
            return Ok(held);
        }
        let held = Rc::new(self.load(found, Arc::new(dictionaries))?);
        if let Some(before) = self.held.borrow_mut().insert(name.clone(), held.clone()) {
            before.retire(!Arc::ptr_eq(&before.version, &held.version));
        }
        Ok(held)
    }

    fn load(&self, found: &Found, dictionaries: Arc<Dictionaries>) -> Result<Held, ScriptError> {
        let started = Instant::now();
        let Found { function, version } = found;
        let facts = &version.facts;
        let text = version.text().map_err(|error| unreadable(&error))?;
        let spec = DomainSpec {
            digest: facts.digest.to_string(),
            dictionaries: dictionaries.clone(),
            workers: self.workers,
            ..domain(&function.name, &function.owner, &facts.declaration)
        };
        let state = State::new(Arc::new(spec), self.worker)?;
        let file = format!("{}.lua", function.name);
        let source = function_source(&file, &text, facts.form == Form::Table);
        let budget = facts.declaration.limits.budget();
        let handler = state.load(&source, Phase::Content, budget)?;
        let record = self.store.ledger.record(&function.name, &facts.digest, self.worker);
        record.loaded(started.elapsed(), state.memory());
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

fn busy(found: &Found) -> ScriptError {
    let most = found.version.facts.declaration.limits.concurrent;
    let message = format!("{}: {most} calls run already", found.function.name);
    ScriptError { kind: ScriptErrorKind::Runtime, message, traceback: String::new() }
}

fn unreadable(error: &std::io::Error) -> ScriptError {
    let message = format!("its text cannot be read: {error}");
    ScriptError { kind: ScriptErrorKind::Runtime, message, traceback: String::new() }
}
