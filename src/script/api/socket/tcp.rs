//! `ngx.socket.tcp`.

use std::cell::{Cell, RefCell};
use std::ffi::CStr;
use std::net::{IpAddr, SocketAddr};
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use mlua::{Lua, MultiValue, Value};

use super::super::Function;
use super::super::arguments::{at, fault, number, one, refusal, text, type_name};
use super::super::quick::Stack;
use super::certificate::{self, Identity};
use super::connection::{Busy, Connection, Failure, Requester, sockets};
use super::{
    complain, connect, counted, inner, now, object, payload, receive, settings, timeout, tls,
    trace, until, waits, words,
};
use crate::config::SocketSettings;
use crate::script::parked::Native;
use crate::script::{Call, Waiting};

pub const CLASS: &CStr = c"tcpsock";

pub const FUNCTIONS: &[Function] = &[
    now(
        "ngx.socket.tcp",
        "local sock = ngx.socket.tcp()",
        "A TCP socket, not yet connected.",
        |lua, _, _| object(lua, CLASS, Tcp::default()).map(|table| one(Value::Table(table))),
    ),
    now(
        "ngx.socket.stream",
        "local sock = ngx.socket.stream()",
        "Another name of `ngx.socket.tcp`.",
        |lua, _, _| object(lua, CLASS, Tcp::default()).map(|table| one(Value::Table(table))),
    ),
    waits(
        "ngx.socket.connect",
        "local sock, err = ngx.socket.connect(host, port, options?)",
        "A TCP socket that is connected: `ngx.socket.tcp()` and `connect` in one.",
        |lua, call, args| Box::pin(connected(lua, call, args)),
    ),
    now(
        "tcpsock:bind",
        "local ok, err = sock:bind(address, port?)",
        "Has the next `connect` go out from that address of the machine.",
        bind,
    ),
    waits(
        "tcpsock:connect",
        "local ok, err = sock:connect(host, port, { pool = name?, pool_size = n?, backlog = n? }?)",
        "Connects, or takes a kept connection. `host` is a name, an address or `unix:/path` (then \
         without a port). The place must be named by `lua.network`, and a call opens only as many \
         connections as its budget has. With `backlog`, at most `pool_size` connections are open, \
         and that many connects wait for one.",
        |lua, call, args| Box::pin(connect::connect(lua, call, args)),
    ),
    waits(
        "tcpsock:sslhandshake",
        "local session, err = sock:sslhandshake(reused_session?, server_name?, verify?, ocsp?)",
        "Speaks TLS 1.2 or 1.3 from here on. `server_name` is sent, and with `verify` the \
         certificate must be valid for it, and be signed by whom the settings trust. The session is \
         for the next handshake; with `false` instead of one none is kept, and `true` is returned.",
        |lua, call, args| Box::pin(tls::handshake(lua, call, args)),
    ),
    now(
        "tcpsock:setclientcert",
        "local ok, err = sock:setclientcert(cert, key)",
        "Whose certificate the next `sslhandshake` shows to a server that asks for one: what \
         `parse_pem_cert` and `parse_pem_priv_key` of `ngx.ssl` made; nobody's with nil.",
        |lua, _, args| {
            let socket = inner::<Tcp>(&args, "setclientcert")?;
            match certificate::identity(at(&args, 2), at(&args, 3)) {
                Ok(identity) => {
                    socket.identity.replace(identity);
                    done(lua, Ok(Value::Boolean(true)))
                }
                Err(words) => refusal(lua, words),
            }
        },
    ),
    waits(
        "tcpsock:send",
        "local bytes, err = sock:send(data)",
        "Sends a string or a nested array of strings; how many bytes that were.",
        |lua, call, args| Box::pin(send(lua, call, args)),
    ),
    waits(
        "tcpsock:receive",
        "local data, err, partial = sock:receive(size_or_pattern?)",
        "Receives that many bytes, a line without its end (`*l`, the default) or all until the \
         other side closes (`*a`); at most 8 MiB.",
        |lua, call, args| Box::pin(receive::receive(lua, call, args)),
    ),
    waits(
        "tcpsock:receiveany",
        "local data, err = sock:receiveany(max)",
        "Receives what is there, at most `max` bytes.",
        |lua, call, args| Box::pin(receive::receive_any(lua, call, args)),
    ),
    now(
        "tcpsock:receiveuntil",
        "local read = sock:receiveuntil(pattern, { inclusive = bool? }?)",
        "An iterator: `read()` receives what comes before the next `pattern` (and the pattern too, if \
         `inclusive`); `read(size)` at most about that much of it, and nil once it has come.",
        until::receive_until,
    ),
    now(
        "tcpsock:settimeout",
        "sock:settimeout(ms)",
        "How long each operation may take; 0 is the default.",
        set_timeout,
    ),
    now(
        "tcpsock:settimeouts",
        "sock:settimeouts(connect_ms, send_ms, read_ms)",
        "How long each kind of operation may take; 0 is the default.",
        set_timeouts,
    ),
    now(
        "tcpsock:setoption",
        "local ok, err = sock:setoption(option, value)",
        "Sets `keepalive`, `reuseaddr`, `tcp-nodelay`, `sndbuf` or `rcvbuf` of the connection.",
        set_option,
    ),
    now(
        "tcpsock:getoption",
        "local value, err = sock:getoption(option)",
        "An option of the connection as the system has it, by the names of `setoption`.",
        option,
    ),
    now(
        "tcpsock:setkeepalive",
        "local ok, err = sock:setkeepalive(timeout_ms?, size?)",
        "Keeps the connection for the next `connect` to the same place or pool. Pools are the \
         domain's own, on each worker.",
        connect::keep,
    ),
    now(
        "tcpsock:getreusedtimes",
        "local count = sock:getreusedtimes()",
        "How often the connection was used before.",
        |lua, call, args| {
            counted(&args, 1..=1, "1 argument")?;
            let socket = inner::<Tcp>(&args, "getreusedtimes")?;
            match socket.usable(call)? {
                Some(one) => done(lua, Ok(Value::Integer(i64::from(one.reused.get())))),
                None => refusal(lua, "closed"),
            }
        },
    ),
    now(
        "tcpsock:getsslsession",
        "local session, err = sock:getsslsession()",
        "The session of the connection, as `sslhandshake` returned it.",
        |lua, call, args| {
            let socket = inner::<Tcp>(&args, "getsslsession")?;
            let Some(connection) = socket.usable(call)? else { return refusal(lua, "closed") };
            let ticket = connection.ticket.borrow().clone();
            match ticket {
                Some(ticket) => Ok(one(Value::UserData(lua.create_any_userdata(ticket)?))),
                None => refusal(lua, "no session"),
            }
        },
    ),
    now("tcpsock:close", "local ok, err = sock:close()", "Closes the connection.", close),
];

