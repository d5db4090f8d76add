//! A handler: its source, and its compiled form in the state's VM of the moment.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use mlua::{Function, Value};

use super::error::NoScript;
use super::incarnation::Incarnation;
use super::{Call, api, coroutine};
use crate::config::{Budget, HandlerSource, Template};
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
    /// Files that were read, by their paths, where the source names one.
    files: RefCell<HashMap<PathBuf, Compiled>>,
}

struct Compiled {
    incarnation: u64,
    function: Function,
    settings: Option<Value>,
    /// Whether all calls run the one function, in the one environment that all calls see.
    is_shared: bool,
}

/// Files that one handler keeps compiled at the most.
const FILES: usize = 256;

/// A chunk that was compiled. Where scripts are not confined it is one function for all calls, as in
/// lua-nginx-module, unless it may give itself another environment.
fn chunk(vm: &Incarnation, name: &str, text: &str, offset: usize) -> mlua::Result<Compiled> {
    let function = vm.compile(name, text, offset)?;
    let shared =
        vm.sandbox.shared().filter(|_| !text.contains("setfenv") && !text.contains("module"));
    if let Some(shared) = shared {
        function.set_environment(shared.clone())?;
    }
    let is_shared = shared.is_some();
    Ok(Compiled { incarnation: vm.number, function, settings: None, is_shared })
}

fn unreadable(path: &Path, error: &io::Error) -> mlua::Error {
    let text = error.to_string();
    let why = text.split(" (os error").next().unwrap_or(&text).to_owned();
    let missing = error.kind() == io::ErrorKind::NotFound;
    mlua::Error::external(NoScript { path: path.display().to_string(), why, missing })
}

impl Handler {
    pub(super) fn new(source: &HandlerSource, phase: Phase, budget: Budget) -> Self {
        let (HandlerSource::Chunk { name, .. }
        | HandlerSource::File { name, .. }
        | HandlerSource::Module { name, .. }
        | HandlerSource::RuleScript { path: name, .. }) = source;
        Self {
            module: name.as_str().into(),
            budget,
            source: source.clone(),
            phase,
            compiled: RefCell::new(None),
            files: RefCell::default(),
        }
    }

    /// The same handler, not yet compiled.
    pub(super) fn again(&self) -> Self {
        Self::new(&self.source, self.phase, self.budget)
    }

    /// Whether it has to be compiled before it can run in this VM.
    pub(super) fn is_stale(&self, vm: &Incarnation) -> bool {
        !matches!(self.source, HandlerSource::File { .. })
            && self
                .compiled
                .borrow()
                .as_ref()
                .is_none_or(|compiled| compiled.incarnation != vm.number)
    }

    /// Whether it was compiled and loaded, in whichever VM came last.
    pub fn is_loaded(&self) -> bool {
        self.compiled.borrow().is_some()
    }

    /// Compiles it; a module's text runs, if it is the first handler of the module.
    pub(super) fn compile(&self, vm: &Incarnation) -> mlua::Result<()> {
        // What was compiled is of a VM that is gone.
        self.compiled.take();
        let compiled = match &self.source {
            // Which one, only a call knows.
            HandlerSource::File { .. } => return Ok(()),
            HandlerSource::Chunk { name, text, line_offset, .. } => {
                chunk(vm, name, text, *line_offset)?
            }
            HandlerSource::Module { name, text, origin, settings, .. } => {
                let module = vm.module(name, text, origin)?;
                let phase = self.phase.as_str();
                let Value::Function(function) = module.raw_get(phase)? else {
                    let reason = format!("{origin}: no handler for phase {phase}");
                    return Err(mlua::Error::runtime(reason));
                };
                let settings = Some(vm.settings(settings)?);
                Compiled { incarnation: vm.number, function, settings, is_shared: false }
            }
            HandlerSource::RuleScript { path, text } => {
                let function = vm.rule_script(path, text)?;
                Compiled { incarnation: vm.number, function, settings: None, is_shared: false }
            }
        };
        *self.compiled.borrow_mut() = Some(compiled);
        Ok(())
    }

    /// Begins to run it for one call.
    pub(super) fn begin<'vm>(
        &self,
        vm: &'vm Incarnation,
        call: &Call,
    ) -> mlua::Result<coroutine::Run<'vm>> {
        if let Some(chunk) = &*self.compiled.borrow()
            && chunk.is_shared
            && vm.shared().is_some()
        {
            return vm.idle.run(&vm.lua, &chunk.function);
        }
        let (function, argument) = self.function(vm, call)?;
        let run = vm.idle.run(&vm.lua, &function)?;
        match argument {
            Some(argument) => run.with(argument),
            None => Ok(run),
        }
    }

    /// The function for one call, in its environment, and its argument.
    pub(super) fn function(
        &self,
        vm: &Incarnation,
        call: &Call,
    ) -> mlua::Result<(Function, Option<Value>)> {
        if let HandlerSource::File { path, folder, .. } = &self.source {
            return Ok((self.file(vm, call, path, folder)?, None));
        }
        let compiled = self.compiled.borrow();
        let Some(compiled) = &*compiled else {
            return Err(mlua::Error::runtime("the handler is not compiled"));
        };
        if compiled.settings.is_some() {
            return Ok((compiled.function.clone(), compiled.settings.clone()));
        }
        if matches!(self.source, HandlerSource::RuleScript { .. }) {
            let argument = call.aside.argument.borrow();
            let argument = argument.as_ref().map(|text| vm.lua.create_string(text)).transpose()?;
            return Ok((compiled.function.clone(), argument.map(Value::String)));
        }
        Ok((self.prepared(vm, compiled)?, None))
    }

    /// A copy of a chunk in an environment of its own, or the chunk itself where all share theirs.
    fn prepared(&self, vm: &Incarnation, chunk: &Compiled) -> mlua::Result<Function> {
        let persistent = self.phase.is_of_worker();
        if chunk.is_shared && vm.shared().is_some() {
            return Ok(chunk.function.clone());
        }
        vm.with_room(|| {
            let function = chunk.function.deep_clone()?;
            function.set_environment(vm.environment(persistent)?)?;
            Ok(function)
        })
    }

    /// The chunk in the file that this call names: it is read once.
    fn file(
        &self,
        vm: &Incarnation,
        call: &Call,
        path: &Template,
        folder: &Path,
    ) -> mlua::Result<Function> {
        let path = match &call.subject {
            Some(subject) => {
                let transaction = subject.transaction.borrow();
                path.render(|name| api::variable(&transaction, name))
            }
            None => path.render(|_| None),
        };
        let path = folder.join(OsStr::from_bytes(&path));
        if let Some(known) = self.files.borrow().get(&path)
            && known.incarnation == vm.number
        {
            return self.prepared(vm, known);
        }
        let mut text = std::fs::read(&path).map_err(|error| unreadable(&path, &error))?;
        // As Lua's own loader, it passes over a first line such as `#!/usr/bin/lua`.
        if text.starts_with(b"#") {
            text.splice(0..0, *b"--");
        }
        let name = path.display().to_string();
        let compiled = chunk(vm, &name, &String::from_utf8_lossy(&text), 0)?;
        let function = self.prepared(vm, &compiled);
        let mut files = self.files.borrow_mut();
        if files.len() >= FILES {
            files.clear();
        }
        files.insert(path, compiled);
        function
    }

    /// Whether it makes globals that later handlers see.
    pub(super) fn makes_globals(&self) -> bool {
        matches!(self.phase, Phase::Init | Phase::InitWorker)
    }
}
