//! What scripts find when they start: bounded built-ins, frozen tables, an environment of their own.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use mlua::chunk::{ChunkMode, Compiler};
use mlua::{Function, Lua, LuaString, MultiValue, Table, Value};

use super::source::{self, Loading};
use super::{DomainSpec, OPERATOR, api, coroutine, current, error, guard, pattern, require, words};
use crate::transaction::Phase;

/// Globals of Luau and mlua that stay as they are.
const KEPT: [&str; 27] = [
    "_VERSION",
    "assert",
    "bit32",
    "buffer",
    "coroutine",
    "error",
    "getmetatable",
    "ipairs",
    "math",
    "next",
    "os",
    "pairs",
    "pcall",
    "rawequal",
    "rawget",
    "rawlen",
    "rawset",
    "select",
    "setmetatable",
    "string",
    "table",
    "tonumber",
    "tostring",
    "type",
    "typeof",
    "utf8",
    "xpcall",
];

/// Part of a state's memory that one string made by `rep` may take.
const LONGEST_PART: usize = 4;

/// The metatables behind a state's environments.
pub(super) struct Sandbox {
    /// Globals that `init` scripts made. No script can get hold of the table itself.
    pub(super) home: Table,
    /// The metatable of an environment whose globals are made in `home`.
    lasting: Table,
    /// The metatable that lets an environment see `home` and, behind it, the built-ins.
    seen_by_all: Table,
    /// The built-ins.
    base: Table,
    /// One of them, which scripts name most.
    ngx: Table,
    /// Whether all calls see one table of globals, which is `home`.
    open: bool,
    /// Whether a script that is not confined made a global that hides a built-in.
    hides: Rc<Cell<bool>>,
}

/// Where chunks that come in later get their globals.
#[derive(Clone)]
pub(super) enum Environments {
    /// One for all.
    One(Table),
    /// One of its own for each, with that metatable.
    Own(Table),
}

impl Environments {
    /// The environment of the next chunk.
    ///
    /// # Errors
    /// If the state's memory is spent.
    pub(super) fn next(&self, lua: &Lua) -> mlua::Result<Table> {
        match self {
            Self::One(home) => Ok(home.clone()),
            Self::Own(metatable) => environment(lua, metatable),
        }
    }
}

/// An environment that sees what `metatable` shows and keeps what is written to it.
pub(super) fn environment(lua: &Lua, metatable: &Table) -> mlua::Result<Table> {
    let environment = lua.create_table_with_capacity(0, 4)?;
    environment.raw_set("_G", &environment)?;
    environment.set_metatable(Some(metatable.clone()))?;
    Ok(environment)
}

/// How chunks are compiled. Luau resolves `a.b` once, when a chunk is loaded, unless `a` may
/// change: the API's tables answer for the exchange at hand.
pub(super) fn compiler() -> Compiler {
    let compiler = Compiler::new().set_optimization_level(1).set_debug_level(1);
    compiler.set_mutable_globals(["ngx", "waf"])
}

impl Sandbox {
    /// Closes a fresh state: built-ins, `require`, the API; then everything is frozen.
    ///
    /// # Errors
    /// If the state's memory does not hold it.
    pub(super) fn close(lua: &Lua, spec: &Arc<DomainSpec>) -> mlua::Result<Self> {
        let base = lua.globals();
        let home = lua.create_table()?;
        let seen_by_all = lua.create_table()?;
        seen_by_all.raw_set("__index", &home)?;
        seen_by_all.raw_set("__metatable", "locked")?;
        let lasting = lua.create_table()?;
        lasting.raw_set("__index", &home)?;
        lasting.raw_set("__newindex", &home)?;
        lasting.raw_set("__metatable", "locked")?;
        lasting.set_readonly(true);
        let (open, hides, ngx) = (spec.open && spec.trusted, Rc::default(), lua.create_table()?);
        let sandbox = Self { home, lasting, seen_by_all, base, ngx, open, hides };
        let base = &sandbox.base;
        let exchange: (Function, Function) = (base.get("getfenv")?, base.get("setfenv")?);
        sandbox.replace_builtins(lua, spec)?;
        require::install(lua, spec, &sandbox)?;
        if spec.trusted {
            sandbox.give_loaders(lua, exchange)?;
        }
        if open {
            api::install_system(lua)?;
        }
        base.raw_set("ngx", &sandbox.ngx)?;
        api::install(lua)?;
        sandbox.replace_coroutines(lua)?;
        if open {
            sandbox.leave_open(lua)?;
        } else {
            sandbox.freeze(lua)?;
        }
        Ok(sandbox)
    }

