//! An owner of scripts on one worker: what it used, what it holds, and what it may.

mod flood;
mod limits;
mod tally;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

pub use limits::OwnerLimits;
pub use tally::{OwnerTotals, owner_totals};

use self::flood::{Admitted, Flood};
use self::tally::{Tally, Together, enlist};
use super::{ScriptError, ScriptErrorKind};
use crate::config::{OPERATOR, Owners};
use crate::shared::about_now;
use crate::telemetry::events;

/// One owner on one worker.
pub(super) struct Account {
    pub(super) name: Arc<str>,
    pub(super) is_operator: bool,
    limits: Cell<OwnerLimits>,
    memory: Cell<usize>,
    used: Cell<Duration>,
    /// The second that counts against [`OwnerLimits::cpu`]: when it began, and what was used before.
    second: Cell<Option<(Instant, Duration)>>,
    /// What all workers count against limits. A thread that is no worker counts for itself.
    together: Arc<Together>,
    tally: Arc<Tally>,
}

/// A call that is under way.
pub(super) struct Begun {
    account: Rc<Account>,
    counts: bool,
}

/// A connection that is open.
pub(super) struct Held {
    account: Rc<Account>,
    counts: bool,
}

/// Over which [`OwnerLimits::cpu`] is counted.
const SECOND: Duration = Duration::from_secs(1);

thread_local! {
    static ACCOUNTS: RefCell<HashMap<Arc<str>, Rc<Account>>> = RefCell::default();
    /// The settings in force; none: this thread is no worker.
    static OWNERS: RefCell<Option<Arc<Owners>>> = const { RefCell::new(None) };
}

