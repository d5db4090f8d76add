//! A place to run one module's handlers: the module's own text, `waf` as it is, and as much of
//! `ngx` as the modules use.

use std::collections::BTreeMap;
use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use mlua::serde::SerializeOptions;
use mlua::{Function, Lua, LuaSerdeExt, MultiValue, Table, Value};
use moongate::config::Network;
use moongate::script::api::{Function as Entry, Native, waf};
use moongate::script::{
    Call, DomainSpec, Host, Subject, Waiting, builtin, check_settings, describe, settled,
    with_current,
};
use moongate::transaction::{Body, Client, Headers, Phase, Request, Transaction, Version};

/// `ngx`, over the few functions that [`Bench`] gives it.
const NGX: &str = include_str!("ngx.lua");

pub struct Bench {
    lua: Lua,
    call: Rc<Call>,
    module: Table,
    conf: Table,
}

/// How a handler ended.
#[derive(Debug, PartialEq, Eq)]
pub enum End {
    Went,
    Exit(u16),
    Error(String),
}

struct NoHost;

impl Host for NoHost {
    fn read_body(&self) -> Waiting<'_, Result<Body, u16>> {
        Box::pin(async { Ok(Body::Empty) })
    }
}

impl Bench {
    /// A bench with the module, its settings as a Lua table, and no files.
    pub fn new(module: &str, conf: &str) -> Self {
        Self::with_files(module, conf, &[])
    }

    pub fn with_files(module: &str, conf: &str, files: &[(&str, &[u8])]) -> Self {
        let lua = Lua::new();
        lua.set_app_data(Arc::new(domain(files)));
        let subject = Rc::new(Subject::new(transaction(), Box::new(NoHost)));
        let call = Call::new(Phase::Access, module.into(), Some(subject));
        install(&lua, &call).unwrap();
        let name = format!("@{module}.lua");
        let text = builtin::builtin(module).unwrap();
        let conf = settings(&lua, text, conf);
        let module: Table = lua.load(text).set_name(name).eval().unwrap();
        Self { lua, call, module, conf }
    }

    pub fn from(self, address: &str) -> Self {
        self.transaction(|tx| tx.client.address = address.parse().unwrap());
        self
    }

    pub fn with_header(self, name: &'static str, value: &str) -> Self {
        let value = Bytes::copy_from_slice(value.as_bytes());
        self.transaction(|tx| tx.request.headers.append(name, value));
        self
    }

    /// A value in the Lua world, such as `ngx.status = 200`.
    pub fn lua(self, statement: &str) -> Self {
        self.lua.load(statement).exec().unwrap();
        self
    }

    /// What a Lua expression is, as text.
    pub fn eval(&self, expression: &str) -> String {
        let shown = format!("return tostring({expression})");
        self.lua.load(shown).eval().unwrap()
    }

    pub fn bytes(&self, expression: &str) -> Vec<u8> {
        let value: mlua::LuaString = self.lua.load(format!("return {expression}")).eval().unwrap();
        value.as_bytes().to_vec()
    }

    pub fn set_bytes(&self, name: &str, bytes: &[u8]) {
        let value = self.lua.create_string(bytes).unwrap();
        let set: Function =
            self.lua.load(format!("return function(v) {name} = v end")).eval().unwrap();
        set.call::<()>(value).unwrap();
    }

    pub fn request_header(&self, name: &str) -> Option<String> {
        self.transaction(|tx| tx.request.headers.get_str(name).map(str::to_owned))
    }

    fn transaction<T>(&self, work: impl FnOnce(&mut Transaction) -> T) -> T {
        work(&mut self.call.subject.as_ref().unwrap().transaction.borrow_mut())
    }

    /// Runs the module's handler of that phase.
    pub fn run(&self, phase: &str) -> End {
        let handler: Function = self.module.get(phase).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let mut future = Box::pin(handler.call_async::<Value>(self.conf.clone()));
        let polled = std::future::poll_fn(|context| {
            with_current(&self.call, || future.as_mut().poll(context))
        });
        let Err(error) = runtime.block_on(polled) else { return End::Went };
        let exit: Option<u16> = self.lua.globals().get("__exit").unwrap();
        exit.map_or_else(|| End::Error(error.to_string()), End::Exit)
    }
}

