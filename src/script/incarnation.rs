//! One Luau VM of a state. A state whose memory was spent gets a new one; calls that still wait
//! keep the old one until they end.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Weak;
use std::sync::Arc;

use mlua::chunk::ChunkMode;
use mlua::{Function, Lua, LuaOptions, LuaSerdeExt, StdLib, Table, Value};

use super::coroutine::Idle;
use super::interrupt::Interrupt;
use super::sandbox::{self, Sandbox};
use super::{DomainSpec, State, WorkerIndex, dialect, room, source};

/// Bytes that must be free for the host's own work to be done without the limit.
const ROOM: usize = 64 << 10;

/// One Luau VM of a state.
pub(super) struct Incarnation {
    /// Which of the state's, from 1.
    pub(super) number: u64,
    pub(super) lua: Lua,
    pub(super) sandbox: Sandbox,
    pub(super) interrupt: Interrupt,
    /// Coroutines for handlers to come.
    pub(super) idle: Idle,
    /// Whether globals of `init` scripts hide built-ins.
    pub(super) shadowed: Cell<bool>,
    /// Modules loaded so far, by name, with the text that they are from.
    modules: RefCell<HashMap<String, (Arc<str>, Table)>>,
    /// Bytes that the last whole collection left.
    pub(super) floor: Cell<usize>,
}

impl Incarnation {
    /// A fresh VM: sandbox, API, `require`.
    ///
    /// # Errors
    /// If the domain's memory does not hold it.
    pub(super) fn new(
        number: u64,
        spec: &Arc<DomainSpec>,
        state: Weak<State>,
    ) -> mlua::Result<Self> {
        let lua = Lua::new_with(StdLib::ALL_SAFE, LuaOptions::new())?;
        lua.set_compiler(sandbox::compiler());
        lua.set_memory_limit(spec.memory)?;
        lua.set_app_data(spec.clone());
        let worker = state.upgrade().map_or(0, |state| state.worker());
        lua.set_app_data(WorkerIndex(worker));
        lua.set_app_data(state);
        let sandbox = Sandbox::close(&lua, spec)?;
        let interrupt = Interrupt::of(&lua)?;
        let idle = Idle::of(&lua)?;
        let floor = Cell::new(lua.used_memory());
        Ok(Self {
            number,
            lua,
            sandbox,
            interrupt,
            idle,
            shadowed: Cell::new(false),
            modules: RefCell::default(),
            floor,
        })
    }

    /// Compiles a chunk whose first line is line `offset + 1` of its file.
    ///
    /// # Errors
    /// With file and line, if it does not compile.
    pub(super) fn compile(&self, name: &str, text: &str, offset: usize) -> mlua::Result<Function> {
        let shifted;
        let source = if offset == 0 {
            text
        } else {
            shifted = "\n".repeat(offset) + text;
            &shifted
        };
        if let Some(words) = dialect::is_compiled(name, offset + 1, text.as_bytes()) {
            return Err(mlua::Error::runtime(words));
        }
        let source = if self.sandbox.shared().is_some() {
            source::as_read(&self.lua, name, source)?
        } else {
            Cow::Borrowed(source)
        };
        let mut chunk = self.lua.load(&*source).set_name(format!("@{name}"));
        // Luau makes a function without upvalues once, if it is in the environment of its constants.
        if let Some(shared) = self.sandbox.shared() {
            chunk = chunk.set_environment(shared.clone());
        }
        let compiled = chunk.set_mode(ChunkMode::Text).into_function();
        compiled.map_err(|fault| dialect::explained(fault, &source))
    }

    /// An environment for one call of a chunk. Chunks of `init` get the persistent one.
    ///
    /// # Errors
    /// If the state's memory is spent.
    pub(super) fn environment(&self, persistent: bool) -> mlua::Result<Table> {
        if let Some(shared) = self.shared() {
            return Ok(shared.clone());
        }
        if persistent {
            return self.sandbox.lasting_environment(&self.lua);
        }
        if self.shadowed.get() {
            return self.sandbox.environment(&self.lua);
        }
        self.sandbox.quick_environment(&self.lua)
    }

    /// The one environment of all calls, if scripts are not confined. Built-ins are known in it again,
    /// though a script had asked for it, as long as none is hidden.
    pub(super) fn shared(&self) -> Option<&Table> {
        let shared = self.sandbox.shared()?;
        shared.set_safeenv(!self.sandbox.is_shadowed());
        Some(shared)
    }

    /// Does a piece of the host's own work that allocates a few kilobytes and runs no script.
    pub(super) fn with_room<T>(&self, work: impl FnOnce() -> T) -> T {
        room::with_room(&self.lua, ROOM, work)
    }

    /// The table that a module returns; it is loaded once.
    ///
    /// # Errors
    /// If it does not compile, fails, or returns something else.
    pub(super) fn module(&self, name: &str, text: &Arc<str>, path: &str) -> mlua::Result<Table> {
        if let Some((known, table)) = self.modules.borrow().get(name)
            && known == text
        {
            return Ok(table.clone());
        }
        let loader = self.compile(path, text, 0)?;
        loader.set_environment(self.sandbox.environment(&self.lua)?)?;
        let table = match loader.call(())? {
            Value::Table(table) => table,
            other => {
                let kind = other.type_name();
                let reason =
                    format!("{path}: a module returns a table, and this one returned {kind}");
                return Err(mlua::Error::runtime(reason));
            }
        };
        self.modules.borrow_mut().insert(name.to_owned(), (text.clone(), table.clone()));
        Ok(table)
    }

    /// The function `main` of a script that rules call. The file is run once: its globals are its own,
    /// and stay.
    ///
    /// # Errors
    /// If it does not compile, fails, or defines no such function.
    pub(super) fn rule_script(&self, path: &str, text: &str) -> mlua::Result<Function> {
        // As Lua's own loader, it passes over a first line such as `#!/usr/bin/lua`.
        let commented = text.starts_with('#').then(|| format!("--{text}"));
        let loader = self.compile(path, commented.as_deref().unwrap_or(text), 0)?;
        let environment = self.sandbox.environment(&self.lua)?;
        loader.set_environment(environment.clone())?;
        loader.call::<()>(())?;
        match environment.raw_get("main")? {
            Value::Function(main) => Ok(main),
            _ => {
                Err(mlua::Error::runtime(format!("{path}:1: the file defines no function `main`")))
            }
        }
    }

    /// A module's settings as a table that scripts cannot change.
    ///
    /// # Errors
    /// If the state's memory is spent.
    pub(super) fn settings(&self, settings: &serde_json::Value) -> mlua::Result<Value> {
        let options = mlua::serde::SerializeOptions::new().serialize_none_to_null(false);
        let options = options.serialize_unit_to_null(false).set_array_metatable(false);
        let table = match self.lua.to_value_with(settings, options)? {
            Value::Table(table) => table,
            _ => self.lua.create_table()?,
        };
        freeze(&table);
        Ok(Value::Table(table))
    }
}

impl Drop for Incarnation {
    /// Native functions that wait in abandoned coroutines hold the VM that holds them.
    fn drop(&mut self) {
        let _ = self.lua.gc_collect();
    }
}

fn freeze(table: &Table) {
    for (_, value) in table.pairs::<Value, Value>().filter_map(Result::ok) {
        if let Value::Table(inner) = value {
            freeze(&inner);
        }
    }
    table.set_readonly(true);
}