/// A socket object. Its connection belongs to who opened it.
#[derive(Default)]
pub struct Tcp {
    pub connection: RefCell<Weak<Connection>>,
    pub requester: RefCell<Option<Requester>>,
    pub connecting: Cell<bool>,
    pub times: Cell<Times>,
    /// The address that it is to connect from; port 0: any.
    pub own: Cell<Option<SocketAddr>>,
    /// Who it is to a server that asks.
    pub identity: RefCell<Option<Identity>>,
    /// The name of its pool.
    pub key: RefCell<Option<Rc<[u8]>>>,
}

/// How long operations may take; none: as the settings say.
#[derive(Clone, Copy, Default)]
pub struct Times {
    pub connect: Option<Duration>,
    pub send: Option<Duration>,
    pub read: Option<Duration>,
}

impl Tcp {
    /// The connection, if there is one that is open.
    ///
    /// # Errors
    /// If it is somebody else's.
    pub fn usable(&self, call: &Call) -> mlua::Result<Option<Rc<Connection>>> {
        let connection = self.connection.borrow().upgrade();
        let Some(connection) = connection.filter(|one| !one.is_closed()) else { return Ok(None) };
        if self.requester.borrow().as_ref().is_some_and(|requester| requester.is(call)) {
            return Ok(Some(connection));
        }
        Err(fault("bad request"))
    }

