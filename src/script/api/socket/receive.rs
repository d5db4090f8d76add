//! `tcpsock:receive` and `tcpsock:receiveany`.

use std::rc::Rc;

use mlua::{Lua, MultiValue, Value};

use super::super::arguments::{at, number, one, refusal, string};
use super::connection::{Busy, Connection, Failure, Wanted};
use super::tcp::{Tcp, busy};
use super::{bad, complain, counted, inner, settings, trace};
use crate::script::Call;

/// How much `receive` wants.
enum Amount {
    All,
    Any(usize),
    Bytes(usize),
    /// A line; so many bytes hold no end of it.
    Line(usize),
}

impl Wanted for Amount {
    fn end(&mut self, buffer: &[u8]) -> Option<usize> {
        match self {
            Self::All => None,
            Self::Any(most) => (!buffer.is_empty()).then(|| buffer.len().min(*most)),
            Self::Bytes(bytes) => (buffer.len() >= *bytes).then_some(*bytes),
            Self::Line(seen) => {
                let found = memchr::memchr(b'\n', buffer.get(*seen..)?);
                let end = found.map(|end| *seen + end + 1);
                *seen = buffer.len();
                end
            }
        }
    }
}

impl Amount {
    /// What the script gets of it: of a line neither its end nor any carriage return.
    fn trimmed(&self, data: &[u8]) -> Vec<u8> {
        match self {
            Self::Line(_) => {
                data.iter().copied().filter(|byte| !matches!(byte, b'\r' | b'\n')).collect()
            }
            _ => data.to_vec(),
        }
    }
}

pub async fn receive(lua: Lua, call: Rc<Call>, args: MultiValue) -> mlua::Result<MultiValue> {
    counted(&args, 1..=2, "1 or 2 arguments")?;
    let ready = match ready(&lua, &call, &args, "receive")? {
        Ok(ready) => ready,
        Err(words) => return refusal(&lua, words),
    };
    let wanted = if args.len() > 1 { amount(&lua, at(&args, 2))? } else { Amount::Line(0) };
    if matches!(wanted, Amount::Bytes(0)) {
        return string(&lua, "").map(one);
    }
    take(lua, call, ready, wanted).await
}

pub async fn receive_any(lua: Lua, call: Rc<Call>, args: MultiValue) -> mlua::Result<MultiValue> {
    counted(&args, 2..=2, "2 arguments")?;
    let ready = match ready(&lua, &call, &args, "receiveany")? {
        Ok(ready) => ready,
        Err(words) => return refusal(&lua, words),
    };
    let Some(most @ 1.0..) = number(at(&args, 2)) else {
        return Err(bad(&lua, 1, "receiveany", "bad max argument"));
    };
    trace(&call, || {
        format!("lua tcp socket calling receiveany() method to read at most {most:.0} bytes")
    });
    take(lua, call, ready, Amount::Any(most as usize)).await
}

/// A socket and its connection, or words that tell why it cannot be read.
type Ready = Result<(Rc<Tcp>, Rc<Connection>), &'static str>;

/// The socket and its connection, if it can be read now; else the words that tell why not.
pub fn ready(lua: &Lua, call: &Call, args: &MultiValue, method: &str) -> mlua::Result<Ready> {
    let socket = inner::<Tcp>(args, method)?;
    let Some(connection) = socket.usable(call)?.filter(|one| !one.read_closed.get()) else {
        socket.complain_of_closed(lua, call, "receive");
        return Ok(Err("closed"));
    };
    Ok(match busy(&socket, &connection, true, false) {
        Some(words) => Err(words),
        None => Ok((socket, connection)),
    })
}

async fn take(
    lua: Lua,
    call: Rc<Call>,
    (socket, connection): (Rc<Tcp>, Rc<Connection>),
    mut wanted: Amount,
) -> mlua::Result<MultiValue> {
    let fetched = fetch(&lua, &call, &socket, &connection, &mut wanted).await;
    let mut buffer = connection.buffer.borrow_mut();
    match fetched {
        Ok(end) => {
            let end = end.min(buffer.len());
            let data = buffer.split_to(end);
            string(&lua, wanted.trimmed(&data)).map(one)
        }
        Err(Failure::Closed) if matches!(wanted, Amount::All) => {
            // The end was what it waited for; the next one is told of it.
            connection.read_closed.set(false);
            string(&lua, buffer.split()).map(one)
        }
        Err(failure) => {
            let partial = string(&lua, wanted.trimmed(&buffer.split()))?;
            let words = string(&lua, failure.to_string())?;
            Ok(MultiValue::from_vec(vec![Value::Nil, words, partial]))
        }
    }
}

/// Receives what is wanted; where it ends in the buffer.
pub async fn fetch(
    lua: &Lua,
    call: &Call,
    socket: &Tcp,
    connection: &Rc<Connection>,
    wanted: &mut impl Wanted,
) -> Result<usize, Failure> {
    let settings = settings(lua, call);
    let time = || socket.times.get().read.unwrap_or(settings.read_timeout);
    trace(call, || format!("lua tcp socket read timeout: {}", time().as_millis()));
    let _reading = Busy::new(connection.clone(), |connection| &connection.reading);
    let fetched = connection.fetch(call, time, wanted).await;
    match &fetched {
        Err(Failure::Timeout) => {
            complain(call, &settings, "lua tcp socket read timed out", connection.place());
        }
        Err(Failure::Error(words)) if words == "connection reset by peer" => {
            let words = "recv() failed (104: Connection reset by peer)";
            complain(call, &settings, words, connection.place());
        }
        _ => {}
    }
    fetched
}

fn amount(lua: &Lua, value: &Value) -> mlua::Result<Amount> {
    let wrong = |why: &str| bad(lua, 1, "receive", why);
    match (number(value), value) {
        (Some(bytes), _) if bytes >= 0.0 => Ok(Amount::Bytes(bytes as usize)),
        (Some(_), _) => Err(wrong("bad number argument")),
        (None, Value::String(text)) => match &*text.as_bytes() {
            b"*l" => Ok(Amount::Line(0)),
            b"*a" => Ok(Amount::All),
            [b'*', _] => Err(wrong("bad pattern argument")),
            _ => Err(wrong(&format!("bad pattern argument: {}", text.to_string_lossy()))),
        },
        _ => Err(wrong("bad argument")),
    }
}