/// Settings as the host hands them over: held against the schema, with its defaults.
fn settings(lua: &Lua, module: &str, conf: &str) -> Table {
    let given: Value = lua.load(format!("return {conf}")).eval().unwrap();
    let given: serde_json::Value = lua.from_value(given).unwrap();
    let info = describe("module.lua", module).unwrap();
    assert_eq!(check_settings(&info, &given), []);
    let options = SerializeOptions::new().set_array_metatable(false);
    lua.to_value_with(&settled(&info, &given), options).unwrap().as_table().unwrap().clone()
}

fn domain(files: &[(&str, &[u8])]) -> DomainSpec {
    let files: BTreeMap<String, Bytes> = files
        .iter()
        .map(|(path, text)| ((*path).to_owned(), Bytes::copy_from_slice(text)))
        .collect();
    DomainSpec {
        owner: moongate::script::OPERATOR.into(),
        name: "bench".to_owned(),
        digest: String::new(),
        memory: 32 << 20,
        library: Arc::default(),
        files: Arc::new(files),
        dictionaries: Arc::default(),
        tables: Arc::default(),
        collections: None,
        secrets: Default::default(),
        reads_only: false,
        network: Network::default(),
        routes: None,
        variables: None,
        prefix: None,
        pools: Arc::default(),
        max_timers: 0,
        max_running_timers: 16,
        workers: 1,
        guest: false,
        trusted: false,
        open: false,
        env: Arc::default(),
        regex_steps: 200_000,
    }
}

fn transaction() -> Transaction {
    let socket = "192.0.2.1:1234".parse().unwrap();
    let client = Client {
        address: "192.0.2.1".parse().unwrap(),
        port: 1234,
        socket,
        server: "127.0.0.1:80".parse().unwrap(),
        listener: "127.0.0.1:80".parse().unwrap(),
        connection: 1,
        connection_requests: 1,
        tls: None,
        path: None,
    };
    let target = Bytes::from_static(b"/");
    let request =
        Request::new(Bytes::from_static(b"GET"), target, Version::Http11, Headers::default());
    Transaction::new("0123456789abcdef0123456789abcdef".to_owned(), Instant::now(), client, request)
}

fn install(lua: &Lua, call: &Rc<Call>) -> mlua::Result<()> {
    let globals = lua.globals();
    let table = lua.create_table()?;
    for entry in waf::FUNCTIONS {
        let name = entry.name.strip_prefix("waf.").unwrap();
        table.set(name, function(lua, call, entry)?)?;
    }
    globals.set("waf", table)?;
    let headers = call.subject.clone().unwrap();
    globals.set(
        "__header",
        lua.create_function(move |lua, name: String| {
            let transaction = headers.transaction.borrow();
            let all = transaction.request.headers.get_all(&name);
            let all: mlua::Result<Vec<_>> = all.map(|value| lua.create_string(value)).collect();
            all
        })?,
    )?;
    let headers = call.subject.clone().unwrap();
    globals.set(
        "__clear_header",
        lua.create_function(move |_, name: String| {
            headers.transaction.borrow_mut().request.headers.remove(&name);
            Ok(())
        })?,
    )?;
    globals.set("__gsub", lua.create_function(gsub)?)?;
    globals.set("__base64", lua.create_function(base64)?)?;
    lua.load(NGX).set_name("@ngx.lua").exec()
}

fn function(lua: &Lua, call: &Rc<Call>, entry: &Entry) -> mlua::Result<Function> {
    let call = call.clone();
    match entry.native {
        Native::Now(native) => {
            lua.create_function(move |lua, args: MultiValue| native(lua, &call, args))
        }
        Native::Waits(native) => {
            lua.create_async_function(move |lua, args: MultiValue| native(lua, call.clone(), args))
        }
        _ => panic!("{} is no function", entry.name),
    }
}

fn gsub(lua: &Lua, args: (mlua::LuaString, String, String)) -> mlua::Result<mlua::LuaString> {
    let regex = regex::bytes::Regex::new(&args.1).map_err(mlua::Error::external)?;
    lua.create_string(regex.replace_all(&args.0.as_bytes(), args.2.as_bytes()))
}

fn base64(lua: &Lua, text: mlua::LuaString) -> mlua::Result<Option<mlua::LuaString>> {
    use base64::Engine;
    let decoded = base64::engine::general_purpose::STANDARD.decode(&*text.as_bytes());
    decoded.ok().map(|bytes| lua.create_string(bytes)).transpose()
}
