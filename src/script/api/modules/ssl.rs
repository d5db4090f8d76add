//! The natives of `ngx.ssl`, `ngx.ssl.clienthello` and `ngx.ocsp`: what a script knows of a TLS
//! handshake, and what it wants of it.

use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::SystemTime;

use mlua::{Function, Lua, LuaString, MultiValue, Table, Value};

use crate::config::{Protocols, VerifyClient};
use crate::script::api::arguments::{fault, one, refusal, string};
use crate::script::api::socket::certificate::{self, Chain, Key};
use crate::script::{Handshake, current};
use crate::shared::tls::ocsp::{Pair, responder};
use crate::shared::tls::{Clients, certified, pem, provider};
use crate::transaction::{Client, Phase, is_grease};

/// The extension by which a client asks whether the certificate was revoked.
const STATUS_REQUEST: u16 = 5;
/// The extension that names the versions that a client speaks.
const SUPPORTED_VERSIONS: u16 = 43;

const TLS12: u16 = 0x0303;
const TLS13: u16 = 0x0304;

/// What a native answers: a value, or `nil` and words.
type Answer = Result<Value, String>;

/// Those of `ngx.ssl`.
pub(super) fn natives(lua: &Lua) -> mlua::Result<Value> {
    let table = certificate::module(lua)?;
    put(lua, &table, "clear_certs", |_, shaking, _| {
        shaking.clear_certificates();
        Ok(Value::Boolean(true))
    })?;
    put(lua, &table, "set_cert", |_, shaking, arg| {
        let chain = held::<Chain>(arg).ok_or("invalid certificate chain")?;
        shaking.show(chain.0.clone()).map(Value::Boolean)
    })?;
    put(lua, &table, "set_priv_key", |_, shaking, arg| {
        let key = held::<Key>(arg).ok_or("invalid private key")?;
        shaking.show_with(key.0.clone_key()).map(Value::Boolean)
    })?;
    put(lua, &table, "set_der_cert", |_, shaking, arg| {
        let chain = pem::chain_of_der(&bytes(arg)).ok_or("d2i_X509_bio() failed")?;
        shaking.show(chain).map(Value::Boolean)
    })?;
    put(lua, &table, "set_der_priv_key", |_, shaking, arg| {
        let key = pem::key_of_der(&bytes(arg)).ok_or("d2i_PrivateKey_bio() failed")?;
        shaking.show_with(key).map(Value::Boolean)
    })?;
    put(lua, &table, "get_client_random", |lua, shaking, _| text(lua, &shaking.hello.random))?;
    put(lua, &table, "get_shared_ciphers", |lua, shaking, _| {
        let ours = &provider().cipher_suites;
        let is_ours = |number: &u16| ours.iter().any(|suite| u16::from(suite.suite()) == *number);
        numbers(lua, shaking.hello.ciphers.iter().copied().filter(is_ours))
    })?;
    table.raw_set("verify_client", verify_client(lua)?)?;
    about_connection(lua, &table)?;
    Ok(Value::Table(table))
}

/// What is known of a connection, also by its requests.
fn about_connection(lua: &Lua, table: &Table) -> mlua::Result<()> {
    ask(lua, table, "server_name", |lua, client, shaking| {
        let secured = client.tls.as_ref().and_then(|secured| secured.server_name.as_ref());
        let named = shaking.map_or(secured, |shaking| shaking.server_name.as_ref());
        named.map_or(Ok(vec![Value::Nil]), |name| Ok(vec![text(lua, name.as_bytes())?]))
    })?;
    ask(lua, table, "server_port", |_, client, _| match client.path {
        Some(_) => Err("unix domain has no port".to_owned()),
        None => Ok(vec![Value::Integer(client.server.port().into())]),
    })?;
    ask(lua, table, "raw_server_addr", |lua, client, _| {
        raw(lua, client.server.ip(), client.path.as_deref())
    })?;
    ask(lua, table, "raw_client_addr", |lua, client, _| {
        raw(lua, client.socket.ip(), client.path.as_deref().map(|_| ""))
    })?;
    ask(lua, table, "get_tls1_version", |_, client, shaking| {
        let agreed = match (shaking, &client.tls) {
            (Some(shaking), _) => version(shaking),
            (None, Some(secured)) if secured.protocol == "TLSv1.3" => TLS13,
            (None, _) => TLS12,
        };
        Ok(vec![Value::Integer(agreed.into())])
    })
}

