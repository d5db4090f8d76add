//! `ngx.socket.tcp`.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use bytes::BytesMut;
use mlua::{Lua, MultiValue, Value};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::super::Function;
use super::super::answer::STAGED_BYTES;
use super::super::arguments::{at, fault, one, string};
use super::{
    Open, TIMEOUT, inner, now, object, payload, place, target, timeout, told, waits, within,
};
use crate::script::Call;

const CLASS: &str = "tcpsock";

pub const FUNCTIONS: &[Function] = &[
    now(
        "ngx.socket.tcp",
        "local sock = ngx.socket.tcp()",
        "A TCP socket, not yet connected.",
        |lua, _, _| object(lua, CLASS, Tcp::default()).map(|table| one(Value::Table(table))),
    ),
    waits(
        "tcpsock:connect",
        "local ok, err = sock:connect(host, port)",
        "Connects. The place must be named by `lua.network.allow`, and a call opens only as many \
         connections as its budget has.",
        |lua, call, args| Box::pin(connect(lua, call, args)),
    ),
    waits(
        "tcpsock:send",
        "local bytes, err = sock:send(data)",
        "Sends a string or a nested array of strings; how many bytes that were.",
        |lua, _, args| Box::pin(send(lua, args)),
    ),
    waits(
        "tcpsock:receive",
        "local data, err, partial = sock:receive(size_or_pattern?)",
        "Receives that many bytes, a line without its end (`*l`, the default) or all until the \
         other side closes (`*a`); at most 8 MiB.",
        |lua, _, args| Box::pin(receive(lua, args)),
    ),
    waits(
        "tcpsock:receiveany",
        "local data, err = sock:receiveany(max)",
        "Receives what is there, at most `max` bytes.",
        |lua, _, args| Box::pin(receive_any(lua, args)),
    ),
    now(
        "tcpsock:settimeout",
        "sock:settimeout(ms)",
        "How long each operation may take.",
        |_, _, args| {
            let time = timeout(&args, 2, "settimeout")?;
            inner::<Tcp>(&args, "settimeout")?.times.set(Times {
                connect: time,
                send: time,
                read: time,
            });
            Ok(MultiValue::new())
        },
    ),
    now(
        "tcpsock:settimeouts",
        "sock:settimeouts(connect_ms, send_ms, read_ms)",
        "How long each kind of operation may take.",
        |_, _, args| {
            let at = |index| timeout(&args, index, "settimeouts");
            let times = Times { connect: at(2)?, send: at(3)?, read: at(4)? };
            inner::<Tcp>(&args, "settimeouts")?.times.set(times);
            Ok(MultiValue::new())
        },
    ),
    now(
        "tcpsock:setoption",
        "local ok, err = sock:setoption(option, value?)",
        "Accepted without effect.",
        |_, _, _| Ok(one(Value::Integer(1))),
    ),
    now(
        "tcpsock:setkeepalive",
        "local ok, err = sock:setkeepalive(timeout?, size?)",
        "Closes the connection: none is kept yet.",
        |lua, _, args| close(lua, &args),
    ),
    now(
        "tcpsock:getreusedtimes",
        "local count = sock:getreusedtimes()",
        "How often the connection was used before: 0.",
        |lua, _, args| {
            let open = inner::<Tcp>(&args, "getreusedtimes")?.stream.borrow().is_some();
            told(lua, if open { Ok(Value::Integer(0)) } else { Err("closed".to_owned()) })
        },
    ),
    now(
        "tcpsock:close",
        "local ok, err = sock:close()",
        "Closes the connection.",
        |lua, _, args| close(lua, &args),
    ),
];

/// A connection, while no operation has it.
#[derive(Default)]
struct Tcp {
    stream: RefCell<Option<Open<TcpStream>>>,
    /// Received, but not yet asked for.
    buffer: RefCell<BytesMut>,
    times: Cell<Times>,
}

#[derive(Clone, Copy)]
struct Times {
    connect: Duration,
    send: Duration,
    read: Duration,
}

impl Default for Times {
    fn default() -> Self {
        Self { connect: TIMEOUT, send: TIMEOUT, read: TIMEOUT }
    }
}

/// How much is wanted.
enum Wanted {
    All,
    Bytes(usize),
    Line,
}

async fn connect(lua: Lua, call: Rc<Call>, args: MultiValue) -> mlua::Result<MultiValue> {
    let socket = inner::<Tcp>(&args, "connect")?;
    let (host, port) = place(&lua, &args, "connect")?;
    drop(socket.stream.take());
    socket.buffer.borrow_mut().clear();
    let (addresses, held) = match target(&lua, &call, &host, port).await {
        Ok(found) => found,
        Err(words) => return told(&lua, Err(words)),
    };
    let work = TcpStream::connect(&*addresses);
    let connected = within(socket.times.get().connect, work).await;
    told(
        &lua,
        connected.map(|stream| {
            // Scripts send whole messages; waiting for more would only delay them.
            let _ = stream.set_nodelay(true);
            socket.stream.replace(Some(Open { socket: stream, _held: held }));
            Value::Integer(1)
        }),
    )
}

