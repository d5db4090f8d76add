//! One piece of work: a function of a module, called with plain data in a state of its thread.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use mlua::{Error, Function, MultiValue, Value};
use tokio::sync::oneshot;

use super::{Permit, Plain, plain};
use crate::config::Budget;
use crate::script::incarnation::Incarnation;
use crate::script::meter::Meter;
use crate::script::{Call, DomainSpec, ScriptError, State};
use crate::transaction::Phase;

/// What came of it: what the function returned, or why it did not.
pub type Outcome = Result<Vec<Plain>, String>;

/// A function of a module, called with plain data.
#[derive(Debug)]
pub struct Work {
    /// The domain whose scripts it is one of.
    pub spec: Arc<DomainSpec>,
    /// Which worker asks, from 0.
    pub worker: usize,
    /// What it is called in metrics.
    pub label: String,
    /// CPU time that it may take.
    pub cpu: Duration,
    /// What `require` is to find.
    pub module: String,
    /// Which of the module's functions.
    pub function: String,
    /// Its arguments.
    pub arguments: Vec<Plain>,
    /// Who waits for it.
    pub reply: oneshot::Sender<Outcome>,
    /// Leave to be under way.
    pub permit: Permit,
}

/// What a thread keeps from one piece of work to the next.
#[derive(Default)]
pub(super) struct Bench(Option<Rc<State>>);

impl Bench {
    fn state(&mut self, work: &Work) -> Result<Rc<State>, ScriptError> {
        let kept = self.0.take().filter(|state| Arc::ptr_eq(state.spec(), &work.spec));
        let state = match kept {
            Some(state) => state,
            None => State::new(work.spec.clone(), work.worker)?,
        };
        Ok(self.0.insert(state).clone())
    }
}

impl Work {
    /// Does it, unless nobody waits any more.
    pub(super) fn run(self, bench: &mut Bench) {
        if self.reply.is_closed() {
            return;
        }
        let outcome = bench.state(&self).and_then(|state| self.compute(&state));
        drop(self.permit);
        // Whoever asked may have been ended meanwhile.
        let _ = self.reply.send(outcome.map_err(|error| error.message));
    }

    fn compute(&self, state: &Rc<State>) -> Result<Vec<Plain>, ScriptError> {
        let vm = state.vm()?;
        // As while settings are loaded: no request, and nothing to wait for.
        let call = Call::new(Phase::Init, self.label.as_str().into(), None);
        let budget = Budget {
            cpu: self.cpu,
            memory: self.spec.memory,
            wait: Duration::ZERO,
            connections: 0,
        };
        call.budget.set(budget);
        let mut meter = Meter::begin(budget, state.queue())?;
        let mut returned = Vec::new();
        let result = meter.once(&vm, &call, || self.call(&vm)).map(|values| {
            returned = values;
            Value::Nil
        });
        state.finish(&vm, &call, &meter, result).map(|_| returned)
    }

    fn call(&self, vm: &Incarnation) -> mlua::Result<Vec<Plain>> {
        let require: Function = vm.environment(false)?.get("require")?;
        let Value::Table(module) = require.call(self.module.as_str())? else {
            return Err(Error::runtime("invalid lua module"));
        };
        let Value::Function(function) = module.get(self.function.as_str())? else {
            return Err(Error::runtime("invalid function"));
        };
        let arguments = Plain::all_into_lua(self.arguments.clone(), &vm.lua)?;
        let returned: MultiValue = function.call(arguments)?;
        let values: Vec<Value> = returned.into_iter().collect();
        plain(&values).map_err(|why| Error::runtime(format!("{why} in the return value")))
    }
}
