//! `ngx.socket`: connections of scripts, to where the settings allow them.

mod allow;
mod tcp;
mod udp;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::ops::{Deref, DerefMut};
use std::rc::Rc;
use std::time::Duration;

use mlua::{AnyUserData, Lua, MultiValue, Table, Value};

pub use self::tcp::FUNCTIONS as TCP;
pub use self::udp::FUNCTIONS as UDP;
use super::arguments::{at, check_number, fault, refusal, text};
use super::{Function, Native, answer, register};
use crate::script::owner::Held;
use crate::script::{Call, spec_of, state_of};
use crate::transaction::PhaseSet;

/// Where scripts may wait for sockets.
const PHASES: PhaseSet = PhaseSet::of("ractCFH");
/// How long an operation may take unless a script says otherwise; its call's budget ends it before.
const TIMEOUT: Duration = Duration::from_secs(60);
/// The longest timeout that a script may set.
const LONGEST: f64 = 86_400_000.0;

/// A socket that counts among its owner's open connections as long as it is there.
struct Open<S> {
    socket: S,
    _held: Held,
}

impl<S> Deref for Open<S> {
    type Target = S;

    fn deref(&self) -> &S {
        &self.socket
    }
}

impl<S> DerefMut for Open<S> {
    fn deref_mut(&mut self) -> &mut S {
        &mut self.socket
    }
}

/// Where `host` and `port` lead, if the domain may go there and its owner may open a connection; else
/// words for the script.
async fn target(
    lua: &Lua,
    call: &Call,
    host: &str,
    port: u16,
) -> Result<(Vec<SocketAddr>, Held), String> {
    let allowed =
        spec_of(lua).is_some_and(|spec| allow::is_allowed(&spec.network.allow, host, port));
    if !allowed {
        return Err(format!("connection to {host}:{port} is not allowed by lua.network.allow"));
    }
    let opened = call.connections.get();
    if opened >= call.budget.get().connections {
        return Err("too many connections in one call".to_owned());
    }
    let account = state_of(lua).map(|state| state.account().clone());
    let account = account.ok_or_else(|| "closed".to_owned())?;
    let held = account.connect().map_err(|error| error.message)?;
    call.connections.set(opened + 1);
    let bare = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let found = tokio::net::lookup_host((bare, port)).await;
    let mut addresses: Vec<_> = found.map(Iterator::collect).unwrap_or_default();
    if let Some(spec) = spec_of(lua).filter(|spec| spec.guest) {
        let entries = &spec.network.allow;
        addresses.retain(|address| allow::is_safe(entries, address.ip(), port));
    }
    if addresses.is_empty() {
        return Err(format!("{host} could not be resolved"));
    }
    Ok((addresses, held))
}

/// Host and port as a script gave them.
fn place(lua: &Lua, args: &MultiValue, method: &str) -> mlua::Result<(String, u16)> {
    if args.len() < 3 {
        let seen = args.len();
        return Err(fault(format!(
            "ngx.socket {method}: expecting at least 3 arguments (including the object), but seen \
             {seen}"
        )));
    }
    let host = text(lua, at(args, 2))?.ok_or_else(|| fault("bad host argument"))?;
    let port = check_number(args, 3, method)?;
    if !(1.0..65_536.0).contains(&port) {
        return Err(fault(format!("bad port number: {port}")));
    }
    Ok((host.to_string_lossy(), port as u16))
}

/// The bytes of a string, a number or a nested array of these.
fn payload(lua: &Lua, value: &Value) -> mlua::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    match answer::append(lua, value, &mut bytes, 16) {
        Ok(true) => Ok(bytes),
        Ok(false) => Err(fault("no memory")),
        Err(why) => Err(fault(why)),
    }
}

/// A timeout in milliseconds; 0 is the default, as in lua-nginx-module.
fn timeout(args: &MultiValue, index: usize, method: &str) -> mlua::Result<Duration> {
    let milliseconds = check_number(args, index, method)?;
    if !(0.0..=LONGEST).contains(&milliseconds) {
        return Err(fault("bad timeout value"));
    }
    if milliseconds == 0.0 {
        return Ok(TIMEOUT);
    }
    Ok(Duration::from_secs_f64(milliseconds / 1000.0))
}

/// Waits for `work`, in lua-nginx-module's words if it fails or is late.
async fn within<T>(time: Duration, work: impl Future<Output = io::Result<T>>) -> Result<T, String> {
    match tokio::time::timeout(time, work).await {
        Err(_) => Err("timeout".to_owned()),
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(words(&error)),
    }
}

fn words(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        io::ErrorKind::ConnectionReset => "connection reset by peer".to_owned(),
        io::ErrorKind::BrokenPipe => "broken pipe".to_owned(),
        io::ErrorKind::HostUnreachable => "no route to host".to_owned(),
        io::ErrorKind::NetworkUnreachable => "network is unreachable".to_owned(),
        io::ErrorKind::TimedOut => "timeout".to_owned(),
        _ => error.to_string().to_ascii_lowercase(),
    }
}

/// What a socket object holds.
fn inner<T: 'static>(args: &MultiValue, method: &str) -> mlua::Result<Rc<T>> {
    let bad = || fault(format!("bad argument #1 to '{method}' (socket expected)"));
    let Value::Table(table) = at(args, 1) else { return Err(bad()) };
    let object: AnyUserData = table.raw_get(1).map_err(|_| bad())?;
    object.borrow::<Rc<T>>().map(|inner| inner.clone()).map_err(|_| bad())
}

fn object<T: 'static>(lua: &Lua, class: &str, inner: T) -> mlua::Result<Table> {
    register::object(lua, class, Rc::new(inner))
}

/// `nil, words`, or what went well.
fn told(lua: &Lua, outcome: Result<Value, String>) -> mlua::Result<MultiValue> {
    match outcome {
        Ok(value) => Ok(MultiValue::from_vec(vec![value])),
        Err(words) => refusal(lua, words),
    }
}

/// A method that answers at once.
const fn now(
    name: &'static str,
    syntax: &'static str,
    doc: &'static str,
    native: fn(&Lua, &Rc<Call>, MultiValue) -> mlua::Result<MultiValue>,
) -> Function {
    Function { name, phases: PHASES, syntax, doc, native: Native::Now(native) }
}

/// A method that waits.
const fn waits(
    name: &'static str,
    syntax: &'static str,
    doc: &'static str,
    native: Work,
) -> Function {
    Function { name, phases: PHASES, syntax, doc, native: Native::Waits(native) }
}

type Work =
    fn(Lua, Rc<Call>, MultiValue) -> crate::script::Waiting<'static, mlua::Result<MultiValue>>;
