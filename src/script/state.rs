//! One Lua state: a worker thread's copy of an isolation domain.

use std::cell::{Cell, RefCell};
use std::pin::pin;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use mlua::{Lua, Value};

use super::fairness::{self, Queue};
use super::incarnation::Incarnation;
use super::meter::Meter;
use super::owner::Account;
use super::soon::Soon;
use super::timer::Timers;
use super::{Call, DomainSpec, Handler, ScriptError, ScriptErrorKind};
use crate::config::{Budget, HandlerSource};
use crate::telemetry::events;
use crate::transaction::Phase;

/// Calls after which a state's memory is told.
const CALLS_BETWEEN_REPORTS: u32 = 128;

/// nginx's number for the level.
const DEBUG: i64 = 8;

/// How many times a call's CPU time a module may take while it is loaded.
const LOADING: u32 = 10;

/// One Lua state: a worker thread's copy of an isolation domain.
pub struct State {
    spec: Arc<DomainSpec>,
    worker: usize,
    pub(super) itself: Weak<State>,
    /// Its owner's, on this worker.
    pub(super) queue: Rc<Queue>,
    /// Bytes that its owner is told to hold for it.
    held: Cell<usize>,
    /// None before the first call, and after one that spent the memory for good.
    vm: RefCell<Option<Rc<Incarnation>>>,
    vms_made: Cell<u64>,
    calls: Cell<u32>,
    /// Whether its memory is told: a state that nobody serves from is none of the operator's concern.
    is_told: Cell<bool>,
    pub(super) timers: Rc<Timers>,
    /// Those whose time has come.
    pub(super) soon: Soon,
    /// The `init` handlers that ran, to be run again in a new VM.
    beginnings: RefCell<Vec<Rc<Handler>>>,
    /// Whether `init` is running.
    begins: Cell<bool>,
    /// What `init` said, where that is kept until it is known whether it is to be told.
    hushed: RefCell<Option<Vec<Hushed>>>,
}

/// A line of the log that is not written yet: its level, place and text.
struct Hushed(i64, String, String);

/// Lines that are kept so.
const HUSHED: usize = 100;

/// The domain in whose state a native function was called.
pub fn spec_of(lua: &Lua) -> Option<Arc<DomainSpec>> {
    lua.app_data_ref::<Arc<DomainSpec>>().map(|spec| spec.clone())
}

/// A script outside of any exchange did not come to its end: the log tells why, unless its owner said
/// too much already.
pub fn tell(call: &Call, state: &State, error: &ScriptError) {
    if !state.account().may_speak() {
        return;
    }
    let peer = call.aside.peer.borrow();
    error.failure((call.phase, &call.module), None, peer.as_deref()).emit();
}

/// The state in which a native function was called; none if it is being dropped.
pub fn state_of(lua: &Lua) -> Option<Rc<State>> {
    lua.app_data_ref::<Weak<State>>().and_then(|state| state.upgrade())
}

impl State {
    /// A fresh state: sandbox, API, `require`.
    ///
    /// # Errors
    /// If the domain's memory does not even hold the API.
    pub fn new(spec: Arc<DomainSpec>, worker: usize) -> Result<Rc<Self>, ScriptError> {
        let queue = fairness::queue_of(&spec.owner);
        let state = Rc::new_cyclic(|itself| Self {
            spec,
            worker,
            itself: itself.clone(),
            queue,
            held: Cell::new(0),
            vm: RefCell::new(None),
            vms_made: Cell::new(0),
            calls: Cell::new(0),
            is_told: Cell::new(false),
            timers: Rc::default(),
            soon: Soon::default(),
            beginnings: RefCell::default(),
            begins: Cell::default(),
            hushed: RefCell::default(),
        });
        state.vm()?;
        Ok(state)
    }

    /// The domain whose copy this is.
    pub fn spec(&self) -> &Arc<DomainSpec> {
        &self.spec
    }

    /// Its owner's account on this worker.
    pub(super) fn account(&self) -> &Rc<Account> {
        self.queue.account()
    }

    /// Its owner's turns on this thread.
    pub(super) fn queue(&self) -> &Rc<Queue> {
        &self.queue
    }