    /// Why it cannot be connected anew; none: it can.
    ///
    /// # Errors
    /// If it is somebody else's.
    pub fn held_by_another(&self, call: &Call) -> mlua::Result<Option<&'static str>> {
        if self.connecting.get() {
            return Ok(Some("socket busy connecting"));
        }
        let Some(connection) = self.usable(call)? else { return Ok(None) };
        let busy = busy(self, &connection, true, true);
        if busy.is_none() {
            trace(call, || "lua tcp socket reconnect without shutting down".to_owned());
        }
        Ok(busy)
    }

    /// Closes the connection, unless somebody else holds it too.
    pub fn drop_connection(&self, call: &Call) {
        if let Some(connection) = self.connection.take().upgrade() {
            trace(call, || "lua finalize socket".to_owned());
            sockets(call).release(&connection);
        }
    }

    /// Tells that somebody uses a socket that is closed.
    pub fn complain_of_closed(&self, lua: &Lua, call: &Call, deed: &str) {
        let words = format!(
            "attempt to {deed} data on a closed socket: u:{:p}, c:0000000000000000, ft:0 eof:0",
            std::ptr::from_ref(self)
        );
        complain(call, &settings(lua, call), &words, None);
    }
}

/// Why a connection cannot be used now.
pub fn busy(
    socket: &Tcp,
    connection: &Connection,
    to_read: bool,
    to_write: bool,
) -> Option<&'static str> {
    if socket.connecting.get() {
        return Some("socket busy connecting");
    }
    if to_read && connection.reading.get() {
        return Some("socket busy reading");
    }
    (to_write && connection.writing.get()).then_some("socket busy writing")
}

pub fn set_timeout(_: &Lua, _: &Rc<Call>, args: MultiValue) -> mlua::Result<MultiValue> {
    let seen = args.len();
    if seen != 2 {
        return Err(fault(format!(
            "ngx.socket settimeout: expecting 2 arguments (including the object) but seen {seen}"
        )));
    }
    let time = timeout(&args, 2)?;
    let times = Times { connect: time, send: time, read: time };
    inner::<Tcp>(&args, "settimeout")?.times.set(times);
    Ok(MultiValue::new())
}

pub fn set_timeouts(_: &Lua, _: &Rc<Call>, args: MultiValue) -> mlua::Result<MultiValue> {
    let seen = args.len();
    if seen != 4 {
        return Err(fault(format!(
            "ngx.socket settimeouts: expecting 4 arguments (including the object) but seen {seen}"
        )));
    }
    let at = |index| timeout(&args, index);
    let times = Times { connect: at(2)?, send: at(3)?, read: at(4)? };
    inner::<Tcp>(&args, "settimeouts")?.times.set(times);
    Ok(MultiValue::new())
}

/// What went well, or `nil, words`.
pub fn done(lua: &Lua, outcome: Result<Value, Failure>) -> mlua::Result<MultiValue> {
    match outcome {
        Ok(value) => Ok(MultiValue::from_vec(vec![value])),
        Err(failure) => refusal(lua, failure.to_string()),
    }
}

/// `ngx.socket.connect`.
async fn connected(lua: Lua, call: Rc<Call>, mut args: MultiValue) -> mlua::Result<MultiValue> {
    let socket = Value::Table(object(&lua, CLASS, Tcp::default())?);
    args.push_front(socket.clone());
    let outcome = connect::connect(lua, call, args).await?;
    Ok(if at(&outcome, 1).is_nil() { outcome } else { one(socket) })
}