async fn send(lua: Lua, args: MultiValue) -> mlua::Result<MultiValue> {
    let socket = inner::<Tcp>(&args, "send")?;
    let bytes = payload(&lua, at(&args, 2))?;
    let Some(mut stream) = socket.stream.take() else {
        return told(&lua, Err("closed".to_owned()));
    };
    let sent = within(socket.times.get().send, stream.write_all(&bytes)).await;
    if sent.is_ok() {
        socket.stream.replace(Some(stream));
    }
    told(&lua, sent.map(|()| Value::Integer(bytes.len() as i64)))
}

async fn receive(lua: Lua, args: MultiValue) -> mlua::Result<MultiValue> {
    let socket = inner::<Tcp>(&args, "receive")?;
    let wanted = wanted(at(&args, 2))?;
    let fetched = socket.fetch(|buffer| wanted.end(buffer)).await;
    let mut buffer = socket.buffer.borrow_mut();
    let ends = fetched.as_ref().err().is_some_and(|words| words == "closed");
    match (fetched, &wanted) {
        (Ok(end), _) => {
            let end = end.min(buffer.len());
            let data = buffer.split_to(end);
            string(&lua, wanted.trimmed(&data)).map(one)
        }
        (Err(_), Wanted::All) if ends => string(&lua, buffer.split()).map(one),
        (Err(words), _) => {
            let partial = string(&lua, buffer.split())?;
            Ok(MultiValue::from_vec(vec![Value::Nil, string(&lua, words)?, partial]))
        }
    }
}

async fn receive_any(lua: Lua, args: MultiValue) -> mlua::Result<MultiValue> {
    let socket = inner::<Tcp>(&args, "receiveany")?;
    let Wanted::Bytes(most @ 1..) = wanted(at(&args, 2))? else {
        return Err(fault("bad max argument"));
    };
    let fetched = socket.fetch(|buffer| (!buffer.is_empty()).then_some(buffer.len())).await;
    let mut buffer = socket.buffer.borrow_mut();
    match fetched {
        Ok(end) => string(&lua, buffer.split_to(end.min(most))).map(one),
        Err(words) => told(&lua, Err(words)),
    }
}

fn close(lua: &Lua, args: &MultiValue) -> mlua::Result<MultiValue> {
    let socket = inner::<Tcp>(args, "close")?;
    socket.buffer.borrow_mut().clear();
    let closed = socket.stream.take().map(|_| Value::Integer(1));
    told(lua, closed.ok_or_else(|| "closed".to_owned()))
}

fn wanted(value: &Value) -> mlua::Result<Wanted> {
    match value {
        Value::Nil => Ok(Wanted::Line),
        Value::Integer(bytes @ 0..) if *bytes as usize <= STAGED_BYTES => {
            Ok(Wanted::Bytes(*bytes as usize))
        }
        Value::Integer(_) | Value::Number(_) => Err(fault("bad number argument")),
        Value::String(text) => match &*text.as_bytes() {
            b"*l" | b"l" => Ok(Wanted::Line),
            b"*a" | b"a" => Ok(Wanted::All),
            _ => Err(fault(format!("bad pattern argument: {}", text.to_string_lossy()))),
        },
        _ => Err(fault("bad pattern argument")),
    }
}

impl Wanted {
    /// Where it ends in the buffer, if it is all there.
    fn end(&self, buffer: &[u8]) -> Option<usize> {
        match self {
            Self::All => None,
            Self::Bytes(bytes) => (buffer.len() >= *bytes).then_some(*bytes),
            Self::Line => memchr::memchr(b'\n', buffer).map(|end| end + 1),
        }
    }

    fn trimmed<'a>(&self, data: &'a [u8]) -> &'a [u8] {
        match self {
            Self::Line => {
                let line = data.strip_suffix(b"\n").unwrap_or(data);
                line.strip_suffix(b"\r").unwrap_or(line)
            }
            _ => data,
        }
    }
}

impl Tcp {
    /// Reads into the buffer until `end` finds in it what is wanted.
    async fn fetch(&self, end: impl Fn(&[u8]) -> Option<usize>) -> Result<usize, String> {
        if let Some(end) = end(&self.buffer.borrow()) {
            return Ok(end);
        }
        let Some(mut stream) = self.stream.take() else { return Err("closed".to_owned()) };
        // The buffer is taken along: nothing is borrowed while this waits.
        let mut buffer = self.buffer.take();
        let outcome = loop {
            match within(self.times.get().read, stream.read_buf(&mut buffer)).await {
                Ok(0) => break Err("closed".to_owned()),
                Ok(_) => {}
                Err(words) => break Err(words),
            }
            if let Some(end) = end(&buffer) {
                break Ok(end);
            }
            if buffer.len() > STAGED_BYTES {
                buffer.clear();
                break Err("no memory".to_owned());
            }
        };
        self.buffer.replace(buffer);
        // A late answer may still come; a connection that ended is gone.
        if outcome.as_ref().err().is_none_or(|words| words == "timeout") {
            self.stream.replace(Some(stream));
        }
        outcome
    }
}