    /// Which worker's (from 0).
    pub fn worker(&self) -> usize {
        self.worker
    }

    /// Bytes in use now.
    pub fn memory(&self) -> usize {
        self.vm.borrow().as_ref().map_or(0, |vm| vm.lua.used_memory())
    }

    /// Compiles a handler, or takes it out of its module (which is loaded once for each state).
    ///
    /// # Errors
    /// With file and line, if the text does not compile, the module fails while it is loaded, or
    /// has no handler for the phase.
    pub fn load(
        self: &Rc<Self>,
        source: &HandlerSource,
        phase: Phase,
        budget: Budget,
    ) -> Result<Handler, ScriptError> {
        let handler = Handler::new(source, phase, budget);
        let compiled = self.vm().and_then(|vm| compile(&vm, &handler, &self.queue));
        compiled.map_err(|error| self.told(error))?;
        Ok(handler)
    }

    /// A handler that is compiled when it is first called.
    pub fn take(&self, source: &HandlerSource, phase: Phase, budget: Budget) -> Handler {
        Handler::new(source, phase, budget)
    }

    /// Runs a handler in a phase that may wait; what it returned, if that can be a string.
    ///
    /// # Errors
    /// If the script raised an error or its budget is spent. `ngx.exit` is no error: see [`Call::exit`].
    pub async fn run(
        self: &Rc<Self>,
        handler: &Handler,
        call: &Rc<Call>,
    ) -> Result<Option<Bytes>, ScriptError> {
        let (vm, mut meter) = self.begin(handler, call).map_err(|error| self.told(error))?;
        let result = drive(&vm, handler, call, &mut meter).await;
        self.finish(&vm, call, &meter, result)
    }

    /// Runs a script that a rule calls; whether it returned something else than nil and false.
    ///
    /// # Errors
    /// As [`State::run`].
    pub async fn judge(
        self: &Rc<Self>,
        handler: &Handler,
        call: &Rc<Call>,
    ) -> Result<bool, ScriptError> {
        let (vm, mut meter) = self.begin(handler, call).map_err(|error| self.told(error))?;
        let mut matched = false;
        let result = drive(&vm, handler, call, &mut meter).await.inspect(|said| {
            matched = !matches!(said, Value::Nil | Value::Boolean(false));
        });
        self.finish(&vm, call, &meter, result).map(|_| matched)
    }

    /// A call of a handler begins: in this VM, and it may cost so much.
    fn begin(
        &self,
        handler: &Handler,
        call: &Call,
    ) -> Result<(Rc<Incarnation>, Meter), ScriptError> {
        let vm = self.ready(handler)?;
        call.budget.set(handler.budget);
        let meter = Meter::begin(handler.budget, &self.queue)?;
        Ok((vm, meter))
    }

    /// Runs a handler in a phase that may not wait.
    ///
    /// # Errors
    /// As [`State::run`].
    pub fn run_now(
        self: &Rc<Self>,
        handler: &Handler,
        call: &Rc<Call>,
    ) -> Result<Option<Bytes>, ScriptError> {
        let vm = self.ready(handler).map_err(|error| self.told(error))?;
        let result = self.run_in(&vm, handler, call)?;
        if handler.makes_globals() {
            self.beginnings.borrow_mut().push(Rc::new(handler.again()));
        }
        Ok(result)
    }

    /// From now on keeps what `init` says.
    pub fn hush(&self) {
        self.hushed.replace(Some(Vec::new()));
    }

    /// Has what was kept told after all.
    pub fn speak_up(&self) {
        for Hushed(level, module, message) in self.hushed.take().unwrap_or_default() {
            let (module, message) = (module.as_str(), message.as_str());
            let (phase, about, peer) = (Phase::Init, None, None);
            events::ScriptSaid { level, phase, module, message, about, peer }.emit();
        }
    }

    /// Whether what is said now is told: what `init` says once for each policy, though it runs in each
    /// worker's state and again in a new VM.
    pub(super) fn says(&self, level: i64, module: &str, message: &str) -> bool {
        if !self.begins.get() {
            return true;
        }
        if let Some(hushed) = &mut *self.hushed.borrow_mut() {
            if hushed.len() < HUSHED {
                hushed.push(Hushed(level, module.to_owned(), message.to_owned()));
            }
            return false;
        }
        self.worker == 0 && self.vms_made.get() == 1
    }

