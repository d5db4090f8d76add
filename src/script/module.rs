//! What a module says of itself: its phases, the settings it takes, what it needs.
//!
//! A module is a Lua file that returns a table:
//!
//! ```lua
//! return {
//!   doc = "Refuses addresses that a list names.",
//!   schema = {
//!     deny = { type = "list", of = "string", default = {}, doc = "addresses and networks" },
//!     deny_file = { type = "file", doc = "one address or network a line" },
//!     status = { type = "integer", min = 400, max = 599, default = 403 },
//!   },
//!   access = function(settings) … end,
//! }
//! ```
//!
//! A function under a phase's name runs in that phase. `whole_body = true`: its `body_filter` is
//! shown the whole response body at once. The entries of `schema` are described in
//! [`super::check_settings`].

use std::sync::Arc;

use mlua::{LuaSerdeExt, Table, Value};

use super::meter::Meter;
use super::{Call, DomainSpec, Library, ScriptError, SecretsFor, State};
use crate::config::{Budget, Secrets};
use crate::transaction::Phase;

/// How many times a call's CPU time a module may take to describe itself.
const DESCRIBING: u32 = 20;

/// What a module says of itself.
#[derive(Debug, Clone, PartialEq)]
pub struct ModuleInfo {
    /// The phases for which it has a handler, in the order in which they run.
    pub phases: Vec<Phase>,
    /// The settings it takes, by name; an empty object if it takes none.
    pub schema: serde_json::Value,
    /// What it does, in its author's words.
    pub doc: Option<String>,
    /// Whether its `body_filter` wants the whole response body at once.
    pub needs_response_body: bool,
}

/// Loads a module in a state of its own, which finds no libraries, and asks it.
///
/// # Errors
/// If it does not compile, fails while it is loaded, or does not return such a table.
pub fn describe(name: &str, text: &str) -> Result<ModuleInfo, ScriptError> {
    describe_with(Arc::default(), name, text)
}

/// As [`describe`], with what `require` finds.
///
/// # Errors
/// As [`describe`].
pub fn describe_with(
    library: Arc<Library>,
    name: &str,
    text: &str,
) -> Result<ModuleInfo, ScriptError> {
    let state = State::new(Arc::new(scratch(library)), 0)?;
    let vm = state.vm()?;
    let call = Call::new(Phase::Init, name.into(), None);
    let budget = Budget::default();
    let budget = Budget { cpu: budget.cpu * DESCRIBING, ..budget };
    let mut meter = Meter::begin(budget, &state.queue)?;
    let described = meter.once(&vm, &call, || {
        let module = vm.module(name, &Arc::from(text), name)?;
        info(&vm.lua, &module, name)
    });
    described.map_err(|error| meter.error(&call, &error).told(&Secrets::default()))
}

fn info(lua: &mlua::Lua, module: &Table, name: &str) -> mlua::Result<ModuleInfo> {
    let handler = |phase: &Phase| {
        module.raw_get::<Value>(phase.as_str()).is_ok_and(|value| value.is_function())
    };
    let known = Phase::NINE.into_iter().chain([Phase::ExitWorker]);
    let phases: Vec<Phase> = known.filter(handler).collect();
    if phases.is_empty() {
        let reason = format!("{name}: the module has no function named after a phase");
        return Err(mlua::Error::runtime(reason));
    }
    let schema = match module.raw_get("schema")? {
        Value::Nil => serde_json::Value::Object(serde_json::Map::new()),
        Value::Table(table) => object(lua.from_value(Value::Table(table))?),
        _ => return Err(mlua::Error::runtime(format!("{name}: `schema` is not a table"))),
    };
    if let Some(fault) = super::schema::fault(&schema) {
        return Err(mlua::Error::runtime(format!("{name}: {fault}")));
    }
    let doc = module.raw_get::<Option<String>>("doc")?;
    let needs_response_body = module.raw_get::<Option<bool>>("whole_body")?.unwrap_or_default();
    Ok(ModuleInfo { phases, schema, doc, needs_response_body })
}

/// An empty Lua table is a list to serde; here it is an object without members.
fn object(value: serde_json::Value) -> serde_json::Value {
    match value {
        serde_json::Value::Array(items) if items.is_empty() => {
            serde_json::Value::Object(serde_json::Map::new())
        }
        other => other,
    }
}

fn scratch(library: Arc<Library>) -> DomainSpec {
    DomainSpec {
        owner: super::OPERATOR.into(),
        name: "scratch".into(),
        digest: String::new(),
        memory: Budget::default().memory,
        library,
        files: Arc::default(),
        dictionaries: Arc::default(),
        tables: Arc::default(),
        collections: None,
        secrets: SecretsFor::default(),
        reads_only: false,
        network: crate::config::Network::default(),
        routes: None,
        variables: None,
        prefix: None,
        pools: Arc::default(),
        max_timers: 0,
        max_running_timers: 0,
        workers: 1,
        guest: false,
        trusted: false,
        open: false,
        env: Arc::default(),
        regex_steps: 200_000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::ScriptErrorKind;

    #[test]
    fn a_module_tells_its_phases_and_settings() {
        let text = r#"return { doc = "does", whole_body = true, log = function() end,
            access = function() end, schema = { status = { type = "integer", default = 403 } } }"#;
        let info = describe("m.lua", text).expect("it loads");
        assert_eq!(info.phases, [Phase::Access, Phase::Log]);
        assert_eq!(info.schema["status"]["default"], 403);
        assert!(info.needs_response_body);
        assert_eq!(info.doc.as_deref(), Some("does"));
    }

    #[test]
    fn a_module_that_fails_tells_where() {
        let message = |text| describe("m.lua", text).expect_err("it fails").message;
        assert!(message("\nlocal x = nil + 1").starts_with("m.lua:2: "));
        assert_eq!(
            message("return 5"),
            "m.lua: a module returns a table, and this one returned integer"
        );
        assert!(message("return {}").contains("no function named after a phase"));
        assert!(
            message("return { log = function() end, schema = { a = { type = 'x' } } }")
                .contains("unknown type `x`")
        );
        let error = describe("m.lua", "while true do end").expect_err("it does not end");
        assert_eq!(error.kind, ScriptErrorKind::Cpu);
    }
}
