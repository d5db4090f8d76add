//! `ngx.socket`: connections of scripts, to where the settings allow them.

mod allow;
pub mod certificate;
mod client;
pub mod connect;
pub mod connection;
mod pool;
pub mod receive;
mod resolver;
mod stream;
pub mod tcp;
mod tls;
mod udp;
mod until;
mod watch;

use std::ffi::CStr;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use mlua::{Lua, MultiValue, Table, Value};

pub use self::client::FUNCTIONS as CLIENT;
use self::connection::Place;
pub use self::connection::Sockets;
pub use self::pool::Pools;
pub use self::tcp::FUNCTIONS as TCP;
pub use self::udp::FUNCTIONS as UDP;
use super::arguments::{at, bad_argument, check_number, fault, number, type_name};
use super::log::trace;
use super::{Function, Native, answer, quick};
use crate::config::SocketSettings;
use crate::script::owner::Held;
use crate::script::{Call, DomainSpec, Waiting, error, spec_of, state_of};
use crate::telemetry::events;
use crate::transaction::PhaseSet;

/// Where scripts may wait for sockets.
const PHASES: PhaseSet = PhaseSet::of("ractCFH");
/// nginx's levels of what is told about sockets.
const CRIT: i64 = 3;
const ERR: i64 = 4;
const DEBUG: i64 = 8;

/// How sockets of this call behave unless the script says otherwise.
pub fn settings_of(call: &Call, spec: Option<&Arc<DomainSpec>>) -> Arc<SocketSettings> {
    let own = call.socket_settings();
    own.or_else(|| spec.map(|spec| spec.network.sockets.clone())).unwrap_or_default()
}

/// The same.
fn settings(lua: &Lua, call: &Call) -> Arc<SocketSettings> {
    settings_of(call, spec_of(lua).as_ref())
}

/// Writes an error of a socket to the log, unless the settings want none.
fn complain(call: &Call, settings: &SocketSettings, words: &str, place: Option<&Place>) {
    if !settings.log_errors {
        return;
    }
    let message = match place {
        Some(place) => format!("{words}, upstream: {place}"),
        None => words.to_owned(),
    };
    say(call, ERR, &message);
}

/// What lua-nginx-module writes at level `debug` where no call is.
fn trace_alone(words: impl FnOnce() -> String) {
    if events::ScriptSaid::is_wanted(DEBUG) {
        events::Said { level: DEBUG, message: &words(), about: None }.emit();
    }
}

fn say(call: &Call, level: i64, message: &str) {
    let about = call.subject.as_ref().and_then(|subject| subject.transaction.try_borrow().ok());
    events::Said { level, message, about: about.as_deref() }.emit();
}

/// Whether the domain may go there; else words for the script.
fn permitted(lua: &Lua, place: &Place) -> Result<(), String> {
    let allowed = spec_of(lua)
        .is_some_and(|spec| allow::is_allowed(&spec.network.allow, &place.host, place.port));
    let Place { host, port, .. } = place;
    match port {
        _ if allowed => Ok(()),
        Some(port) => Err(format!("connection to {host}:{port} is not allowed by lua.network")),
        None => Err(format!("connection to {host} is not allowed by lua.network")),
    }
}

/// Counts a connection that is about to be opened; words for the script if it may not be.
fn opened(lua: &Lua, call: &Call) -> Result<Held, String> {
    let opened = call.connections.get();
    if opened >= call.budget.get().connections {
        return Err("too many connections in one call".to_owned());
    }
    let account = state_of(lua).map(|state| state.account().clone());
    let account = account.ok_or_else(|| "closed".to_owned())?;
    let held = account.connect().map_err(|error| error.message)?;
    call.connections.set(opened + 1);
    Ok(held)
}

/// The addresses of a host to which the domain may go, in the resolver's order, IPv4 first.
async fn resolved(
    lua: &Lua,
    settings: &SocketSettings,
    (host, port): (&str, u16),
) -> Result<Vec<SocketAddr>, String> {
    let found = resolver::resolve(&settings.resolver, host).await;
    let found = found.map_err(|error| error.to_string())?;
    let mut addresses: Vec<_> =
        found.into_iter().map(|address| SocketAddr::new(address, port)).collect();
    if let Some(spec) = spec_of(lua).filter(|spec| spec.guest) {
        let entries = &spec.network.allow;
        addresses.retain(|address| allow::is_safe(entries, address.ip(), port));
    }
    if addresses.is_empty() {
        return Err(format!("{host} could not be resolved"));
    }
    addresses.sort_by_key(SocketAddr::is_ipv6);
    Ok(addresses)
}

/// The bytes that `send` is given: a string, a number, nil, a boolean or a nested array of strings
/// and numbers.
fn payload(lua: &Lua, value: &Value) -> mlua::Result<Vec<u8>> {
    let wrong = |why: &str| bad(lua, 1, "send", why);
    let known = "string, number, boolean, nil, or array table expected, got";
    match value {
        Value::Nil
        | Value::Boolean(_)
        | Value::Integer(_)
        | Value::Number(_)
        | Value::String(_) => {}
        Value::Table(table) => check_strings(table, 16).map_err(|why| wrong(&why))?,
        other => return Err(wrong(&format!("{known} {}", type_name(other)))),
    }
    let mut bytes = Vec::new();
    match answer::append(lua, value, &mut bytes, 16) {
        Ok(true) => Ok(bytes),
        Ok(false) => Err(fault("no memory")),
        Err(why) => Err(wrong(&why)),
    }
}

