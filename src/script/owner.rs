//! An owner of scripts on one worker: what it used, what it holds, and what it may.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::ScriptError;
use crate::shared::about_now;
use crate::telemetry::events;

/// What an owner may have at once on one worker, besides what each of its calls may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OwnerLimits {
    /// Turns that it gets where others with work to do get one; at least 1.
    pub weight: u32,
    /// CPU time that its scripts may use in a second before calls of it are refused; none: as much as
    /// is there.
    pub cpu: Option<Duration>,
    /// Bytes that all its states may hold. A state that grows is bounded by its domain; when they
    /// hold more together, calls are refused until they hold less.
    pub memory: usize,
    /// Calls that may be under way.
    pub calls: usize,
    /// Connections that its scripts may hold open.
    pub connections: usize,
}

/// One owner on one worker.
pub(super) struct Account {
    pub(super) name: Arc<str>,
    limits: Cell<OwnerLimits>,
    calls: Cell<usize>,
    connections: Cell<usize>,
    memory: Cell<usize>,
    used: Cell<Duration>,
    /// The second that counts against [`OwnerLimits::cpu`]: when it began, and what was used before.
    second: Cell<Option<(Instant, Duration)>>,
}

/// A call that is under way.
pub(super) struct Begun(Rc<Account>);

/// A connection that is open.
pub(super) struct Held(Rc<Account>);

thread_local! {
    static ACCOUNTS: RefCell<HashMap<Arc<str>, Rc<Account>>> = RefCell::default();
}

/// From now on, these are the limits of an owner on this worker.
pub fn limit_owner(owner: &str, limits: OwnerLimits) {
    account(&Arc::from(owner)).limits.set(limits);
}

/// CPU time that an owner's scripts used on this worker.
pub fn cpu_of_owner(owner: &str) -> Duration {
    ACCOUNTS.with_borrow(|accounts| {
        accounts.get(owner).map_or(Duration::ZERO, |found| found.used.get())
    })
}

/// The account of an owner on this worker.
pub(super) fn account(owner: &Arc<str>) -> Rc<Account> {
    ACCOUNTS.with_borrow_mut(|accounts| {
        let fresh = || Rc::new(Account::new(owner.clone()));
        accounts.entry(owner.clone()).or_insert_with(fresh).clone()
    })
}

impl Default for OwnerLimits {
    fn default() -> Self {
        Self { weight: 1, cpu: None, memory: 1 << 30, calls: 10_000, connections: 1_000 }
    }
}

impl Account {
    fn new(name: Arc<str>) -> Self {
        Self {
            name,
            limits: Cell::default(),
            calls: Cell::default(),
            connections: Cell::default(),
            memory: Cell::default(),
            used: Cell::default(),
            second: Cell::default(),
        }
    }

    /// Turns that it gets where others get one.
    pub(super) fn weight(&self) -> u32 {
        self.limits.get().weight.max(1)
    }

    /// A script of it used so much.
    pub(super) fn charge(&self, cpu: Duration) {
        self.used.set(self.used.get() + cpu);
    }

    /// A call begins.
    ///
    /// # Errors
    /// If the owner has as many as it may, or used its CPU time.
    pub(super) fn begin(self: &Rc<Self>) -> Result<Begun, ScriptError> {
        let limits = self.limits.get();
        if self.calls.get() >= limits.calls {
            return Err(self.refused("calls", "calls under way", limits.calls));
        }
        if let Some(cpu) = limits.cpu
            && self.used_in_this_second() >= cpu
        {
            return Err(self.refused("cpu", "milliseconds of CPU time a second", cpu.as_millis()));
        }
        self.calls.set(self.calls.get() + 1);
        Ok(Begun(self.clone()))
    }

    /// A connection is opened.
    ///
    /// # Errors
    /// If the owner has as many as it may.
    pub(super) fn connect(self: &Rc<Self>) -> Result<Held, ScriptError> {
        let most = self.limits.get().connections;
        if self.connections.get() >= most {
            return Err(self.refused("connections", "open connections", most));
        }
        self.connections.set(self.connections.get() + 1);
        Ok(Held(self.clone()))
    }

    /// A state of it that held `before` bytes holds `now`.
    pub(super) fn grew(&self, before: usize, now: usize) {
        self.memory.set((self.memory.get() + now).saturating_sub(before));
    }

    /// Whether its states hold more than they may.
    pub(super) fn is_full(&self) -> bool {
        self.memory.get() > self.limits.get().memory
    }

    /// The error of a call that is refused because its states hold more than they may.
    pub(super) fn full(&self) -> ScriptError {
        self.refused("memory", "bytes of memory", self.limits.get().memory)
    }

    fn used_in_this_second(&self) -> Duration {
        let now = about_now();
        let (began, before) = self.second.get().unwrap_or((now, self.used.get()));
        let is_over = now.saturating_duration_since(began) >= Duration::from_secs(1);
        let (began, before) = if is_over { (now, self.used.get()) } else { (began, before) };
        self.second.set(Some((began, before)));
        self.used.get().saturating_sub(before)
    }

    fn refused(
        &self,
        limit: &'static str,
        what: &str,
        most: impl std::fmt::Display,
    ) -> ScriptError {
        events::OwnerRefused { owner: &self.name, limit }.emit();
        ScriptError::limit(format!("owner `{}` may have {most} {what} on a worker", self.name))
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        self.0.calls.set(self.0.calls.get().saturating_sub(1));
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.connections.set(self.0.connections.get().saturating_sub(1));
    }
}