pub async fn send(lua: Lua, call: Rc<Call>, args: MultiValue) -> mlua::Result<MultiValue> {
    if args.len() != 2 {
        counted(&args, 2..=2, "2 arguments")?;
    }
    let socket = inner::<Tcp>(&args, "send")?;
    let connection = match socket.usable(&call)? {
        Some(connection) if !connection.write_closed.get() => connection,
        _ => {
            socket.complain_of_closed(&lua, &call, "send");
            return refusal(&lua, "closed");
        }
    };
    if let Some(words) = busy(&socket, &connection, false, true) {
        return refusal(&lua, words);
    }
    let bytes = Bytes::from(payload(&lua, at(&args, 2))?);
    let settings = settings(&lua, &call);
    let time = socket.times.get().send.unwrap_or(settings.send_timeout);
    trace(&call, || format!("lua tcp socket send timeout: {}", time.as_millis()));
    let length = bytes.len() as i64;
    let sent = send_all(&call, &settings, &connection, time, bytes).await;
    done(&lua, sent.map(|()| Value::Integer(length)))
}

/// Sends what the system takes at once; how much, or words. None: nothing was sent, and that is for
/// [`send`].
pub fn send_at_once(socket: &Tcp, call: &Call, bytes: &[u8]) -> Option<Result<usize, String>> {
    let connection = socket.usable(call).ok()?.filter(|one| !one.write_closed.get())?;
    if bytes.is_empty() || busy(socket, &connection, false, true).is_some() {
        return None;
    }
    let sent = call.threads.look(|context| connection.send_at_once(context, bytes));
    let Poll::Ready(sent) = sent else { return None };
    if sent.is_err() {
        connection.write_closed.set(true);
    }
    Some(sent.map_err(|error| words(&error)))
}

/// What a script waits for that sends.
pub struct Sending {
    work: Waiting<'static, Result<(), Failure>>,
    length: usize,
    sent: Option<Result<(), Failure>>,
}

/// Sends the rest of so many bytes; none: there is no connection any more.
pub fn sending(
    socket: &Tcp,
    call: &Rc<Call>,
    settings: Arc<SocketSettings>,
    (rest, length): (&[u8], usize),
) -> Option<Box<Sending>> {
    let connection = socket.connection.borrow().upgrade()?;
    let (time, rest) = (socket.times.get().send, Bytes::copy_from_slice(rest));
    let call = call.clone();
    let work = Box::pin(async move {
        let time = time.unwrap_or(settings.send_timeout);
        send_all(&call, &settings, &connection, time, rest).await
    });
    Some(Box::new(Sending { work, length, sent: None }))
}

impl Native for Sending {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.work.as_mut().poll(context).map(|sent| self.sent = Some(sent))
    }

    fn put(self: Box<Self>, stack: &mut Stack<'_>) -> usize {
        if let Some(Err(failure)) = &self.sent {
            stack.push_nil();
            stack.push_bytes(failure.to_string().as_bytes());
            return 2;
        }
        stack.push_number(self.length as f64);
        1
    }
}

async fn send_all(
    call: &Call,
    settings: &SocketSettings,
    connection: &Rc<Connection>,
    time: Duration,
    bytes: Bytes,
) -> Result<(), Failure> {
    let _writing = Busy::new(connection.clone(), |connection| &connection.writing);
    let sent = connection.send(call, time, bytes).await;
    if sent == Err(Failure::Timeout) {
        complain(call, settings, "lua tcp socket write timed out", connection.place());
    }
    sent
}

fn bind(lua: &Lua, call: &Rc<Call>, args: MultiValue) -> mlua::Result<MultiValue> {
    if !(2..=3).contains(&args.len()) {
        let seen = args.len();
        return Err(fault(format!("expecting 2 or 3 arguments, but got {seen}")));
    }
    let socket = inner::<Tcp>(&args, "bind")?;
    let Some(host) = text(lua, at(&args, 2))? else {
        let why = format!("string expected, got {}", type_name(at(&args, 2)));
        return Err(super::bad(lua, 1, "bind", &why));
    };
    let port = match (args.len(), number(at(&args, 3))) {
        (2, _) => 0,
        (_, Some(port @ 0.0..65_536.0)) => port as u16,
        (_, Some(port)) => return refusal(lua, format!("bad port number: {port}")),
        (_, None) => {
            let got = type_name(at(&args, 3));
            return refusal(lua, format!("expecting port to be a number but got type: {got}"));
        }
    };
    let host = host.to_string_lossy();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let Ok(address) = bare.parse::<IpAddr>() else { return refusal(lua, "bad address") };
    trace(call, || format!("lua tcp socket bind ip: {host}"));
    socket.own.set(Some(SocketAddr::new(address, port)));
    done(lua, Ok(Value::Boolean(true)))
}