    /// An environment that sees all globals and keeps what is written to it.
    ///
    /// # Errors
    /// If the state's memory is spent.
    pub(super) fn environment(&self, lua: &Lua) -> mlua::Result<Table> {
        environment(lua, &self.seen_by_all)
    }

    /// The same where no global hides a built-in: chunks may take those for known, and find `ngx` in
    /// the environment itself.
    ///
    /// # Errors
    /// As [`Self::environment`].
    pub(super) fn quick_environment(&self, lua: &Lua) -> mlua::Result<Table> {
        let environment = self.environment(lua)?;
        environment.raw_set("ngx", &self.ngx)?;
        environment.set_safeenv(true);
        Ok(environment)
    }

    /// An environment that sees all globals and makes new ones for all.
    ///
    /// # Errors
    /// As [`Self::environment`].
    pub(super) fn lasting_environment(&self, lua: &Lua) -> mlua::Result<Table> {
        environment(lua, &self.lasting)
    }

    /// The one environment of all calls, if scripts are not confined.
    pub(super) fn shared(&self) -> Option<&Table> {
        self.open.then_some(&self.home)
    }

    /// Whether a script made a global that hides a built-in, so that chunks may not take built-ins
    /// for known.
    pub(super) fn is_shadowed(&self) -> bool {
        if self.open {
            return self.hides.get();
        }
        let mut names = self.home.pairs::<Value, Value>().filter_map(Result::ok);
        names.any(|(name, _)| {
            name.is_string() && self.base.raw_get::<Value>(name).is_ok_and(|value| !value.is_nil())
        })
    }

    /// The built-ins.
    pub(super) fn base(&self) -> &Table {
        &self.base
    }

    /// The environments of chunks that come in later.
    pub(super) fn environments(&self) -> Environments {
        if self.open {
            return Environments::One(self.home.clone());
        }
        Environments::Own(self.seen_by_all.clone())
    }

    fn replace_builtins(&self, lua: &Lua, spec: &DomainSpec) -> mlua::Result<()> {
        let host = lua.create_table()?;
        host.raw_set("message", lua.create_function(error::plain)?)?;
        host.raw_set("open", self.open)?;
        host.raw_set("words", lua.create_function(|_, text: LuaString| Ok(in_lua_words(&text)))?)?;
        host.raw_set("plain_find", lua.create_function(plain_find)?)?;
        host.raw_set("bounded", lua.create_function(bounded)?)?;
        host.raw_set("guarded", lua.create_function(guard::guarded)?)?;
        host.raw_set("longest", spec.memory / LONGEST_PART)?;
        host.raw_set("guest", *spec.owner != *OPERATOR)?;
        let source = include_str!("luau/builtins.luau");
        let made: (Table, Table, Table, Table, Table) = run(lua, source, "builtins", host)?;
        let (functions, strings, tables, numbers, extensions) = made;
        let debug: Table = self.base.raw_get("debug")?;
        let traceback: Function = debug.raw_get("traceback")?;
        self.prune()?;
        let debug = lua.create_table_from([("traceback", traceback.clone())])?;
        if self.open {
            let luaus = traceback;
            let told = lua.create_function(move |lua, args| error::traceback(lua, &luaus, args))?;
            debug.raw_set("traceback", told)?;
            debug.raw_set("getmetatable", self.base.raw_get::<Value>("getmetatable")?)?;
            debug.raw_set("getinfo", lua.create_function(words::info)?)?;
        }
        self.base.raw_set("debug", debug)?;
        copy(&functions, &self.base)?;
        for (library, additions) in
            [("string", &strings), ("table", &tables), ("math", &numbers), ("table", &extensions)]
        {
            copy(additions, &self.base.raw_get(library)?)?;
        }
        Ok(())
    }

