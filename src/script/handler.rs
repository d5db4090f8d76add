//! A handler: its source, and its compiled form in the state's VM of the moment.

use std::cell::RefCell;
use std::rc::Rc;

use mlua::{Function, Value};

use super::Call;
use super::incarnation::Incarnation;
use crate::config::{Budget, HandlerSource};
use crate::transaction::Phase;

/// A handler of one state. It outlives the state's VM: in a new one it is compiled again.
pub struct Handler {
    /// The module's name, or the chunk's.
    pub module: Rc<str>,
    /// What one call of it may cost.
    pub budget: Budget,
    pub(super) phase: Phase,
    source: HandlerSource,
    compiled: RefCell<Option<Compiled>>,
}

struct Compiled {
    incarnation: u64,
    function: Function,
    settings: Option<Value>,
}

impl Handler {
    pub(super) fn new(source: &HandlerSource, phase: Phase, budget: Budget) -> Self {
        let (HandlerSource::Chunk { name, .. }
        | HandlerSource::Module { name, .. }
        | HandlerSource::RuleScript { path: name, .. }) = source;
        Self {
            module: name.as_str().into(),
            budget,
            source: source.clone(),
            phase,
            compiled: RefCell::new(None),
        }
    }

    /// The same handler, not yet compiled.
    pub(super) fn again(&self) -> Self {
        Self::new(&self.source, self.phase, self.budget)
    }

    /// Whether it has to be compiled before it can run in this VM.
    pub(super) fn is_stale(&self, vm: &Incarnation) -> bool {
        self.compiled.borrow().as_ref().is_none_or(|compiled| compiled.incarnation != vm.number)
    }

    /// Whether it was compiled and loaded, in whichever VM came last.
    pub fn is_loaded(&self) -> bool {
        self.compiled.borrow().is_some()
    }

    /// Compiles it; a module's text runs, if it is the first handler of the module.
    pub(super) fn compile(&self, vm: &Incarnation) -> mlua::Result<()> {
        // What was compiled is of a VM that is gone.
        self.compiled.take();
        let (function, settings) = match &self.source {
            HandlerSource::Chunk { name, text, line_offset, .. } => {
                (vm.compile(name, text, *line_offset)?, None)
            }
            HandlerSource::Module { name, text, origin, settings, .. } => {
                let module = vm.module(name, text, origin)?;
                let phase = self.phase.as_str();
                let Value::Function(function) = module.raw_get(phase)? else {
                    let reason = format!("{origin}: no handler for phase {phase}");
                    return Err(mlua::Error::runtime(reason));
                };
                (function, Some(vm.settings(settings)?))
            }
            HandlerSource::RuleScript { path, text } => (vm.rule_script(path, text)?, None),
        };
        let compiled = Compiled { incarnation: vm.number, function, settings };
        *self.compiled.borrow_mut() = Some(compiled);
        Ok(())
    }

    /// The function for one call, in an environment of its own, and its argument.
    pub(super) fn function(
        &self,
        vm: &Incarnation,
        call: &Call,
    ) -> mlua::Result<(Function, Option<Value>)> {
        let compiled = self.compiled.borrow();
        let Some(compiled) = &*compiled else {
            return Err(mlua::Error::runtime("the handler is not compiled"));
        };
        if compiled.settings.is_some() {
            return Ok((compiled.function.clone(), compiled.settings.clone()));
        }
        if matches!(self.source, HandlerSource::RuleScript { .. }) {
            let argument = call.argument.borrow();
            let argument = argument.as_ref().map(|text| vm.lua.create_string(text)).transpose()?;
            return Ok((compiled.function.clone(), argument.map(Value::String)));
        }
        let persistent = matches!(self.phase, Phase::Init | Phase::InitWorker);
        vm.with_room(|| {
            let function = compiled.function.deep_clone()?;
            function.set_environment(vm.environment(persistent)?)?;
            Ok((function, None))
        })
    }

    /// Whether it makes globals that later handlers see.
    pub(super) fn makes_globals(&self) -> bool {
        matches!(self.phase, Phase::Init | Phase::InitWorker)
    }
}