fn close(lua: &Lua, call: &Rc<Call>, args: MultiValue) -> mlua::Result<MultiValue> {
    if args.len() != 1 {
        let seen = args.len();
        return Err(fault(format!("expecting 1 argument (including the object) but seen {seen}")));
    }
    let socket = inner::<Tcp>(&args, "close")?;
    let Some(connection) = socket.usable(call)? else { return refusal(lua, "closed") };
    if let Some(words) = busy(&socket, &connection, true, true) {
        return refusal(lua, words);
    }
    socket.drop_connection(call);
    done(lua, Ok(Value::Integer(1)))
}

fn option(lua: &Lua, call: &Rc<Call>, args: MultiValue) -> mlua::Result<MultiValue> {
    let socket = inner::<Tcp>(&args, "getoption")?;
    if at(&args, 2).is_nil() {
        return refusal(lua, "missing the \"option\" argument");
    }
    let name = at(&args, 2).to_string()?;
    let Some(connection) = socket.usable(call)? else {
        return Err(fault("socket is never created nor connected"));
    };
    let stream = connection.stream.borrow();
    let Some(own) = stream.socket() else { return refusal(lua, "closed") };
    let value = match name.as_str() {
        "keepalive" => own.keepalive().map(i64::from),
        "reuseaddr" => own.reuse_address().map(i64::from),
        "tcp-nodelay" => own.tcp_nodelay().map(i64::from),
        "sndbuf" => own.send_buffer_size().map(|bytes| bytes as i64),
        "rcvbuf" => own.recv_buffer_size().map(|bytes| bytes as i64),
        _ => return refusal(lua, format!("unsupported option {name}")),
    };
    match value {
        Ok(value) => done(lua, Ok(Value::Integer(value))),
        Err(error) => refusal(lua, super::words(&error)),
    }
}

fn set_option(lua: &Lua, call: &Rc<Call>, args: MultiValue) -> mlua::Result<MultiValue> {
    let socket = inner::<Tcp>(&args, "setoption")?;
    let (option, value) = (at(&args, 2), at(&args, 3));
    if option.is_nil() {
        return refusal(lua, "missing the \"option\" argument");
    }
    if value.is_nil() {
        return refusal(lua, "missing the \"value\" argument");
    }
    let name = option.to_string()?;
    let Some(connection) = socket.usable(call)? else {
        return Err(fault("socket is never created nor connected"));
    };
    let stream = connection.stream.borrow();
    let Some(own) = stream.socket() else { return refusal(lua, "closed") };
    let amount = match value {
        Value::Boolean(value) => f64::from(u8::from(*value)),
        other => number(other).unwrap_or_default(),
    };
    let (on, bytes) = (amount != 0.0, amount.clamp(0.0, 16_777_216.0) as usize);
    let set = match name.as_str() {
        "keepalive" => own.set_keepalive(on),
        "reuseaddr" => own.set_reuse_address(on),
        "tcp-nodelay" => own.set_tcp_nodelay(on),
        "sndbuf" => own.set_send_buffer_size(bytes),
        "rcvbuf" => own.set_recv_buffer_size(bytes),
        _ => return refusal(lua, format!("unsupported option {name}")),
    };
    match set {
        Ok(()) => done(lua, Ok(Value::Boolean(true))),
        Err(error) => refusal(lua, super::words(&error)),
    }
}