    /// Takes away all globals that are not known to be harmless.
    fn prune(&self) -> mlua::Result<()> {
        let names: Vec<LuaString> =
            self.base.pairs::<LuaString, Value>().filter_map(|pair| Some(pair.ok()?.0)).collect();
        for name in names {
            let kept = KEPT.iter().any(|kept| name == *kept);
            if !kept {
                self.base.raw_remove(name)?;
            }
        }
        let strings: Table = self.base.raw_get("string")?;
        strings.raw_remove("dump")
    }

    /// What Lua 5.1 has to compile text and to exchange environments: for the operator's own scripts.
    fn give_loaders(&self, lua: &Lua, exchange: (Function, Function)) -> mlua::Result<()> {
        let environments = self.environments();
        let open = self.open;
        let compile = lua.create_function(move |lua, (text, name, caller): Loading| {
            let environment = match caller {
                Some(environment) => environment,
                None => environments.next(lua)?,
            };
            let name = name.or_else(|| if open { source::title(&text) } else { None });
            source::load(lua, environment, &text, name.as_deref(), open)
        })?;
        let source = include_str!("luau/loaders.luau");
        let package: Table = self.base.raw_get("package")?;
        let loaded: Table = package.raw_get("loaded")?;
        let home = self.home.clone();
        let publish = lua.create_function(move |lua, (name, module): (String, Table)| {
            publish(lua, &home, &name, module)
        })?;
        let arguments = (compile, &self.base, loaded, exchange.0, exchange.1, publish, self.open);
        let made: (Table, Function) = run(lua, source, "loaders", arguments)?;
        copy(&made.0, &self.base)?;
        package.raw_set("seeall", made.1)
    }

    /// Last, so that mlua's own async functions have got the native `coroutine.yield`.
    fn replace_coroutines(&self, lua: &Lua) -> mlua::Result<()> {
        let source = include_str!("luau/coroutine.luau");
        let is_light = lua.create_function(|_, value: Value| {
            Ok(value.as_thread().is_some_and(coroutine::is_light))
        })?;
        let given = (is_light, lua.create_function(failed)?);
        let (close, raised): (Function, Function) = run(lua, source, "coroutine", given)?;
        let library = coroutine::library(lua, raised)?;
        library.raw_set("close", close)?;
        copy(&library, &self.base.raw_get("coroutine")?)
    }

    /// One table of globals, whose new ones are told; libraries that scripts may change.
    fn leave_open(&self, lua: &Lua) -> mlua::Result<()> {
        self.base.raw_remove("_G")?;
        self.home.raw_set("_G", &self.home)?;
        self.home.raw_set("ngx", &self.ngx)?;
        api::bring_context_forward(lua, &self.ngx)?;
        let package: Table = self.base.raw_get("package")?;
        package.raw_get::<Table>("loaded")?.raw_set("_G", &self.home)?;
        let through = lua.create_table()?;
        through.raw_set("__index", &self.base)?;
        through.raw_set("__newindex", self.guard(lua)?)?;
        through.raw_set("__metatable", "locked")?;
        through.set_readonly(true);
        self.home.set_metatable(Some(through))?;
        lua.sandbox(true)?;
        lua.globals().set_readonly(true);
        for (_, library) in self.base.pairs::<Value, Value>().filter_map(Result::ok) {
            if let Value::Table(library) = library {
                library.set_readonly(false);
            }
        }
        Ok(())
    }

    /// What runs when a global is written for the first time.
    fn guard(&self, lua: &Lua) -> mlua::Result<Function> {
        let (base, hides) = (self.base.clone(), self.hides.clone());
        lua.create_function(move |lua, (home, name, value): (Table, Value, Value)| {
            home.raw_set(name.clone(), value)?;
            if !base.raw_get::<Value>(name.clone())?.is_nil() {
                // Chunks may no longer take built-ins for known.
                hides.set(true);
                home.set_safeenv(false);
            }
            let Some(call) = current() else { return Ok(()) };
            if !matches!(call.phase, Phase::Init | Phase::InitWorker) {
                let trace = lua.traceback(None, 1)?;
                let trace = error::lua_frames(&trace.to_string_lossy());
                api::warn_of_global(lua, &call, &name.to_string()?, &trace);
            }
            Ok(())
        })
    }

