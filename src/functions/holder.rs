//! What one worker holds of the functions: a Lua state for each that was called lately.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;

use super::failures::Failures;
use super::held::Held;
use super::rollout::Candidate;
use super::trial::{Form, domain};
use super::version::Version;
use super::{Function, FunctionStore, Name};
use crate::config::{Owners, Secrets};
use crate::script::{
    Call, DomainSpec, Exit, ScriptError, ScriptErrorKind, SecretsFor, State, function_source,
    is_owner_full,
};
use crate::shared::{Dictionaries, Tables};
use crate::telemetry::events;
use crate::transaction::{Client, Phase, Request, Verdict};

/// How long a function may be idle before its state is dropped.
const IDLE: Duration = Duration::from_secs(300);

/// What one worker holds of the functions.
pub struct Holder {
    store: Arc<FunctionStore>,
    worker: usize,
    workers: usize,
    /// Of each function a state for every version that is called, and for every place it is called in.
    held: RefCell<HashMap<Name, Vec<Rc<Held>>>>,
    failures: Failures,
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

/// What there is that functions may be granted.
#[derive(Clone, Copy)]
pub struct Reach<'a> {
    /// Shared dictionaries.
    pub dictionaries: &'a Dictionaries,
    /// Collections.
    pub tables: &'a Arc<Tables>,
    /// What owners may have.
    pub owners: &'a Arc<Owners>,
    /// Secrets.
    pub secrets: &'a Arc<Secrets>,
}

impl Holder {
    /// That of a worker, one of so many; it holds nothing yet.
    pub fn new(store: Arc<FunctionStore>, worker: usize, workers: usize) -> Self {
        let (held, failures) = (RefCell::default(), Failures::default());
        Self { store, worker, workers, held, failures }
    }

    /// The function that serves a client's request, and the version that does.
    pub fn find(&self, request: &Request, client: &Client) -> Option<Found> {
        if !self.store.serves() {
            return None;
        }
        let registry = self.store.current();
        let (host, path) = (request.host(), request.normalized_path());
        let path = std::str::from_utf8(&path).ok()?;
        let (function, version) = registry.find(host.as_deref(), path, SystemTime::now())?;
        let answers =
            |one: &&Candidate| one.is_for(host.as_deref(), path) && one.answers(request, client);
        let candidate = function.candidate.as_ref().filter(answers);
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
        reach: Reach<'_>,
        call: impl FnOnce(&Rc<str>) -> Rc<Call>,
    ) -> (Option<Rc<Call>>, Result<Option<Bytes>, ScriptError>) {
        let held = match self.held(found, reach) {
            Ok(held) => held,
            Err(error) => return (None, Err(self.failed(found, error))),
        };
        self.make_room(&held);
        let Some(_running) = Running::begin(found) else {
            held.record.refused();
            let (owner, function) = named(found);
            events::FunctionRefused { owner, function }.emit();
            return (None, Err(busy(found)));
        };
        let started = Instant::now();
        held.last_call.set(started);
        held.record.began(SystemTime::now());
        let call = call(&held.handler.module);
        let most = found.version.facts.declaration.limits.response;
        let most = held.terms.response.map_or(most, |own| own.min(most));
        call.answer_limit.set(usize::try_from(most).unwrap_or(usize::MAX));
        let result = held.state.run(&held.handler, &call).await;
        let error = result.as_ref().err();
        if let Some(error) = error
            && !held.handler.is_loaded()
        {
            // Its state was given up, and a new one cannot be made.
            self.failures.remember(found, reach, error, Instant::now());
            self.let_go(&held);
        }
        let cpu = call.cpu.get();
        let kind = error.map(|error| error.kind);
        held.record.ended(kind, started.elapsed(), cpu, held.state.memory());
        if let Some(error) = error {
            held.record.failed(error);
        }
        if result.is_ok() && refuses(&call) {
            held.record.blocked();
        }
        count(found, cpu, kind);
        (Some(call), result)
    }

    /// A call that found no state, because none could be made: it is on record all the same.
    fn failed(&self, found: &Found, error: ScriptError) -> ScriptError {
        let Found { function, version, .. } = found;
        let record = self.store.ledger.record(&function.name, &version.facts.digest, self.worker);
        record.began(SystemTime::now());
        record.ended(Some(error.kind), Duration::ZERO, Duration::ZERO, 0);
        record.failed(&error);
        count(found, Duration::ZERO, Some(error.kind));
        error
    }

