//! A function tried before anybody calls it: in a state that nobody will use, it is compiled, asked
//! what it declares, and its own tests are run.
//!
//! A function is written in one of two ways. A chunk, as in `content_by_lua_file`, runs from its first
//! line with each request. Or it returns a table:
//!
//! ```lua
//! return {
//!   declares = { hosts = { "api.example:443" }, limits = { cpu = "10ms" } },
//!   content = function() ngx.say("hello") end,
//!   test = function(t) t:equal(t:request{ path = "/hello" }.body, "hello\n") end,
//! }
//! ```
//!
//! A chunk may have a test too: `test = function(t) … end`.

use std::cell::RefCell;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use mlua::{Function, Lua, LuaSerdeExt as _, MultiValue, Table, Value};

use super::call::{Host, Subject, Waiting};
use super::incarnation::Incarnation;
use super::lint::lint;
use super::meter::Meter;
use super::{Call, DomainSpec, Handler, ScriptError, ScriptErrorKind, State, current, sandbox};
use crate::config::{Budget, HandlerSource, Secrets};
use crate::diagnostic::{Source, Span};
use crate::transaction::{Body, Client, Headers, Phase, Request, Transaction, Version};

/// What its tests may cost in all, by what a call may.
const TESTING: u32 = 20;
/// Failed checks that are told.
const MOST_FAILED: usize = 20;
/// What a chunk says that is run without a request.
const NO_REQUEST: [&str; 2] = ["no request found", "API disabled"];

/// What came of trying a function.
#[derive(Debug, Clone, PartialEq)]
pub struct Tried {
    /// Whether it returns a table with its handler; else it is a chunk.
    pub returns_table: bool,
    /// What it declares, as data; null: nothing.
    pub declares: serde_json::Value,
    /// Whether it has a test.
    pub has_test: bool,
    /// Checks of its test that do not hold; the test's own error last.
    pub failed: Vec<String>,
}

/// The handler of a function, to be loaded by any state.
pub fn function_source(name: &str, text: &Arc<str>, returns_table: bool) -> HandlerSource {
    if returns_table {
        let (start, end) = (0, 0);
        let place = (Source::new(name, &**text), Span { start, end });
        let (settings, origin) = (serde_json::Value::Null, name.to_owned());
        HandlerSource::Module { name: name.to_owned(), text: text.clone(), origin, settings, place }
    } else {
        let (name, text) = (name.to_owned(), text.clone());
        HandlerSource::Chunk { name, text, line_offset: 0, variable: None }
    }
}

/// Tries a function in a fresh state of a domain. Needs a runtime of tokio's on this thread.
///
/// # Errors
/// If it does not compile, fails while it is loaded, or returns a table without `content`. A test that
/// fails is no error: see [`Tried::failed`].
pub async fn try_function(
    spec: Arc<DomainSpec>,
    name: &str,
    text: &Arc<str>,
    budget: Budget,
) -> Result<Tried, ScriptError> {
    let state = State::new(spec, 0)?;
    let vm = state.vm()?;
    let call = Call::new(Phase::Init, name.into(), None);
    let cpu = budget.cpu * TESTING;
    let mut meter = Meter::begin(Budget { cpu, ..budget }, &state.queue)?;
    let compiled = meter.once(&vm, &call, || vm.compile(name, text, 0));
    let told = |error: ScriptError| error.told(&Secrets::default());
    compiled.map_err(|error| told(meter.error(&call, &error)))?;
    let faults = lint(&vm, name, text, &[Phase::Content, Phase::Timer]);
    if !faults.is_empty() {
        let (kind, message) = (ScriptErrorKind::Syntax, faults.join("\n"));
        return Err(ScriptError { kind, message, traceback: String::new() });
    }
    let looked = meter.once(&vm, &call, || look(&vm, name, text));
    let looked = looked.map_err(|error| told(meter.error(&call, &error)))?;
    let Looked { returns_table, declares, test } = looked;
    let source = function_source(name, text, returns_table);
    let handler = Rc::new(state.load(&source, Phase::Content, budget)?);
    let has_test = test.is_some();
    let mut failed = Vec::new();
    if let Some(test) = test {
        failed = run_test(&state, &vm, handler, test, &call, &mut meter).await?;
    }
    Ok(Tried { returns_table, declares, has_test, failed })
}

