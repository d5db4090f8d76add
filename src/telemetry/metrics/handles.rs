//! Children of metrics that are moved for each request, kept by each thread under the name that they
//! go with, so that moving them costs a look-up in a small map: no lock, no allocation.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::thread::LocalKey;
use std::time::Duration;

use prometheus::{Counter, Histogram, IntCounter, IntGauge};

use super::label::{CLASSES, COMPUTED, KILLS, LUA_PHASES, MAX_VALUES};
use super::metrics;
use super::parted::Part;
use crate::transaction::{Phase, Verdict};

/// What is kept under names.
type Kept<H> = RefCell<Names<H>>;

struct Names<H> {
    all: BTreeMap<Rc<str>, Rc<H>>,
    /// Some that were asked for lately, by where the text lay with which that was: it mostly is asked with
    /// it again.
    recent: [Option<(Rc<str>, Rc<H>)>; RECENT],
}

const RECENT: usize = 16;

/// The place in [`Names::recent`] of a name that lies there.
fn place(name: &str) -> usize {
    // What is allocated lies at multiples of this.
    (name.as_ptr() as usize / 16) % RECENT
}

impl<H> Default for Names<H> {
    fn default() -> Self {
        Self { all: BTreeMap::new(), recent: [const { None }; RECENT] }
    }
}

impl<H> Names<H> {
    fn find(&mut self, name: &str) -> Option<Rc<H>> {
        let recent = self.recent.get_mut(place(name))?;
        if let Some((_, handles)) = recent.as_ref().filter(|(known, _)| **known == *name) {
            return Some(handles.clone());
        }
        let (known, handles) = self.all.get_key_value(name)?;
        *recent = Some((known.clone(), handles.clone()));
        Some(handles.clone())
    }

    fn keep(&mut self, name: &str, handles: &Rc<H>) {
        // Names of policies long gone must not fill the memory.
        if self.all.len() >= MAX_VALUES {
            self.all.clear();
        }
        self.all.insert(name.into(), handles.clone());
    }

    fn forget(&mut self, name: &str) {
        self.all.remove(name);
        self.recent = [const { None }; RECENT];
    }
}

thread_local! {
    static ROUTES: Kept<Route> = RefCell::default();
    static UPSTREAMS: Kept<Upstream> = RefCell::default();
    static MODULES: Kept<Module> = RefCell::default();
    static OWNERS: Kept<Owner> = RefCell::default();
    static FUNCTIONS: Kept<Function> = RefCell::default();
    static DOMAINS: Kept<Domain> = RefCell::default();
}

/// What a route's exchanges move.
pub(crate) struct Route {
    pub(crate) seconds: Arc<Part>,
    pub(crate) received: Arc<Part>,
    pub(crate) sent: Arc<Part>,
    by_class: RefCell<[[Option<Arc<Part>>; Verdict::ALL.len()]; CLASSES.len()]>,
    name: Box<str>,
}