    fn run_in(
        &self,
        vm: &Rc<Incarnation>,
        handler: &Handler,
        call: &Rc<Call>,
    ) -> Result<Option<Bytes>, ScriptError> {
        self.begins.set(handler.phase == Phase::Init);
        call.budget.set(handler.budget);
        let mut meter = Meter::begin(handler.budget, &self.queue)?;
        let result = handler.function(vm, call).and_then(|(function, settings)| {
            meter.once(vm, call, || function.call::<Value>(settings))
        });
        if handler.makes_globals() {
            vm.shadowed.set(vm.sandbox.is_shadowed());
        }
        self.begins.set(false);
        self.finish(vm, call, &meter, result)
    }

    /// The VM of the moment, a new one if there is none.
    pub(super) fn vm(&self) -> Result<Rc<Incarnation>, ScriptError> {
        if let Some(vm) = &*self.vm.borrow() {
            return Ok(vm.clone());
        }
        let number = self.vms_made.get() + 1;
        self.vms_made.set(number);
        let vm = Incarnation::new(number, &self.spec, self.itself.clone());
        let vm = Rc::new(vm.map_err(|error| ScriptError::from_lua(&error))?);
        *self.vm.borrow_mut() = Some(vm.clone());
        self.begin_again(&vm)?;
        Ok(vm)
    }

    /// Runs in a new VM what `init` ran in the one before.
    fn begin_again(&self, vm: &Rc<Incarnation>) -> Result<(), ScriptError> {
        let beginnings = self.beginnings.borrow().clone();
        for handler in beginnings {
            compile(vm, &handler, &self.queue)?;
            let call = Call::new(handler.phase, handler.module.clone(), None);
            self.run_in(vm, &handler, &call)?;
        }
        Ok(())
    }

    /// The VM of the moment, with the handler compiled in it.
    fn ready(&self, handler: &Handler) -> Result<Rc<Incarnation>, ScriptError> {
        let vm = self.vm()?;
        if self.account().is_full() {
            self.make_room(&vm)?;
        }
        if handler.is_stale(&vm) {
            compile(&vm, handler, &self.queue)?;
        }
        Ok(vm)
    }

    pub(super) fn finish(
        &self,
        vm: &Rc<Incarnation>,
        call: &Call,
        meter: &Meter,
        result: mlua::Result<Value>,
    ) -> Result<Option<Bytes>, ScriptError> {
        call.cpu.set(meter.used);
        let left = call.exit.get().is_some();
        let result = match result {
            _ if call.exceeded.get() => Err(ScriptError::response(call)),
            Ok(value) if !meter.cut => Ok(text(&value)),
            _ if left => Ok(None),
            Ok(_) => Err(ScriptError::cpu(meter.budget.cpu, None)),
            Err(error) => Err(meter.error(call, &error)),
        };
        let kind = result.as_ref().err().map(|error| error.kind);
        let outcome = kind.map_or("ok", ScriptErrorKind::as_str);
        self.account().ended(kind);
        let (module, phase) = (&*call.module, call.phase);
        events::LuaCalled { module, phase, cpu: meter.used, outcome }.emit();
        if kind.is_some_and(ScriptErrorKind::is_kill) {
            events::OwnerKilled { owner: &self.spec.owner, reason: outcome }.emit();
        }
        self.look_after_memory(vm, kind == Some(ScriptErrorKind::Memory));
        result.map_err(|error| self.told(error))
    }

    /// An error as it leaves this state.
    fn told(&self, error: ScriptError) -> ScriptError {
        error.told(&self.spec.secrets.kept)
    }