/// What a function's text says when it is run without a request.
struct Looked {
    returns_table: bool,
    declares: serde_json::Value,
    test: Option<Function>,
}

fn look(vm: &Incarnation, name: &str, text: &str) -> mlua::Result<Looked> {
    let loader = vm.compile(name, text, 0)?;
    let environment = vm.sandbox.environment(&vm.lua)?;
    loader.set_environment(environment.clone())?;
    let returned = match loader.call::<Value>(()) {
        Ok(Value::Table(table)) => table,
        Ok(_) => return Ok(chunk(&environment)),
        Err(error) => {
            let said = super::error::message(&error);
            let awaits_request = NO_REQUEST.iter().any(|known| said.contains(known));
            return if awaits_request { Ok(chunk(&environment)) } else { Err(error) };
        }
    };
    if !returned.raw_get::<Value>(Phase::Content.as_str())?.is_function() {
        let reason = format!("{name}:1: it returns a table without a function `content`");
        return Err(mlua::Error::runtime(reason));
    }
    let declares = match returned.raw_get::<Value>("declares")? {
        Value::Nil => serde_json::Value::Null,
        Value::Table(table) if !super::api::is_small(&Value::Table(table.clone())) => {
            return Err(mlua::Error::runtime(format!(
                "{name}:1: `declares` is too large or too deep"
            )));
        }
        Value::Table(table) => vm.lua.from_value(Value::Table(table))?,
        _ => return Err(mlua::Error::runtime(format!("{name}:1: `declares` is not a table"))),
    };
    Ok(Looked { returns_table: true, declares, test: function(&returned) })
}

fn chunk(environment: &Table) -> Looked {
    let declares = serde_json::Value::Null;
    Looked { returns_table: false, declares, test: function(environment) }
}

/// The function `test` of a table.
fn function(table: &Table) -> Option<Function> {
    table.raw_get::<Value>("test").ok().and_then(|value| value.as_function().cloned())
}

async fn run_test(
    state: &Rc<State>,
    vm: &Rc<Incarnation>,
    handler: Rc<Handler>,
    test: Function,
    call: &Rc<Call>,
    meter: &mut Meter,
) -> Result<Vec<String>, ScriptError> {
    let failed = Rc::new(RefCell::new(Vec::new()));
    let made = tester(state, &vm.lua, handler, failed.clone());
    let tester = made.map_err(|error| ScriptError::from_lua(&error))?;
    let run = vm.idle.run(&vm.lua, &test).and_then(|run| run.with(tester));
    let run = run.map_err(|error| ScriptError::from_lua(&error))?;
    let result = meter.drive(vm, call, pin!(run)).await;
    let mut failed = failed.take();
    if let Err(error) = result {
        failed.push(meter.error(call, &error).told(&Secrets::default()).message);
    }
    Ok(failed)
}

