//! A worker's copy of a policy: its Lua states, with every handler compiled.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::diagnose::placed;
use super::{Policy, Step, StepId};
use crate::config::LoadTime;
use crate::diagnostic::Diagnostic;
use crate::functions::Record;
use crate::script::{self, Call, DomainSpec, Handler, ScriptError, State};
use crate::shared::Dictionaries;
use crate::telemetry::events;
use crate::transaction::Phase;

/// How often it is looked whether exchanges of a policy that is no longer in force are over.
const LOOK: Duration = Duration::from_millis(50);

/// A worker's copy of a policy.
pub struct Live {
    /// The policy.
    pub policy: Arc<Policy>,
    /// By domain.
    states: Vec<Rc<State>>,
    /// By step.
    handlers: Vec<Rc<Handler>>,
    /// By step: what this worker's calls of its module came to. None where nobody serves from it.
    records: Vec<Option<Arc<Record>>>,
}

impl Live {
    /// Makes a worker's copy: states of domains that did not change are those of `previous`, fresh
    /// ones run `init` and `init_worker`.
    ///
    /// # Errors
    /// Every script that does not compile or whose `init` fails.
    pub fn prepare(
        policy: &Arc<Policy>,
        worker: usize,
        previous: Option<&Self>,
    ) -> Result<Rc<Self>, Vec<Diagnostic>> {
        let mut fresh = Vec::with_capacity(policy.domains.len());
        let mut states = Vec::with_capacity(policy.domains.len());
        for spec in &policy.domains {
            let known = previous.and_then(|live| live.state_like(spec));
            fresh.push(known.is_none());
            states.push(match known {
                Some(state) => state,
                None => State::new(spec.clone(), worker)
                    .map_err(|error| vec![placed(policy, "script::state", &error)])?,
            });
        }
        let handlers = load(policy, &states, previous)?;
        let record = |step: &Step| Some(policy.ledger.record(step.version.as_ref()?, worker));
        let records = policy.steps.iter().map(record).collect();
        let live = Self { policy: policy.clone(), states, handlers, records };
        live.begin(&fresh)?;
        Ok(Rc::new(live))
    }

    /// Compiles and initialises everything once in states that nobody will use, with dictionaries
    /// of their own: what fails there would fail in every worker.
    ///
    /// # Errors
    /// As [`Live::prepare`].
    pub fn rehearse(policy: &Arc<Policy>) -> Result<(), Vec<Diagnostic>> {
        let states = scratch(policy)?;
        let handlers = load(policy, &states, None)?;
        let live = Self { policy: policy.clone(), states, handlers, records: Vec::new() };
        // What `init` says is said once, by the first worker; what comes before a fault nobody else
        // would say.
        live.states.iter().for_each(|state| state.hush());
        let began = live.run_early(Phase::Init, &vec![true; policy.domains.len()]);
        if began.is_err() {
            live.states.iter().for_each(|state| state.speak_up());
        }
        began
    }

    /// Every script that does not compile, of a policy that will not serve: its settings are at
    /// fault, so nothing of it is initialised.
    pub fn compile(policy: &Arc<Policy>) -> Vec<Diagnostic> {
        let loaded = scratch(policy).and_then(|states| load(policy, &states, None));
        loaded.err().unwrap_or_default()
    }

    /// What a step needs to run here.
    pub fn step(&self, id: StepId) -> Option<(&Step, &Rc<State>, &Rc<Handler>)> {
        let step = self.policy.steps.get(id)?;
        Some((step, self.states.get(step.domain)?, self.handlers.get(id)?))
    }

    /// This worker's account of the module that a step is of.
    pub fn record(&self, id: StepId) -> Option<&Arc<Record>> {
        self.records.get(id)?.as_ref()
    }

    /// The states, by domain.
    pub fn states(&self) -> &[Rc<State>] {
        &self.states
    }

    /// Retires the states that `next` does not have: the policy that wanted them is no longer in force.
    /// Their `exit_worker` runs when its last exchange here is over. To be called on a worker.
    pub fn retire_for(self: Rc<Self>, next: &Self) {
        for record in self.records.iter().flatten() {
            if !next.records.iter().flatten().any(|kept| Arc::ptr_eq(kept, record)) {
                record.unloaded();
            }
        }
        for state in &self.states {
            if !next.states.iter().any(|kept| Rc::ptr_eq(kept, state)) {
                if next.states.iter().any(|other| other.spec().name == state.spec().name) {
                    state.replaced();
                }
                state.retire();
            }
        }
        next.enlist();
        let gone = |state: &Rc<State>| !next.states.iter().any(|kept| Rc::ptr_eq(kept, state));
        let gone: Vec<bool> = self.states.iter().map(gone).collect();
        if self.ends(&gone).next().is_some() {
            tokio::task::spawn_local(self.leave(gone));
        }
    }

