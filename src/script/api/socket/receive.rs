//! `tcpsock:receive` and `tcpsock:receiveany`.

use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Buf as _, BytesMut};
use mlua::{Lua, MultiValue, Value};

use super::super::arguments::{at, number, one, refusal, string};
use super::super::quick::{Plain, Stack, spare};
use super::connection::{Busy, Connection, Failure, Wanted};
use super::tcp::{Tcp, busy};
use super::{bad, complain, counted, inner, settings, settings_of, trace};
use crate::config::SocketSettings;
use crate::script::parked::Native;
use crate::script::{Call, Waiting};

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
    /// Writes what the script gets of it: of a line neither its end nor any carriage return.
    fn write_trimmed(&self, data: &[u8], out: &mut Vec<u8>) {
        match self {
            Self::Line(_) => {
                let data = data.iter().copied();
                out.extend(data.filter(|byte| !matches!(byte, b'\r' | b'\n')));
            }
            _ => out.extend_from_slice(data),
        }
    }

    /// The same.
    fn trimmed(&self, data: &[u8]) -> Vec<u8> {
        let mut trimmed = Vec::with_capacity(data.len());
        self.write_trimmed(data, &mut trimmed);
        trimmed
    }

    /// Takes it out of the buffer if it is all there: into a spare one.
    fn take_from(&mut self, buffer: &mut BytesMut) -> Option<Vec<u8>> {
        let end = self.end(buffer)?.min(buffer.len());
        let mut data = spare();
        self.write_trimmed(buffer.get(..end)?, &mut data);
        buffer.advance(end);
        Some(data)
    }

    /// As it is written, if it is; none: it is for [`amount`] to say.
    fn named(given: Plain<'_>) -> Option<Self> {
        match given {
            Plain::Number(bytes) if bytes >= 1.0 => Some(Self::Bytes(bytes as usize)),
            Plain::Text(b"*l") => Some(Self::Line(0)),
            Plain::Text(b"*a") => Some(Self::All),
            _ => None,
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

/// What came of it: what was wanted; or words, and what came before.
type Taken = Result<Vec<u8>, (Failure, Vec<u8>)>;

async fn take(
    lua: Lua,
    call: Rc<Call>,
    (socket, connection): (Rc<Tcp>, Rc<Connection>),
    wanted: Amount,
) -> mlua::Result<MultiValue> {
    let settings = settings(&lua, &call);
    match taken(call, settings, (socket, connection), wanted).await {
        Ok(data) => string(&lua, data).map(one),
        Err((failure, partial)) => {
            let partial = string(&lua, partial)?;
            let words = string(&lua, failure.to_string())?;
            Ok(MultiValue::from_vec(vec![Value::Nil, words, partial]))
        }
    }
}

async fn taken(
    call: Rc<Call>,
    settings: Arc<SocketSettings>,
    (socket, connection): (Rc<Tcp>, Rc<Connection>),
    mut wanted: Amount,
) -> Taken {
    let fetched = fetch(&call, &settings, &socket, &connection, &mut wanted).await;
    let mut buffer = connection.buffer.borrow_mut();
    match fetched {
        Ok(end) => {
            let end = end.min(buffer.len());
            Ok(wanted.trimmed(&buffer.split_to(end)))
        }
        Err(Failure::Closed) if matches!(wanted, Amount::All) => {
            // The end was what it waited for; the next one is told of it.
            connection.read_closed.set(false);
            Ok(buffer.split().into())
        }
        Err(failure) => Err((failure, wanted.trimmed(&buffer.split()))),
    }
}

/// What a script waits for that receives.
pub struct Receiving {
    work: Waiting<'static, Taken>,
    taken: Option<Taken>,
}

impl Native for Receiving {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.work.as_mut().poll(context).map(|taken| self.taken = Some(taken))
    }

    fn put(self: Box<Self>, stack: &mut Stack<'_>) -> usize {
        match &self.taken {
            Some(Ok(data)) => {
                stack.push_bytes(data);
                return 1;
            }
            Some(Err((failure, partial))) => {
                stack.push_nil();
                stack.push_bytes(failure.to_string().as_bytes());
                stack.push_bytes(partial);
            }
            None => (0..3).for_each(|_| stack.push_nil()),
        }
        3
    }
}

/// How far a receive comes at once.
pub enum Reception {
    /// What was wanted is there.
    Data(Vec<u8>),
    /// It has to be waited for, perhaps.
    Waits(Box<Receiving>),
}

/// Receives for a script that gave these arguments; none: that is for [`receive`].
pub fn begin(stack: &Stack<'_>, call: &Rc<Call>, socket: &Rc<Tcp>) -> Option<Reception> {
    let mut wanted = match stack.len() {
        1 => Amount::Line(0),
        2 => Amount::named(stack.plain(2))?,
        _ => return None,
    };
    let connection = socket.usable(call).ok()?.filter(|one| !one.read_closed.get())?;
    if busy(socket, &connection, true, false).is_some() {
        return None;
    }
    if let Some(data) = wanted.take_from(&mut connection.buffer.borrow_mut()) {
        return Some(Reception::Data(data));
    }
    let settings = settings_of(call, stack.facts().spec.as_ref());
    let work = Box::pin(taken(call.clone(), settings, (socket.clone(), connection), wanted));
    Some(Reception::Waits(Box::new(Receiving { work, taken: None })))
}

/// Receives what is wanted; where it ends in the buffer.
pub async fn fetch(
    call: &Call,
    settings: &SocketSettings,
    socket: &Tcp,
    connection: &Rc<Connection>,
    wanted: &mut impl Wanted,
) -> Result<usize, Failure> {
    let time = || socket.times.get().read.unwrap_or(settings.read_timeout);
    trace(call, || format!("lua tcp socket read timeout: {}", time().as_millis()));
    let _reading = Busy::new(connection.clone(), |connection| &connection.reading);
    let fetched = connection.fetch(call, time, wanted).await;
    match &fetched {
        Err(Failure::Timeout) => {
            complain(call, settings, "lua tcp socket read timed out", connection.place());
        }
        Err(Failure::Error(words)) if words == "connection reset by peer" => {
            let words = "recv() failed (104: Connection reset by peer)";
            complain(call, settings, words, connection.place());
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