    /// Collects what a call left, if that is much. After a call that spent the memory, a VM that
    /// still holds more than a quarter of it is given up: what it hoards would end the next one.
    fn look_after_memory(&self, vm: &Rc<Incarnation>, spent: bool) {
        let half = self.spec.memory / 2;
        let used = vm.lua.used_memory();
        self.hold(used);
        if spent || used > half.max(vm.floor.get() + vm.floor.get() / 4) {
            let began = Instant::now();
            let collected = vm.lua.gc_collect();
            vm.floor.set(vm.lua.used_memory());
            self.queue.charge(began.elapsed());
            if collected.is_err() || (spent && vm.floor.get() > half / 2) {
                self.give_up(vm);
            }
        }
        let calls = self.calls.get().wrapping_add(1);
        self.calls.set(calls);
        if calls % CALLS_BETWEEN_REPORTS == 1 && self.is_told.get() {
            self.tell_memory(Some(vm.lua.used_memory()));
        }
    }

    /// The owner's states hold more than they may: this one gives back what it can, and all of it if
    /// that is not enough.
    fn make_room(&self, vm: &Rc<Incarnation>) -> Result<(), ScriptError> {
        let _ = vm.lua.gc_collect();
        self.hold(vm.lua.used_memory());
        if self.account().is_full() {
            self.give_up(vm);
            return Err(self.account().full());
        }
        Ok(())
    }

    /// Its owner is told how much it holds now.
    fn hold(&self, bytes: usize) {
        self.account().grew(self.held.replace(bytes), bytes);
    }

    fn tell_memory(&self, bytes: Option<usize>) {
        events::LuaMemory { domain: &self.spec.name, worker: self.worker, bytes }.emit();
    }

    /// Begins anew with the next call, as if nothing had been kept.
    pub fn forget(&self) {
        if let Some(vm) = self.vm.borrow_mut().take() {
            if events::ScriptSaid::is_wanted(DEBUG) {
                let message = format!("lua close the global Lua VM {:p}", Rc::as_ptr(&vm));
                events::Said { level: DEBUG, message: &message, about: None }.emit();
            }
            drop(vm);
            self.hold(0);
        }
    }

    /// From now on requests are served from this state: its memory is told now and again, until it
    /// is gone.
    pub fn enlist(&self) {
        if !self.is_told.replace(true) {
            self.tell_memory(Some(self.memory()));
        }
    }

    /// Another state of its domain took its place: that one's memory is told.
    pub fn replaced(&self) {
        self.is_told.set(false);
    }

    fn give_up(&self, vm: &Rc<Incarnation>) {
        let mut current = self.vm.borrow_mut();
        if current.as_ref().is_some_and(|current| Rc::ptr_eq(current, vm)) {
            *current = None;
            self.hold(0);
        }
    }
}

impl Drop for State {
    fn drop(&mut self) {
        self.hold(0);
        // Their tasks end: there is nobody left to run them for.
        self.timers.retire();
        if self.is_told.get() {
            self.tell_memory(None);
        }
    }
}

/// Runs a handler to its end, over all its waits.
async fn drive(
    vm: &Rc<Incarnation>,
    handler: &Handler,
    call: &Rc<Call>,
    meter: &mut Meter,
) -> mlua::Result<Value> {
    let client = call.subject.as_ref().and_then(|subject| subject.host.client_gone());
    if let Some(client) = client {
        call.threads.watch(client);
    }
    meter.drive(vm, call, pin!(handler.begin(vm, call)?)).await
}

/// Compiles a handler; a module that is loaded for it may take longer than a call.
fn compile(vm: &Incarnation, handler: &Handler, queue: &Rc<Queue>) -> Result<(), ScriptError> {
    let call = Call::new(Phase::Init, handler.module.clone(), None);
    let cpu = handler.budget.cpu * LOADING;
    let mut meter = Meter::begin(Budget { cpu, ..handler.budget }, queue)?;
    let compiled = meter.once(vm, &call, || handler.compile(vm));
    compiled.map_err(|error| meter.error(&call, &error))
}

/// What a returned value is as a string, by Lua's own rules.
fn text(value: &Value) -> Option<Bytes> {
    match value {
        Value::String(text) => Some(Bytes::copy_from_slice(&text.as_bytes())),
        Value::Boolean(_) | Value::Integer(_) | Value::Number(_) => {
            value.to_string().ok().map(Bytes::from)
        }
        _ => None,
    }
}