    /// The steps of `exit_worker` in these of the states.
    fn ends<'a>(&'a self, gone: &'a [bool]) -> impl Iterator<Item = (&'a Rc<State>, &'a Handler)> {
        let steps = self.policy.steps.iter().zip(&self.handlers);
        steps.filter(|(step, _)| step.phase == Phase::ExitWorker).filter_map(|(step, handler)| {
            gone.get(step.domain).filter(|gone| **gone)?;
            Some((self.states.get(step.domain)?, &**handler))
        })
    }

    /// Waits for the exchanges that hold this copy, and for its timers; then runs `exit_worker` in the
    /// states that nobody needs any more.
    async fn leave(self: Rc<Self>, gone: Vec<bool>) {
        while Rc::strong_count(&self) > 1 {
            tokio::time::sleep(LOOK).await;
        }
        self.timers_are_over().await;
        self.run_late(&gone);
    }

    /// The worker ends, and all exchanges are over: pending timers run at once, told that it is before
    /// their time, and are waited for until `grace` is over; then `exit_worker` runs.
    pub async fn end(&self, grace: Duration) {
        self.states.iter().for_each(|state| state.retire());
        let _ = tokio::time::timeout(grace, self.timers_are_over()).await;
        self.run_late(&vec![true; self.states.len()]);
    }

    async fn timers_are_over(&self) {
        for state in &self.states {
            state.timers_are_over().await;
        }
    }

    fn run_late(&self, gone: &[bool]) {
        for (state, handler) in self.ends(gone) {
            let call = Call::new(Phase::ExitWorker, handler.module.clone(), None);
            if let Err(error) = state.run_now(handler, &call) {
                script::tell(&call, state, &error);
            }
        }
    }

    /// This copy serves.
    pub fn enlist(&self) {
        self.states.iter().for_each(|state| state.enlist());
        for (step, record) in self.policy.steps.iter().zip(&self.records) {
            let state = self.states.get(step.domain);
            if let (Some(record), Some(state)) = (record, state)
                && !record.is_held()
            {
                record.loaded(Duration::ZERO, state.memory());
            }
        }
    }

    fn state_like(&self, spec: &DomainSpec) -> Option<Rc<State>> {
        let is_like = |known: &DomainSpec| {
            known.digest == spec.digest && known.secrets.are_those_of(&spec.secrets)
        };
        self.states.iter().find(|state| is_like(state.spec())).cloned()
    }

    fn begin(&self, fresh: &[bool]) -> Result<(), Vec<Diagnostic>> {
        self.run_early(Phase::Init, fresh)?;
        self.run_early(Phase::InitWorker, fresh)
    }

    /// Runs `init` or `init_worker` in the states that are new.
    fn run_early(&self, phase: Phase, fresh: &[bool]) -> Result<(), Vec<Diagnostic>> {
        let mut faults = Vec::new();
        for (step, handler) in self.policy.steps.iter().zip(&self.handlers) {
            let wanted = step.phase == phase && fresh.get(step.domain) == Some(&true);
            let Some(state) = self.states.get(step.domain).filter(|_| wanted) else { continue };
            let call = Call::new(phase, handler.module.clone(), None);
            let Err(error) = state.run_now(handler, &call) else { continue };
            let is_told =
                phase == Phase::InitWorker && self.policy.config.lua.load == LoadTime::WhenNeeded;
            if is_told || events::ScriptFailed::has_error_log() {
                script::tell(&call, state, &error);
            }
            if !is_told {
                faults.push(placed(&self.policy, "script::init", &error));
            }
        }
        if faults.is_empty() { Ok(()) } else { Err(faults) }
    }
}

/// States that nobody will use, with dictionaries of their own.
fn scratch(policy: &Arc<Policy>) -> Result<Vec<Rc<State>>, Vec<Diagnostic>> {
    let dictionaries = Arc::new(Dictionaries::open(&policy.config.lua.shared_dict, None));
    let mut states = Vec::with_capacity(policy.domains.len());
    for spec in &policy.domains {
        let scratch = DomainSpec { dictionaries: dictionaries.clone(), ..(**spec).clone() };
        let state = State::new(Arc::new(scratch), 0);
        states.push(state.map_err(|error| vec![placed(policy, "script::state", &error)])?);
    }
    Ok(states)
}

fn load(
    policy: &Arc<Policy>,
    states: &[Rc<State>],
    previous: Option<&Live>,
) -> Result<Vec<Rc<Handler>>, Vec<Diagnostic>> {
    let mut handlers = Vec::with_capacity(policy.steps.len());
    let mut faults = Vec::new();
    for step in &policy.steps {
        let Some(state) = states.get(step.domain) else { continue };
        let new = || match policy.config.lua.load {
            LoadTime::WhenNeeded if step.phase != Phase::Init => Ok(later(step, state)),
            _ => compile(step, state),
        };
        match known(step, state, previous).map_or_else(new, Ok) {
            Ok(handler) => handlers.push(handler),
            Err(error) => faults.push(placed(policy, "script::syntax", &error)),
        }
    }
    if faults.is_empty() { Ok(handlers) } else { Err(faults) }
}

fn later(step: &Step, state: &Rc<State>) -> Rc<Handler> {
    Rc::new(state.take(&step.source, step.phase, step.budget))
}

fn compile(step: &Step, state: &Rc<State>) -> Result<Rc<Handler>, ScriptError> {
    state.load(&step.source, step.phase, step.budget).map(Rc::new)
}

/// The handler of an older policy that is the same, in the same state.
fn known(step: &Step, state: &Rc<State>, previous: Option<&Live>) -> Option<Rc<Handler>> {
    let previous = previous?;
    let id = previous.policy.steps.iter().position(|old| old.digest == step.digest)?;
    let (_, old_state, handler) = previous.step(id)?;
    Rc::ptr_eq(old_state, state).then(|| handler.clone())
}