    fn freeze(&self, lua: &Lua) -> mlua::Result<()> {
        let package: Table = self.base.raw_get("package")?;
        let mut left_open = vec![api::hand_of(lua)?.to_pointer() as usize];
        for name in ["loaded", "preload"] {
            left_open.push(package.raw_get::<Table>(name)?.to_pointer() as usize);
        }
        self.base.raw_remove("_G")?;
        let through = lua.create_table()?;
        through.raw_set("__index", &self.base)?;
        through.raw_set("__metatable", "locked")?;
        through.set_readonly(true);
        self.home.set_metatable(Some(through))?;
        self.seen_by_all.set_readonly(true);
        freeze_all(&self.base, &mut left_open);
        lua.sandbox(true)?;
        // The table behind all chunks, which no script is given: nothing may come into it.
        lua.globals().set_readonly(true);
        Ok(())
    }
}

/// Freezes a table and all that it holds, except those whose addresses are in `seen`.
fn freeze_all(table: &Table, seen: &mut Vec<usize>) {
    let address = table.to_pointer() as usize;
    if seen.contains(&address) {
        return;
    }
    seen.push(address);
    for (_, value) in table.pairs::<Value, Value>().filter_map(Result::ok) {
        if let Value::Table(inner) = value {
            freeze_all(&inner, seen);
        }
    }
    if let Some(metatable) = table.metatable() {
        freeze_all(&metatable, seen);
    }
    table.set_readonly(true);
}

/// Runs one of our own Luau files.
pub(super) fn run<R: mlua::FromLuaMulti>(
    lua: &Lua,
    source: &str,
    name: &str,
    arguments: impl mlua::IntoLuaMulti,
) -> mlua::Result<R> {
    let chunk = lua.load(source).set_name(format!("={}{name}", error::OWN_CHUNK));
    chunk.set_mode(ChunkMode::Text).call(arguments)
}

fn copy(from: &Table, to: &Table) -> mlua::Result<()> {
    from.for_each(|name: LuaString, value: Value| to.raw_set(name, value))
}

/// A module that calls `module` while `init` loads it is a global of that name, for all: `a.b` a
/// field of the table `a`.
fn publish(lua: &Lua, home: &Table, name: &str, module: Table) -> mlua::Result<()> {
    if !current().is_some_and(|call| call.phase.is_of_worker()) {
        return Ok(());
    }
    let mut names: Vec<&str> = name.split('.').collect();
    let Some(last) = names.pop() else { return Ok(()) };
    let mut table = home.clone();
    for name in names {
        table = match table.raw_get(name)? {
            Value::Nil => {
                let inner = lua.create_table()?;
                table.raw_set(name, &inner)?;
                inner
            }
            Value::Table(inner) => inner,
            _ => return Err(mlua::Error::runtime(format!("name conflict for module '{name}'"))),
        };
    }
    table.raw_set(last, module)
}

/// A coroutine failed, and whoever resumed it fails too; whether the error is told there as well.
fn failed(_: &Lua, (reason, stack): (Value, String)) -> mlua::Result<bool> {
    let Some(call) = current() else { return Ok(false) };
    if !call.phase.may_wait() {
        return Ok(true);
    }
    let message = match reason {
        Value::Error(error) => error::message(&error),
        Value::String(text) => text.to_string_lossy(),
        _ => return Ok(false),
    };
    let frames = stack.lines().map(|line| match line.split_once(" function ") {
        Some((place, name)) => format!("{place}: in function '{name}'"),
        None => format!("{line}: in main chunk"),
    });
    call.keep_trace(message, frames.collect::<Vec<_>>().join("\n"));
    Ok(false)
}

fn plain_find(
    lua: &Lua,
    (subject, needle, init): (LuaString, LuaString, i64),
) -> mlua::Result<MultiValue> {
    let found = pattern::plain_find(&subject.as_bytes(), &needle.as_bytes(), init)
        .map_err(mlua::Error::runtime)?;
    match found {
        Some((first, last)) => lua.pack_multi((first, last)),
        None => lua.pack_multi(Value::Nil),
    }
}

fn bounded(lua: &Lua, (subject, text): (LuaString, LuaString)) -> mlua::Result<LuaString> {
    let length = subject.as_bytes().len();
    let cheap = pattern::bounded(length, &text.as_bytes()).map_err(mlua::Error::runtime)?;
    lua.create_string(cheap)
}

/// What Lua would say in place of Luau, of a script that is not confined.
fn in_lua_words(text: &LuaString) -> Option<String> {
    words::of_lua(&text.to_string_lossy())
}