    /// The function's state, made if it is not there.
    fn held(&self, found: &Found, reach: Reach<'_>) -> Result<Rc<Held>, ScriptError> {
        let name = &found.function.name;
        let terms = reach.owners.of(found.function.owner.as_str());
        let withheld = found.place == Place::Beside;
        let declared = found.version.facts.declaration.dictionaries.iter();
        let granted = declared.filter(|name| terms.may_use_dictionary(name));
        let mut dictionaries = reach.dictionaries.granted(granted);
        if withheld {
            dictionaries = dictionaries.withheld();
        }
        let same = |held: &&Rc<Held>| {
            Arc::ptr_eq(&held.version, &found.version) && held.withheld == withheld
        };
        let known = self.held.borrow().get(name).and_then(|all| all.iter().find(same).cloned());
        if let Some(held) = &known
            && held.dictionaries.is_same(&dictionaries)
            && held.is_as_granted(terms, reach)
        {
            return Ok(held.clone());
        }
        let held = Rc::new(self.try_load(found, Arc::new(dictionaries), reach)?);
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

    /// Loads it, unless that failed a moment ago.
    fn try_load(
        &self,
        found: &Found,
        dictionaries: Arc<Dictionaries>,
        reach: Reach<'_>,
    ) -> Result<Held, ScriptError> {
        let now = Instant::now();
        if let Some(error) = self.failures.known(found, reach, now) {
            return Err(error);
        }
        let loaded = self.load(found, dictionaries, reach);
        match &loaded {
            Ok(_) => self.failures.forget(found),
            // It is not the function's fault what its owner has.
            Err(error) if error.kind == ScriptErrorKind::Limit => {}
            Err(error) => self.failures.remember(found, reach, error, now),
        }
        loaded
    }

    fn load(
        &self,
        found: &Found,
        dictionaries: Arc<Dictionaries>,
        reach: Reach<'_>,
    ) -> Result<Held, ScriptError> {
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
        let terms = reach.owners.of(function.owner.as_str()).clone();
        declaration.hosts.retain(|place| terms.may_reach(place));
        declaration.collections.retain(|name| terms.may_use_collection(name));
        let spec = DomainSpec {
            digest: facts.digest.to_string(),
            dictionaries: dictionaries.clone(),
            tables: reach.tables.clone(),
            secrets: SecretsFor {
                kept: reach.secrets.clone(),
                declared: Some(declaration.secrets.clone().into()),
            },
            reads_only: withheld,
            workers: self.workers,
            ..domain(&function.name, &function.owner, &declaration)
        };
        let state = State::new(Arc::new(spec), self.worker)?;
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
        Ok(Held { version, withheld, dictionaries, terms, state, handler, record, last_call })
    }

    /// Lets go of what an owner's other functions hold while nobody calls them, the longest idle first,
    /// where its states hold more than they may.
    fn make_room(&self, wanted: &Rc<Held>) {
        let owner = wanted.state.spec().owner.clone();
        while is_owner_full(&owner) {
            let idle = |one: &&Rc<Held>| {
                one.state.spec().owner == owner
                    && Rc::strong_count(one) == 1
                    && !Rc::ptr_eq(one, wanted)
            };
            let oldest = {
                let held = self.held.borrow();
                held.values().flatten().filter(idle).min_by_key(|one| one.last_call.get()).cloned()
            };
            let Some(oldest) = oldest else { return };
            self.let_go(&oldest);
        }
    }

    /// Its state goes when the last call of it ends.
    fn let_go(&self, gone: &Rc<Held>) {
        let mut all = self.held.borrow_mut();
        let name = all.iter().find(|(_, held)| held.iter().any(|one| Rc::ptr_eq(one, gone)));
        let Some(name) = name.map(|(name, _)| name.clone()) else { return };
        let mut others = all.remove(&name).unwrap_or_default();
        others.retain(|one| !Rc::ptr_eq(one, gone));
        if !others.is_empty() {
            all.insert(name, others.clone());
        }
        drop(all);
        gone.retire(&others);
    }

    /// Drops the states that nobody called for long, and those of versions that no longer serve. To be
    /// called now and again.
    pub fn sweep(&self, now: Instant) {
        let registry = self.store.current();
        self.failures.sweep(&registry);
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

/// Whose it is, and what it is called.
fn named(found: &Found) -> (&str, &str) {
    (found.function.owner.as_str(), found.function.name.as_str())
}

fn count(found: &Found, cpu: Duration, failed: Option<ScriptErrorKind>) {
    let (owner, function) = named(found);
    let outcome = failed.map_or("ok", ScriptErrorKind::as_str);
    events::FunctionCalled { owner, function, cpu, outcome }.emit();
}

/// Whether what a call answers refuses the request.
fn refuses(call: &Call) -> bool {
    let staged = || call.subject.as_ref().map(|subject| subject.transaction.borrow().reply.status);
    let status = match call.exit.get() {
        Some(Exit::Close) => return true,
        Some(Exit::Declined | Exit::Reroute) => return false,
        Some(Exit::Respond(status)) => status,
        Some(Exit::Phase) | None => staged().unwrap_or_default(),
    };
    Verdict::of_status(status) == Verdict::Refused
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
    use crate::script::nobody;
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
        let found = holder.find(&request, &nobody()).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (dictionaries, tables) = (Dictionaries::default(), Arc::default());
        let (owners, secrets) = (Arc::default(), Arc::default());
        let reach = Reach {
            dictionaries: &dictionaries,
            tables: &tables,
            owners: &owners,
            secrets: &secrets,
        };
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