/// Those of `ngx.ssl.clienthello`.
pub(super) fn hello(lua: &Lua) -> mlua::Result<Value> {
    let table = lua.create_table()?;
    at_hello(lua, &table, "server_name", |lua, shaking, _| {
        let name = shaking.hello.server_name();
        name.map_or(Ok(Value::Nil), |name| text(lua, name))
    })?;
    at_hello(lua, &table, "extension", |lua, shaking, args| {
        let number = args.front().and_then(Value::as_u32).and_then(|one| u16::try_from(one).ok());
        let found = number.and_then(|number| shaking.hello.extension(number));
        found.map_or(Ok(Value::Nil), |found| text(lua, found))
    })?;
    at_hello(lua, &table, "extensions", |lua, shaking, _| {
        numbers(lua, shaking.hello.extensions().filter(|number| !is_grease(*number)))
    })?;
    at_hello(lua, &table, "ciphers", |lua, shaking, _| {
        let ciphers = shaking.hello.ciphers.iter().copied();
        numbers(lua, ciphers.filter(|number| !is_grease(*number)))
    })?;
    at_hello(lua, &table, "set_protocols", |_, shaking, args| {
        let is_on = |place: usize| matches!(args.get(place), Some(Value::Boolean(true)));
        let protocols = Protocols { tls12: is_on(0), tls13: is_on(1) };
        shaking.wishes_mut().protocols = Some(protocols);
        Ok(Value::Boolean(true))
    })?;
    Ok(Value::Table(table))
}

/// Those of `ngx.ocsp`.
pub(super) fn ocsp(lua: &Lua) -> mlua::Result<Value> {
    let table = lua.create_table()?;
    let asked =
        lua.create_function(|lua, chain: LuaString| match responder(&chain.as_bytes()) {
            Ok(Some(url)) => string(lua, url).map(one),
            Ok(None) => Ok(one(Value::Nil)),
            Err(words) => refusal(lua, words),
        })?;
    table.raw_set("responder", asked)?;
    let request = lua.create_function(|lua, chain: LuaString| {
        let pair = Pair::of_chain(&chain.as_bytes());
        match pair.and_then(|pair| pair.request().ok_or("i2d_OCSP_REQUEST() failed")) {
            Ok(request) => string(lua, request).map(one),
            Err(words) => refusal(lua, words),
        }
    })?;
    table.raw_set("request", request)?;
    let validate = lua.create_function(|lua, (response, chain): (LuaString, LuaString)| {
        let pair = Pair::of_chain(&chain.as_bytes()).map_err(str::to_owned);
        let judged = pair.and_then(|pair| pair.validate(&response.as_bytes(), SystemTime::now()));
        match judged {
            Ok(until) => {
                let until = until.map_or(Value::Nil, |until| Value::Number(until as f64));
                Ok(MultiValue::from_vec(vec![Value::Boolean(true), until]))
            }
            Err(words) => refusal(lua, words),
        }
    })?;
    table.raw_set("validate", validate)?;
    let staple = lua.create_function(|lua, response: LuaString| {
        let shaking = match handshake()? {
            Ok(shaking) => shaking,
            Err(words) => return refusal(lua, words),
        };
        let mut answer = vec![Value::Boolean(true)];
        if shaking.hello.extension(STATUS_REQUEST).is_none() {
            answer.push(string(lua, "no status req")?);
        } else {
            shaking.wishes_mut().ocsp = Some(response.as_bytes().to_vec());
        }
        Ok(MultiValue::from_vec(answer))
    })?;
    table.raw_set("staple", staple)?;
    Ok(Value::Table(table))
}

/// The handshake about which the script that is executing decides, or words.
fn handshake() -> mlua::Result<Result<Rc<Handshake>, &'static str>> {
    let call = current().ok_or_else(|| fault("no request found"))?;
    match (call.aside.handshake.get(), &call.subject) {
        (Some(shaking), _) => Ok(Ok(shaking.clone())),
        (None, None) => Err(fault("no request found")),
        (None, Some(subject)) if subject.transaction.borrow().client.tls.is_none() => {
            Ok(Err("bad request"))
        }
        (None, Some(_)) => Ok(Err("API disabled in the current context")),
    }
}

type OfHandshake = fn(&Lua, &Rc<Handshake>, &MultiValue) -> Answer;

fn put(lua: &Lua, table: &Table, name: &str, native: OfHandshake) -> mlua::Result<()> {
    let function = lua.create_function(move |lua, args: MultiValue| match handshake()? {
        Ok(shaking) => answered(lua, native(lua, &shaking, &args)),
        Err(words) => refusal(lua, words),
    })?;
    table.raw_set(name, function)
}

/// The same, of functions that are allowed when the client's first message is there, and not later.
fn at_hello(lua: &Lua, table: &Table, name: &str, native: OfHandshake) -> mlua::Result<()> {
    let function = lua.create_function(move |lua, args: MultiValue| {
        let call = current().ok_or_else(|| fault("no request found"))?;
        if call.phase != Phase::SslClientHello {
            return Err(fault("API disabled in the current context"));
        }
        match handshake()? {
            Ok(shaking) => answered(lua, native(lua, &shaking, &args)),
            Err(words) => refusal(lua, words),
        }
    })?;
    table.raw_set(name, function)
}

type OfConnection = fn(&Lua, &Client, Option<&Rc<Handshake>>) -> Result<Vec<Value>, String>;