/// What a test is given.
fn tester(
    state: &Rc<State>,
    lua: &Lua,
    handler: Rc<Handler>,
    failed: Rc<RefCell<Vec<String>>>,
) -> mlua::Result<Table> {
    // The state holds the VM that holds this function.
    let state = Rc::downgrade(state);
    let send = lua.create_async_function(move |lua, wanted: Table| {
        let (state, handler) = (state.upgrade(), handler.clone());
        async move {
            let state = state.ok_or_else(|| mlua::Error::runtime("the state is gone"))?;
            let call = current().ok_or_else(|| mlua::Error::runtime("the test is over"))?;
            let sent = async move {
                let answer = send(&lua, &state, &handler, &wanted).await?;
                Ok(MultiValue::from_vec(vec![Value::Table(answer)]))
            };
            call.awaited(Box::pin(sent)).await
        }
    })?;
    let note = lua.create_function(move |_, message: String| {
        let mut failed = failed.borrow_mut();
        if failed.len() < MOST_FAILED {
            failed.push(message);
        }
        Ok(())
    })?;
    let text = lua.create_function(|_, value: Value| {
        Ok(match &value {
            Value::String(text) => format!("{:?}", text.to_string_lossy()),
            other => other.to_string().unwrap_or_default(),
        })
    })?;
    sandbox::run(lua, include_str!("luau/trial.luau"), "trial", (send, note, text))
}

/// Calls the function with a request that a test made up.
async fn send(
    lua: &Lua,
    state: &Rc<State>,
    handler: &Handler,
    wanted: &Table,
) -> mlua::Result<Table> {
    let text = |key: &str, otherwise: &str| -> mlua::Result<Bytes> {
        let given = wanted.raw_get::<Option<mlua::LuaString>>(key)?;
        Ok(given.map_or_else(
            || Bytes::copy_from_slice(otherwise.as_bytes()),
            |given| Bytes::copy_from_slice(&given.as_bytes()),
        ))
    };
    let mut headers = Headers::default();
    headers.append("Host", "test.example");
    if let Some(given) = wanted.raw_get::<Option<Table>>("headers")? {
        for pair in given.pairs::<mlua::LuaString, mlua::LuaString>() {
            let (name, value) = pair?;
            let copy = |text: &mlua::LuaString| Bytes::copy_from_slice(&text.as_bytes());
            headers.append(copy(&name), copy(&value));
        }
    }
    let body = text("body", "")?;
    let request =
        Request::new(text("method", "GET")?, text("path", "/")?, Version::Http11, headers);
    let transaction = Transaction::new("0".repeat(32), Instant::now(), nobody(), request);
    let subject = Rc::new(Subject::new(transaction, Box::new(Given(body))));
    let call = Call::new(Phase::Content, handler.module.clone(), Some(subject.clone()));
    if let Err(error) = state.run(handler, &call).await {
        return Err(mlua::Error::runtime(error.message));
    }
    answer(lua, &subject, &call)
}

/// What came of a call, as a table: `status`, `headers`, `body`.
fn answer(lua: &Lua, subject: &Subject, call: &Call) -> mlua::Result<Table> {
    let transaction = subject.transaction.borrow();
    let reply = &transaction.reply;
    let status = match call.exit.get() {
        Some(super::Exit::Respond(status)) => status,
        Some(super::Exit::Close) => 444,
        _ if reply.status == 0 => 200,
        _ => reply.status,
    };
    let answer = lua.create_table()?;
    answer.raw_set("status", status)?;
    answer.raw_set("body", lua.create_string(&reply.body)?)?;
    let headers = lua.create_table()?;
    for header in &reply.headers {
        let name = lua.create_string(header.name.to_ascii_lowercase())?;
        headers.raw_set(name, lua.create_string(&header.value)?)?;
    }
    answer.raw_set("headers", headers)?;
    Ok(answer)
}

/// The client of a request that was never sent.
pub fn nobody() -> Client {
    let nowhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    Client {
        address: nowhere.ip(),
        port: 0,
        socket: nowhere,
        server: nowhere,
        listener: nowhere,
        connection: 1,
        connection_requests: 1,
        tls: None,
        path: None,
    }
}

/// The body that a test gave.
struct Given(Bytes);

impl Host for Given {
    fn read_body(&self) -> Waiting<'_, Result<Body, u16>> {
        let body = if self.0.is_empty() { Body::Empty } else { Body::Memory(self.0.clone()) };
        Box::pin(std::future::ready(Ok(body)))
    }
}