/// What an upstream's exchanges move.
pub(crate) struct Upstream {
    pub(crate) head_seconds: Histogram,
    pub(crate) seconds: Histogram,
    tries: RefCell<BTreeMap<(&'static str, bool), IntCounter>>,
    name: Box<str>,
}

/// What a module's calls move.
pub(crate) struct Module {
    by_phase: RefCell<[Option<Called>; LUA_PHASES.len()]>,
    name: Box<str>,
}

/// What its calls in one phase move.
struct Called {
    calls: Arc<Part>,
    seconds: Arc<Part>,
}

/// What an owner's scripts move.
pub(crate) struct Owner {
    pub(crate) suspensions: IntCounter,
}

/// What a function's calls move.
pub(crate) struct Function {
    calls: IntCounter,
    seconds: Counter,
    owner: Box<str>,
    name: Box<str>,
}

/// The memory of a domain's state.
struct Domain {
    worker: usize,
    gauge: IntGauge,
}

/// The handles of a route.
pub(crate) fn route(name: &str) -> Rc<Route> {
    kept(&ROUTES, name, || Route {
        seconds: metrics().request_seconds.with(&[name]).part(),
        received: metrics().received_bytes.with(&[name]).part(),
        sent: metrics().sent_bytes.with(&[name]).part(),
        by_class: RefCell::default(),
        name: name.into(),
    })
}

/// The handles of an upstream. One that a script computed (`host:port`) is `computed`: clients may
/// have a say in it.
pub(crate) fn upstream(name: &str) -> Rc<Upstream> {
    let name = if name.contains(':') { COMPUTED } else { name };
    kept(&UPSTREAMS, name, || Upstream {
        head_seconds: metrics().upstream_head_seconds.with(&[name]),
        seconds: metrics().upstream_seconds.with(&[name]),
        tries: RefCell::default(),
        name: name.into(),
    })
}

/// The handles of a module.
pub(crate) fn module(name: &str) -> Rc<Module> {
    kept(&MODULES, name, || Module { by_phase: RefCell::default(), name: name.into() })
}

/// The handles of an owner.
pub(crate) fn owner(name: &str) -> Rc<Owner> {
    kept(&OWNERS, name, || Owner { suspensions: metrics().owner_suspensions.with(&[name]) })
}

/// The handles of an owner's function. A function has one owner as long as it is there.
pub(crate) fn function(owner: &str, name: &str) -> Rc<Function> {
    let make = || {
        let labels = [owner, name];
        let calls = metrics().function_calls.with(&labels);
        let seconds = metrics().function_cpu_seconds.with(&labels);
        Function { calls, seconds, owner: owner.into(), name: name.into() }
    };
    let known = kept(&FUNCTIONS, name, make);
    if *known.owner == *owner { known } else { Rc::new(make()) }
}

/// Sets the memory of a domain's state on a worker; none: the state is gone.
pub(crate) fn domain(name: &str, worker: usize, bytes: Option<usize>) {
    let Some(bytes) = bytes else {
        metrics().lua_memory_bytes.remove(&[name, &worker.to_string()]);
        let _ = DOMAINS.try_with(|known| known.borrow_mut().forget(name));
        return;
    };
    let make = || {
        let gauge = metrics().lua_memory_bytes.with(&[name, &worker.to_string()]);
        Domain { worker, gauge }
    };
    let known = kept(&DOMAINS, name, make);
    // A worker is a thread, but nothing here depends on it.
    let domain = if known.worker == worker { known } else { Rc::new(make()) };
    domain.gauge.set(i64::try_from(bytes).unwrap_or(i64::MAX));
}

/// The handles under a name. A thread that is ending has no map any more: it goes without.
fn kept<H>(cache: &'static LocalKey<Kept<H>>, name: &str, make: impl Fn() -> H) -> Rc<H> {
    let found = cache.try_with(|cache| {
        let mut known = cache.borrow_mut();
        if let Some(handles) = known.find(name) {
            return handles;
        }
        let handles = Rc::new(make());
        known.keep(name, &handles);
        handles
    });
    found.unwrap_or_else(|_| Rc::new(make()))
}

impl Route {
    /// One more exchange that ended so.
    pub(crate) fn ended(&self, status: u16, verdict: Verdict) {
        let class = class(status);
        let mut known = self.by_class.borrow_mut();
        let Some(counter) = known.get_mut(class).and_then(|row| row.get_mut(verdict as usize))
        else {
            return;
        };
        let name = CLASSES.get(class).copied().unwrap_or_default();
        let make = || metrics().requests.with(&[&self.name, name, verdict.as_str()]).part();
        counter.get_or_insert_with(make).add(1.0);
    }
}

/// The index of a status in [`CLASSES`].
fn class(status: u16) -> usize {
    match status / 100 {
        class @ 1..=5 => usize::from(class),
        _ => 0,
    }
}

impl Upstream {
    /// One more try that ended so.
    pub(crate) fn tried(&self, outcome: &'static str, reused: bool) {
        let connection = if reused { "reused" } else { "new" };
        let make = || metrics().upstream_tries.with(&[&self.name, outcome, connection]);
        self.tries.borrow_mut().entry((outcome, reused)).or_insert_with(make).inc();
    }
}

impl Module {
    /// One more call, that cost so much and ended so.
    pub(crate) fn called(&self, phase: Phase, cpu: Duration, outcome: &'static str) {
        let labels = [&*self.name, phase.as_str()];
        if let Some(known) = self.by_phase.borrow_mut().get_mut(phase.index()) {
            let called = known.get_or_insert_with(|| Called {
                calls: metrics().lua_calls.with(&labels).part(),
                seconds: metrics().lua_cpu_seconds.with(&labels).part(),
            });
            called.calls.add(1.0);
            called.seconds.add(cpu.as_secs_f64());
        }
        if outcome == "ok" {
            return;
        }
        metrics().lua_errors.with(&[&self.name, phase.as_str(), outcome]).inc();
        if KILLS.contains(&outcome) {
            metrics().lua_kills.with(&[&self.name, outcome]).inc();
        }
    }
}

impl Function {
    /// One more call, that cost so much and ended so.
    pub(crate) fn called(&self, cpu: Duration, outcome: &'static str) {
        self.calls.inc();
        self.seconds.inc_by(cpu.as_secs_f64());
        if outcome != "ok" {
            metrics().function_errors.with(&[&self.owner, &self.name, outcome]).inc();
        }
        if KILLS.contains(&outcome) {
            metrics().function_kills.with(&[&self.owner, &self.name, outcome]).inc();
        }
    }

    /// One more call that did not begin.
    pub(crate) fn refused(&self) {
        metrics().function_refused.with(&[&self.owner, &self.name]).inc();
    }

    /// One more state, that took so long to make.
    pub(crate) fn loaded(&self, took: Duration) {
        metrics().function_cold_starts.with(&[&self.owner, &self.name]).inc();
        metrics().function_cold_start_seconds.with(&[&self.owner]).observe(took.as_secs_f64());
    }
}

/// One more exchange for which the handlers of a phase ran, and took so long.
pub(crate) fn phase(phase: Phase, took: Duration) {
    thread_local! {
        static PHASES: [Arc<Part>; LUA_PHASES.len()] =
            LUA_PHASES.map(|phase| metrics().phase_seconds.with(&[phase]).part());
    }
    let _ = PHASES.try_with(|phases| {
        if let Some(part) = phases.get(phase.index()) {
            part.observe(took.as_secs_f64());
        }
    });
}