fn ask(lua: &Lua, table: &Table, name: &str, native: OfConnection) -> mlua::Result<()> {
    let function = lua.create_function(move |lua, _: MultiValue| {
        let nobody = || fault("no request found");
        let call = current().ok_or_else(nobody)?;
        let told = match (call.aside.handshake.get(), &call.subject) {
            (Some(shaking), _) => native(lua, &shaking.client, Some(shaking)),
            (None, Some(subject)) => {
                let client = subject.transaction.borrow().client.clone();
                if client.tls.is_some() {
                    native(lua, &client, None)
                } else {
                    Err("bad request".to_owned())
                }
            }
            (None, None) => return Err(nobody()),
        };
        match told {
            Ok(values) => Ok(MultiValue::from_vec(values)),
            Err(words) => refusal(lua, words),
        }
    })?;
    table.raw_set(name, function)
}

fn verify_client(lua: &Lua) -> mlua::Result<Function> {
    lua.create_function(|lua, (authorities, trusted): (Value, Value)| {
        let shaking = match handshake()? {
            Ok(shaking) => shaking,
            Err(words) => return refusal(lua, words),
        };
        let args = MultiValue::from_vec(vec![authorities]);
        let trusted = MultiValue::from_vec(vec![trusted]);
        let named = held::<Chain>(&args).into_iter().chain(held::<Chain>(&trusted));
        let named: Vec<_> = named.flat_map(|chain| chain.0.clone()).collect();
        let named = (!named.is_empty()).then_some(named);
        match Clients::new(named, VerifyClient::Ask) {
            Ok(clients) => {
                shaking.wishes_mut().clients = Some(Arc::new(clients));
                Ok(one(Value::Boolean(true)))
            }
            Err(_) => refusal(lua, "X509_STORE_add_cert() failed"),
        }
    })
}

fn answered(lua: &Lua, answer: Answer) -> mlua::Result<MultiValue> {
    match answer {
        Ok(value) => Ok(one(value)),
        Err(words) => refusal(lua, words),
    }
}

fn held<T: 'static>(args: &MultiValue) -> Option<Arc<T>> {
    let Some(Value::UserData(held)) = args.front() else { return None };
    held.borrow::<Arc<T>>().ok().map(|held| held.clone())
}

fn bytes(args: &MultiValue) -> Vec<u8> {
    match args.front() {
        Some(Value::String(text)) => text.as_bytes().to_vec(),
        _ => Vec::new(),
    }
}

fn text(lua: &Lua, bytes: &[u8]) -> Answer {
    string(lua, bytes).map_err(|error| error.to_string())
}

fn numbers(lua: &Lua, numbers: impl Iterator<Item = u16>) -> Answer {
    let table = lua.create_sequence_from(numbers);
    table.map(Value::Table).map_err(|error| error.to_string())
}

/// An address as its bytes, and its kind.
fn raw(lua: &Lua, address: IpAddr, path: Option<&str>) -> Result<Vec<Value>, String> {
    let (bytes, kind) = match (path, address) {
        (Some(path), _) => (path.as_bytes().to_vec(), "unix"),
        (None, IpAddr::V4(address)) => (address.octets().to_vec(), "inet"),
        (None, IpAddr::V6(address)) => (address.octets().to_vec(), "inet6"),
    };
    Ok(vec![text(lua, &bytes)?, text(lua, kind.as_bytes())?])
}

/// The version that both sides are going to speak.
fn version(shaking: &Handshake) -> u16 {
    let spoken = shaking.wishes().protocols.unwrap_or(shaking.terms.protocols());
    let offered = shaking.hello.extension(SUPPORTED_VERSIONS).and_then(|list| list.get(1..));
    let offers = |list: &[u8]| list.as_chunks::<2>().0.contains(&TLS13.to_be_bytes());
    if spoken.tls13 && offered.is_some_and(offers) { TLS13 } else { TLS12 }
}

impl Handshake {
    /// The settings' certificates are not shown, and no other so far.
    fn clear_certificates(&self) {
        let mut wishes = self.wishes_mut();
        wishes.clears = true;
        wishes.certificates.clear();
        *self.pending() = Default::default();
    }

    /// A certificate is to be shown, once its key is there.
    fn show(&self, chain: pem::Chain) -> Result<bool, String> {
        let key = {
            let mut pending = self.pending();
            let key = pending.1.take();
            pending.0 = Some(chain);
            key
        };
        key.map_or(Ok(true), |key| self.show_with(key))
    }

    /// The key of the certificate that is to be shown.
    fn show_with(
        &self,
        key: tokio_rustls::rustls::pki_types::PrivateKeyDer<'static>,
    ) -> Result<bool, String> {
        let mut pending = self.pending();
        let Some(chain) = pending.0.take() else {
            pending.1 = Some(key);
            return Ok(true);
        };
        let made = certified(chain, key).map_err(|_| "SSL_use_PrivateKey() failed".to_owned())?;
        self.wishes_mut().certificates.push(Arc::new(made));
        Ok(true)
    }
}