/// From now on, these are the limits of owners on this worker. Accounts that were opened before the
/// first word of this are not among those that are told to operators.
pub fn limit_owners(owners: &Arc<Owners>) {
    ACCOUNTS.with_borrow(|accounts| {
        for (name, account) in accounts {
            account.limits.set(OwnerLimits::from(&**owners.of(name)));
        }
    });
    OWNERS.set(Some(owners.clone()));
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

/// Whether an owner's states on this worker hold more than they may.
pub fn is_owner_full(owner: &Arc<str>) -> bool {
    account(owner).is_full()
}

/// Whether one more line of an owner's scripts may be written to the log; if not, it is counted.
pub fn may_speak(owner: &Arc<str>) -> bool {
    account(owner).may_speak()
}

/// Tells how many lines were dropped of owners who said too much. To be called about every second.
pub fn tell_floods() {
    let now = Instant::now();
    let accounts: Vec<_> = ACCOUNTS.with_borrow(|accounts| accounts.values().cloned().collect());
    for account in accounts {
        let dropped = account.flood().untold(now);
        account.tell_flood(dropped);
    }
}

/// The account of an owner on this worker.
pub(super) fn account(owner: &Arc<str>) -> Rc<Account> {
    ACCOUNTS.with_borrow_mut(|accounts| {
        if let Some(known) = accounts.get(owner) {
            return known.clone();
        }
        let opened = Rc::new(Account::new(owner.clone()));
        accounts.insert(owner.clone(), opened.clone());
        opened
    })
}

impl Account {
    fn new(name: Arc<str>) -> Self {
        let settings =
            OWNERS.with_borrow(|owners| owners.as_ref().map(|all| all.of(&name).clone()));
        let (together, tally) = match settings {
            Some(_) => enlist(&name),
            None => <(Arc<Together>, Arc<Tally>)>::default(),
        };
        let limits = settings.map_or_else(OwnerLimits::default, |owner| (&*owner).into());
        Self {
            is_operator: *name == *OPERATOR,
            name,
            limits: Cell::new(limits),
            memory: Cell::default(),
            used: Cell::default(),
            second: Cell::default(),
            together,
            tally,
        }
    }

    /// Turns that it gets where others get one.
    pub(super) fn weight(&self) -> u32 {
        self.limits.get().weight.max(1)
    }

    /// A script of it used so much.
    pub(super) fn charge(&self, cpu: Duration) {
        self.used.set(self.used.get() + cpu);
        self.tally.used(cpu);
    }

    /// A call begins.
    ///
    /// # Errors
    /// If the owner has as many as it may, or used its CPU time.
    pub(super) fn begin(self: &Rc<Self>) -> Result<Begun, ScriptError> {
        let limits = self.limits.get();
        if self.pause().is_some() {
            return Err(self.spent());
        }
        let counts = count(&self.together.calls, limits.calls);
        let counts =
            counts.ok_or_else(|| self.refused("calls", "calls under way", limits.calls))?;
        self.tally.begun();
        Ok(Begun { account: self.clone(), counts })
    }

    /// How long its scripts must not compute, because they used what they may in this second.
    pub(super) fn pause(&self) -> Option<Duration> {
        let most = self.limits.get().cpu?;
        let (began, before) = self.this_second();
        let spent = self.used.get().saturating_sub(before) >= most;
        spent.then(|| SECOND.saturating_sub(about_now().saturating_duration_since(began)))
    }

    /// The error of a call that is refused, or given up, because of what the owner's others used.
    pub(super) fn spent(&self) -> ScriptError {
        let most = self.limits.get().cpu.unwrap_or_default().as_millis();
        self.refused("cpu", "milliseconds of CPU time a second on a worker", most)
    }

    /// A call ended so.
    pub(super) fn ended(&self, failed: Option<ScriptErrorKind>) {
        self.tally.ended(failed);
    }

    /// A connection is opened.
    ///
    /// # Errors
    /// If the owner has as many as it may.
    pub(super) fn connect(self: &Rc<Self>) -> Result<Held, ScriptError> {
        let most = self.limits.get().connections;
        let counts = count(&self.together.connections, most);
        let counts = counts.ok_or_else(|| self.refused("connections", "open connections", most))?;
        self.tally.connected();
        Ok(Held { account: self.clone(), counts })
    }

    /// A state of it that held `before` bytes holds `now`.
    pub(super) fn grew(&self, before: usize, now: usize) {
        self.memory.set((self.memory.get() + now).saturating_sub(before));
        self.tally.holds(self.memory.get());
    }

    /// Whether its states hold more than they may.
    pub(super) fn is_full(&self) -> bool {
        self.memory.get() > self.limits.get().memory
    }

    /// The error of a call that is refused because its states hold more than they may.
    pub(super) fn full(&self) -> ScriptError {
        self.refused("memory", "bytes of memory on a worker", self.limits.get().memory)
    }

    /// Whether one more line may be written to the log.
    pub(super) fn may_speak(&self) -> bool {
        let Some(most) = self.limits.get().log_lines else { return true };
        let admitted = self.flood().admit(most, about_now());
        match admitted {
            Admitted::Written { dropped } => self.tell_flood(dropped),
            Admitted::Dropped => self.tally.dropped_line(),
        }
        admitted != Admitted::Dropped
    }

    fn flood(&self) -> MutexGuard<'_, Flood> {
        self.together.flood.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell_flood(&self, lines: u64) {
        if lines > 0 {
            events::OwnerFlooded { owner: &self.name, lines }.emit();
        }
    }

    /// When the second began that is counted now, and what had been used then.
    fn this_second(&self) -> (Instant, Duration) {
        let now = about_now();
        let fresh = (now, self.used.get());
        let known = self.second.get().unwrap_or(fresh);
        let is_over = now.saturating_duration_since(known.0) >= SECOND;
        let second = if is_over { fresh } else { known };
        self.second.set(Some(second));
        second
    }

    fn refused(
        &self,
        limit: &'static str,
        what: &str,
        most: impl std::fmt::Display,
    ) -> ScriptError {
        self.tally.refused(limit);
        events::OwnerRefused { owner: &self.name, limit }.emit();
        ScriptError::limit(format!("owner `{}` may have {most} {what}", self.name))
    }
}

/// One more, if there may be; whether it is counted: where any number may be, none is.
fn count(counted: &AtomicUsize, most: usize) -> Option<bool> {
    if most == usize::MAX {
        return Some(false);
    }
    let before = counted.fetch_add(1, Ordering::Relaxed);
    if before >= most {
        counted.fetch_sub(1, Ordering::Relaxed);
        return None;
    }
    Some(true)
}

fn discount(counted: &AtomicUsize, counts: bool) {
    if counts {
        counted.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        let Account { together, tally, .. } = &*self.account;
        discount(&together.calls, self.counts);
        tally.over();
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let Account { together, tally, .. } = &*self.account;
        discount(&together.connections, self.counts);
        tally.disconnected();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Owner;

    /// An account as a worker has it.
    fn account_of(name: &str, limits: OwnerLimits) -> Rc<Account> {
        limit_owners(&Arc::default());
        limit_owner(name, limits);
        account(&name.into())
    }

    #[test]
    fn what_an_owner_may_have_it_has_on_all_workers_together() {
        let limits = OwnerLimits { calls: 2, connections: 1, ..OwnerLimits::default() };
        let here = account_of("two-calls", limits);
        let first = here.begin().unwrap();
        let held = here.connect().unwrap();
        std::thread::spawn(move || {
            let there = account_of("two-calls", limits);
            let _second = there.begin().unwrap();
            let third = there.begin().err().unwrap();
            assert_eq!(third.message, "owner `two-calls` may have 2 calls under way");
            assert!(there.connect().is_err());
        })
        .join()
        .unwrap();
        drop((first, held));
        let _again = (here.begin().unwrap(), here.begin().unwrap(), here.connect().unwrap());
        let totals = owner_totals();
        let own = totals.iter().find(|one| one.owner == "two-calls").unwrap();
        assert_eq!((own.running, own.connections), (2, 1));
        assert_eq!(own.refused[..2], [("calls", 1), ("connections", 1)]);
    }

    #[test]
    fn an_owner_past_its_share_of_a_second_is_refused_until_the_next() {
        let cpu = Some(Duration::from_millis(100));
        let account = account_of("a-tenth", OwnerLimits { cpu, ..OwnerLimits::default() });
        drop(account.begin().unwrap());
        account.charge(Duration::from_millis(99));
        drop(account.begin().unwrap());
        account.charge(Duration::from_millis(1));
        let refused = account.begin().err().unwrap();
        assert!(refused.message.contains("100 milliseconds of CPU time"), "{refused}");
        assert_eq!(refused.kind, ScriptErrorKind::Limit);
    }

    #[test]
    fn the_operator_is_unbounded_unless_it_says_otherwise() {
        let operator = account_of(OPERATOR, OwnerLimits::from(&**Owners::default().of(OPERATOR)));
        operator.grew(0, usize::MAX / 2);
        assert!(!operator.is_full() && (0..1000).all(|_| operator.may_speak()));
        let others = OwnerLimits::from(&Owner::default());
        assert_eq!((others.memory, others.calls, others.log_lines), (1 << 30, 10_000, Some(50)));
    }
}