/// Only strings and numbers may be in an array that is sent, and it may have no gaps.
fn check_strings(table: &Table, depth: usize) -> Result<(), String> {
    let (mut entries, mut last) = (0, 0);
    let walked = table.for_each::<Value, Value>(|key, _| {
        entries += 1;
        let index = number(&key).filter(|index| *index >= 1.0 && index.fract() == 0.0);
        last = last.max(index.ok_or_else(|| fault("non-array table found"))? as usize);
        Ok(())
    });
    walked.map_err(|_| "non-array table found".to_owned())?;
    if entries < last {
        return Err("bad data type nil found".to_owned());
    }
    for value in table.sequence_values::<Value>().filter_map(Result::ok) {
        match (&value, depth.checked_sub(1)) {
            (Value::String(_) | Value::Integer(_) | Value::Number(_), _) => {}
            (Value::Table(inner), Some(depth)) => check_strings(inner, depth)?,
            (other, _) => return Err(format!("bad data type {} found", type_name(other))),
        }
    }
    Ok(())
}

/// A timeout in milliseconds; 0, and what is no number, is the default.
fn timeout(args: &MultiValue, index: usize) -> mlua::Result<Option<Duration>> {
    let milliseconds = number(at(args, index)).unwrap_or_default();
    if !(0.0..2_147_483_648.0).contains(&milliseconds) {
        return Err(fault("bad timeout value"));
    }
    Ok((milliseconds >= 1.0).then(|| Duration::from_millis(milliseconds as u64)))
}

/// A wrong argument of a method, its object not counted; where it was not called as one (below
/// `pcall`), Lua does not know its name, and counts the object.
fn bad(lua: &Lua, index: usize, method: &str, why: &str) -> mlua::Error {
    let caller = (1..4).find_map(|level| {
        let source = lua.inspect_stack(level, |frame| {
            frame.source().short_src.map(std::borrow::Cow::into_owned)
        })?;
        source.filter(|source| !source.starts_with("__mlua") && source != "[C]")
    });
    if caller.is_some_and(|source| source.starts_with(error::OWN_CHUNK)) {
        return bad_argument(index + 1, "?", why);
    }
    bad_argument(index, method, why)
}

/// A number that a method is given at `index`, its object counted.
fn whole(lua: &Lua, args: &MultiValue, index: usize, method: &str) -> mlua::Result<i64> {
    let given = at(args, index);
    let why = || format!("number expected, got {}", type_name(given));
    let number = number(given).ok_or_else(|| bad(lua, index - 1, method, &why()))?;
    Ok(number as i64)
}

/// That a method has as many arguments as it may, its object counted.
fn counted(
    args: &MultiValue,
    most: std::ops::RangeInclusive<usize>,
    wanted: &str,
) -> mlua::Result<()> {
    if most.contains(&args.len()) {
        return Ok(());
    }
    Err(fault(format!("expecting {wanted} (including the object), but got {}", args.len())))
}

fn words(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        io::ErrorKind::ConnectionReset => "connection reset by peer".to_owned(),
        io::ErrorKind::BrokenPipe => "broken pipe".to_owned(),
        io::ErrorKind::HostUnreachable => "no route to host".to_owned(),
        io::ErrorKind::NetworkUnreachable => "network is unreachable".to_owned(),
        io::ErrorKind::NotFound => "no such file or directory".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        io::ErrorKind::TimedOut => "connection timed out".to_owned(),
        _ => {
            let words = error.to_string().to_ascii_lowercase();
            words.split(" (os error").next().unwrap_or_default().to_owned()
        }
    }
}

/// As nginx writes an error of the system: `(111: Connection refused)`.
fn system_words(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    format!("({}: {text})", error.raw_os_error().unwrap_or_default())
}

/// What a socket object holds.
fn inner<T: 'static>(args: &MultiValue, method: &str) -> mlua::Result<Rc<T>> {
    let Value::Table(table) = at(args, 1) else {
        let got = if args.is_empty() { "no value" } else { type_name(at(args, 1)) };
        return Err(bad_argument(1, method, &format!("table expected, got {got}")));
    };
    let wrong = || bad_argument(1, method, "socket expected");
    quick::itself(table).ok_or_else(wrong)
}

fn object<T: 'static>(lua: &Lua, class: &'static CStr, inner: T) -> mlua::Result<Table> {
    quick::object(lua, class, Rc::new(inner))
}

/// A port, if it is one; else the words that tell so.
fn port(value: &Value, method: &str) -> mlua::Result<Result<u16, String>> {
    let args = MultiValue::from_vec(vec![value.clone()]);
    let port = check_number(&args, 1, method)?;
    let fits = (0.0..65_536.0).contains(&port);
    Ok(if fits { Ok(port as u16) } else { Err(format!("bad port number: {port}")) })
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

type Work = fn(Lua, Rc<Call>, MultiValue) -> Waiting<'static, mlua::Result<MultiValue>>;
