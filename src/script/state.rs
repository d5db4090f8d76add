//! One Lua state: a worker thread's copy of an isolation domain.

use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use mlua::{Function, Lua, LuaOptions, StdLib, Table, Value};

use super::{Call, DomainSpec, ScriptError, ScriptErrorKind, WorkerIndex, api, with_current};
use crate::config::{Budget, HandlerSource};
use crate::transaction::Phase;

/// One Lua state: a worker thread's copy of an isolation domain.
pub struct State {
    lua: Lua,
    spec: Arc<DomainSpec>,
    worker: usize,
}

/// A handler, compiled in one state.
pub struct Handler {
    /// The module's name, or the chunk's.
    pub module: Rc<str>,
    /// What one call of it may cost.
    pub budget: Budget,
    function: Function,
    settings: Option<Value>,
}

impl State {
    /// A fresh state: sandbox, API, `require`.
    ///
    /// # Errors
    /// If the domain's memory does not even hold the API.
    pub fn new(spec: Arc<DomainSpec>, worker: usize) -> Result<Rc<Self>, ScriptError> {
        let lua = Lua::new_with(StdLib::ALL_SAFE, LuaOptions::new()).map_err(failure)?;
        lua.set_app_data(spec.clone());
        lua.set_app_data(WorkerIndex(worker));
        let state = Rc::new(Self { lua, spec, worker });
        api::install(&state.lua).map_err(failure)?;
        Ok(state)
    }

    /// The domain whose copy this is.
    pub fn spec(&self) -> &Arc<DomainSpec> {
        &self.spec
    }

    /// Which worker's (from 0).
    pub fn worker(&self) -> usize {
        self.worker
    }

    /// Bytes in use now.
    pub fn memory(&self) -> usize {
        self.lua.used_memory()
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
        let _ = phase;
        match source {
            HandlerSource::Chunk { name, text, .. } => {
                let chunk = self.lua.load(&**text).set_name(format!("@{name}"));
                let function = chunk.into_function().map_err(failure)?;
                Ok(Handler { module: name.as_str().into(), budget, function, settings: None })
            }
            HandlerSource::Module { name, text, settings, .. } => {
                let chunk = self.lua.load(&**text).set_name(format!("@{name}"));
                let table: Table = chunk.eval().map_err(failure)?;
                let function = table.get(phase.as_str()).map_err(failure)?;
                let settings = mlua::LuaSerdeExt::to_value(&self.lua, settings).map_err(failure)?;
                Ok(Handler {
                    module: name.as_str().into(),
                    budget,
                    function,
                    settings: Some(settings),
                })
            }
        }
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
        let mut future = Box::pin(handler.function.call_async::<Value>(handler.settings.clone()));
        let value =
            std::future::poll_fn(|context| with_current(call, || future.as_mut().poll(context)))
                .await;
        finish(value, call)
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
        let value = with_current(call, || handler.function.call::<Value>(handler.settings.clone()));
        finish(value, call)
    }

    /// The policy that wanted this state is no longer in force: pending timers run once more, with
    /// `premature` set, and no new ones are taken.
    pub fn retire(&self) {}
}

use std::future::Future;

fn finish(value: mlua::Result<Value>, call: &Call) -> Result<Option<Bytes>, ScriptError> {
    match value {
        Ok(value) => Ok(value.to_string().ok().map(Into::into)),
        Err(_) if call.exit.get().is_some() => Ok(None),
        Err(error) => Err(failure(error)),
    }
}

fn failure(error: mlua::Error) -> ScriptError {
    ScriptError {
        kind: ScriptErrorKind::Runtime,
        message: error.to_string(),
        traceback: String::new(),
    }
}
