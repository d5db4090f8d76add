//! `ngx.req.socket`: the request's body as it arrives, for a script that wants to read it by itself.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use bytes::BytesMut;
use mlua::{AnyUserData, Lua, MultiValue, Value};

use super::answer::STAGED_BYTES;
use super::arguments::{
    at, bad_argument, check_number, fault, number, one, refusal, string, subject,
};
use super::{Function, Native, register};
use crate::script::{Call, Subject, Waiting};
use crate::transaction::PhaseSet;

/// Where scripts may read a body.
const PHASES: PhaseSet = PhaseSet::of("rac");
/// How long an operation may take unless a script says otherwise.
const TIMEOUT: Duration = Duration::from_secs(60);
/// The longest timeout that a script may set, in milliseconds.
const LONGEST: f64 = 86_400_000.0;

pub const FUNCTIONS: &[Function] = &[
    Function {
        name: "ngx.req.socket",
        phases: PHASES,
        syntax: "local sock, err = ngx.req.socket()",
        doc: "The request's body as it arrives, to be read once by `receive` and its like: neither \
              rules nor the upstream get it then. Not where it was read already, nor for a body in \
              chunks. The connection itself (`raw`) is not given away.",
        native: Native::Now(open),
    },
    Function {
        name: "reqsock:receive",
        phases: PHASES,
        syntax: "local data, err, partial = reqsock:receive(size_or_pattern?)",
        doc: "So many bytes, a line (`*l`, the default), or the rest (`*a`); 8 MiB at the most.",
        native: Native::Waits(receive),
    },
    Function {
        name: "reqsock:receiveany",
        phases: PHASES,
        syntax: "local data, err = reqsock:receiveany(max)",
        doc: "What is there, up to so many bytes; waits until something is.",
        native: Native::Waits(receive_any),
    },
    Function {
        name: "reqsock:settimeout",
        phases: PHASES,
        syntax: "reqsock:settimeout(milliseconds)",
        doc: "How long each operation may take.",
        native: Native::Now(|_, _, args| set_timeout(&args, 2)),
    },
    Function {
        name: "reqsock:settimeouts",
        phases: PHASES,
        syntax: "reqsock:settimeouts(connect, send, read)",
        doc: "The same, as for other sockets: only the last one counts.",
        native: Native::Now(|_, _, args| set_timeout(&args, 4)),
    },
];

/// A body that a script reads.
struct Reading {
    exchange: Rc<Subject>,
    /// What came and was not taken.
    there: RefCell<BytesMut>,
    time: Cell<Duration>,
    is_busy: Cell<bool>,
}

/// What `receive` is to give.
#[derive(Clone, Copy)]
enum Wanted {
    Any(usize),
    Bytes(usize),
    Line,
    Rest,
}

fn open(lua: &Lua, call: &Rc<Call>, args: MultiValue) -> mlua::Result<MultiValue> {
    if args.len() > 1 {
        return Err(fault(format!("expecting 0 or 1 argument, but got {}", args.len())));
    }
    let exchange = subject(call)?;
    if exchange.transaction.borrow().is_subrequest {
        return Err(fault("attempt to read the request body in a subrequest"));
    }
    if !matches!(at(&args, 1), Value::Nil | Value::Boolean(false)) {
        return refusal(lua, "the raw connection is not given to scripts");
    }
    if exchange.contexts.borrow().is_discarded {
        return refusal(lua, "request body discarded");
    }
    if let Err(words) = exchange.host.take_body() {
        return refusal(lua, words);
    }
    let reading = Reading {
        exchange: exchange.clone(),
        there: RefCell::default(),
        time: Cell::new(TIMEOUT),
        is_busy: Cell::default(),
    };
    register::object(lua, "reqsock", Rc::new(reading)).map(|table| one(Value::Table(table)))
}

fn reading(args: &MultiValue, method: &str) -> mlua::Result<Rc<Reading>> {
    let bad = || bad_argument(1, method, "socket expected");
    let Value::Table(table) = at(args, 1) else { return Err(bad()) };
    let object: AnyUserData = table.raw_get(1).map_err(|_| bad())?;
    object.borrow::<Rc<Reading>>().map(|inner| inner.clone()).map_err(|_| bad())
}

