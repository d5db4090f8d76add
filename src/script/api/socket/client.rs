//! `ngx.req.socket`: the client's own connection in a script's hands, its body alone or all of it.

use std::rc::Rc;

use mlua::{Lua, MultiValue, Value};

use super::super::arguments::{at, fault, one, refusal, subject};
use super::super::{Function, Native};
use super::connection::{Connection, Place, Requester, sockets};
use super::receive::{receive, receive_any};
use super::stream::Stream;
use super::tcp::{Tcp, send, set_timeout, set_timeouts};
use super::{object, settings, trace, until};
use crate::script::{Call, Part, spec_of};
use crate::transaction::PhaseSet;

/// Where scripts may take what the client sends.
const PHASES: PhaseSet = PhaseSet::of("rac");

pub const FUNCTIONS: &[Function] = &[
    Function {
        name: "ngx.req.socket",
        phases: PHASES,
        syntax: "local sock, err = ngx.req.socket(raw?)",
        doc: "The request's body as it arrives, to be read once: neither rules nor the upstream get it \
              then. Not where it was read already, nor for a body in chunks. With `true` it is the \
              connection itself, to be read and written: what else would have been answered is not \
              sent, and the connection ends with the request. Functions of other owners get no raw \
              connection.",
        native: Native::Now(open),
    },
    method("reqsock:receive", "As `tcpsock:receive`.", RECEIVE),
    method("reqsock:receiveany", "As `tcpsock:receiveany`.", RECEIVE_ANY),
    method("reqsock:receiveuntil", "As `tcpsock:receiveuntil`.", Native::Now(until::receive_until)),
    method("reqsock:settimeout", "How long each operation may take.", Native::Now(set_timeout)),
    method("reqsock:settimeouts", "As `tcpsock:settimeouts`.", Native::Now(set_timeouts)),
    method("rawsock:receive", "As `tcpsock:receive`.", RECEIVE),
    method("rawsock:receiveany", "As `tcpsock:receiveany`.", RECEIVE_ANY),
    method("rawsock:receiveuntil", "As `tcpsock:receiveuntil`.", Native::Now(until::receive_until)),
    method("rawsock:send", "As `tcpsock:send`.", SEND),
    method("rawsock:settimeout", "How long each operation may take.", Native::Now(set_timeout)),
    method("rawsock:settimeouts", "As `tcpsock:settimeouts`.", Native::Now(set_timeouts)),
];

const RECEIVE: Native = Native::Waits(|lua, call, args| Box::pin(receive(lua, call, args)));
const RECEIVE_ANY: Native = Native::Waits(|lua, call, args| Box::pin(receive_any(lua, call, args)));
const SEND: Native = Native::Waits(|lua, call, args| Box::pin(send(lua, call, args)));

const fn method(name: &'static str, doc: &'static str, native: Native) -> Function {
    Function { name, phases: PHASES, syntax: "", doc, native }
}

fn open(lua: &Lua, call: &Rc<Call>, args: MultiValue) -> mlua::Result<MultiValue> {
    if args.len() > 1 {
        return Err(fault(format!("expecting 0 or 1 argument, but got {}", args.len())));
    }
    let exchange = subject(call)?;
    if exchange.transaction.borrow().is_subrequest {
        return Err(fault("attempt to read the request body in a subrequest"));
    }
    let (part, class) = match at(&args, 1) {
        Value::Nil | Value::Boolean(false) => (Part::Body, c"reqsock"),
        _ => (Part::Raw, c"rawsock"),
    };
    // What a function says is judged and framed: it says nothing past that.
    if part == Part::Raw && spec_of(lua).is_none_or(|spec| spec.guest) {
        return refusal(lua, "the raw connection is not given to functions");
    }
    if part == Part::Body && exchange.contexts.borrow().is_discarded {
        return refusal(lua, "request body discarded");
    }
    let side = match exchange.host.give_away(part) {
        Ok(side) => side,
        Err(words) => return refusal(lua, words),
    };
    if part == Part::Raw && settings(lua, call).nodelay {
        trace(call, || "lua socket tcp_nodelay".to_owned());
    }
    let place = Place { host: String::new(), port: None, address: None };
    let connection = Rc::new(Connection::new(Stream::Client(side), place, None));
    let socket = Tcp::default();
    socket.connection.replace(Rc::downgrade(&connection));
    socket.requester.replace(Some(Requester::of(call)));
    sockets(call).keep(connection);
    object(lua, class, socket).map(|table| one(Value::Table(table)))
}