fn set_timeout(args: &MultiValue, index: usize) -> mlua::Result<MultiValue> {
    let reading = reading(args, "settimeout")?;
    let milliseconds = check_number(args, index, "settimeout")?;
    if !(0.0..=LONGEST).contains(&milliseconds) {
        return Err(fault("bad timeout value"));
    }
    let time = Duration::from_secs_f64(milliseconds / 1000.0);
    reading.time.set(if time.is_zero() { TIMEOUT } else { time });
    Ok(MultiValue::new())
}

fn receive(
    lua: Lua,
    call: Rc<Call>,
    args: MultiValue,
) -> Waiting<'static, mlua::Result<MultiValue>> {
    Box::pin(async move {
        let reading = reading(&args, "receive")?;
        let wanted = wanted(at(&args, 2))?;
        take(&lua, &call, &reading, wanted).await
    })
}

fn wanted(given: &Value) -> mlua::Result<Wanted> {
    let odd = |shown: &str| bad_argument(2, "receive", &format!("bad pattern argument: {shown}"));
    if let Some(size) = number(given) {
        if size < 0.0 {
            return Err(odd(&size.to_string()));
        }
        return Ok(Wanted::Bytes(size as usize));
    }
    match given {
        Value::Nil => Ok(Wanted::Line),
        Value::String(pattern) => match &*pattern.to_string_lossy() {
            "*a" | "a" => Ok(Wanted::Rest),
            "*l" | "l" => Ok(Wanted::Line),
            other => Err(odd(&other.chars().take(40).collect::<String>())),
        },
        _ => Err(odd("")),
    }
}

fn receive_any(
    lua: Lua,
    call: Rc<Call>,
    args: MultiValue,
) -> Waiting<'static, mlua::Result<MultiValue>> {
    Box::pin(async move {
        let reading = reading(&args, "receiveany")?;
        let most = check_number(&args, 2, "receiveany")?;
        if most < 1.0 {
            return Err(bad_argument(2, "receiveany", "bad max argument"));
        }
        take(&lua, &call, &reading, Wanted::Any(most as usize)).await
    })
}

/// Whoever reads is the only one.
struct Busy<'a>(&'a Cell<bool>);

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.set(false);
    }
}

async fn take(
    lua: &Lua,
    call: &Rc<Call>,
    reading: &Rc<Reading>,
    wanted: Wanted,
) -> mlua::Result<MultiValue> {
    if reading.is_busy.replace(true) {
        return refusal(lua, "socket busy reading");
    }
    let _busy = Busy(&reading.is_busy);
    loop {
        if let Some((length, skipped)) = reading.find(wanted) {
            let mut data = reading.there.borrow_mut().split_to(length + skipped);
            data.truncate(length);
            if matches!(wanted, Wanted::Line) {
                data = data.iter().copied().filter(|byte| *byte != b'\r').collect();
            }
            return string(lua, &data).map(one);
        }
        let held = reading.there.borrow().len();
        if held >= STAGED_BYTES {
            return refusal(lua, "no memory");
        }
        let more = reading.exchange.host.next_of_body();
        let time = reading.time.get();
        let more = call.errand(async move { tokio::time::timeout(time, more).await }).await;
        let words = match more {
            Some(Ok(Ok(bytes))) if !bytes.is_empty() => {
                reading.there.borrow_mut().extend_from_slice(&bytes);
                continue;
            }
            Some(Ok(Ok(_))) if matches!(wanted, Wanted::Rest) => {
                let rest = reading.there.borrow_mut().split();
                return string(lua, &rest).map(one);
            }
            Some(Err(_)) => "timeout",
            Some(Ok(Ok(_))) | None => "closed",
            Some(Ok(Err(words))) => words,
        };
        let partial = reading.there.borrow_mut().split();
        let mut refused = refusal(lua, words)?;
        refused.push_back(string(lua, &partial)?);
        return Ok(refused);
    }
}

impl Reading {
    /// How many bytes are given, and how many after them go with them; none: not all is there.
    fn find(&self, wanted: Wanted) -> Option<(usize, usize)> {
        let there = self.there.borrow();
        match wanted {
            Wanted::Any(most) => (!there.is_empty()).then(|| (there.len().min(most), 0)),
            Wanted::Bytes(size) => (there.len() >= size).then_some((size, 0)),
            Wanted::Line => memchr::memchr(b'\n', &there).map(|end| (end, 1)),
            Wanted::Rest => None,
        }
    }
}
