//! `ngx.socket.udp`.

use std::cell::{Cell, RefCell};
use std::ffi::CStr;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use mlua::{Lua, MultiValue, Value};
use tokio::net::{UdpSocket, UnixDatagram};

use super::super::Function;
use super::super::arguments::{at, fault, number, one, refusal, string, text};
use super::connection::{Busy, Failure, Place, Requester, within};
use super::tcp::done;
use super::{
    complain, counted, inner, now, object, opened, payload, permitted, port, resolved, settings,
    timeout, waits,
};
use crate::script::Call;
use crate::script::owner::Held;

const CLASS: &CStr = c"udpsock";
/// The longest datagram that is received.
const DATAGRAM: usize = 65_536;
/// Of which so many bytes are kept unless the script says otherwise.
const KEPT: usize = 8192;

pub const FUNCTIONS: &[Function] = &[
    now(
        "ngx.socket.udp",
        "local sock = ngx.socket.udp()",
        "A UDP socket, without a peer yet.",
        |lua, _, _| object(lua, CLASS, Udp::default()).map(|table| one(Value::Table(table))),
    ),
    waits(
        "udpsock:setpeername",
        "local ok, err = sock:setpeername(host, port)",
        "Sets who is sent to and received from: a name, an address, or `unix:/path` without a port. \
         The place must be named by `lua.network`.",
        |lua, call, args| Box::pin(set_peer(lua, call, args)),
    ),
    waits(
        "udpsock:send",
        "local ok, err = sock:send(data)",
        "Sends one datagram: a string or a nested array of strings.",
        |lua, call, args| Box::pin(send(lua, call, args)),
    ),
    waits(
        "udpsock:receive",
        "local data, err = sock:receive(size?)",
        "Receives one datagram, of which at most `size` bytes are kept.",
        |lua, call, args| Box::pin(receive(lua, call, args)),
    ),
    now(
        "udpsock:settimeout",
        "sock:settimeout(ms)",
        "How long `receive` may take; 0 is the default.",
        |_, _, args| {
            let seen = args.len();
            if seen < 2 {
                return Err(fault(format!(
                    "ngx.socket settimeout: expecting at least 2 arguments (including the object) \
                     but seen {seen}"
                )));
            }
            inner::<Udp>(&args, "settimeout")?.time.set(timeout(&args, 2)?);
            Ok(MultiValue::new())
        },
    ),
    now("udpsock:close", "local ok, err = sock:close()", "Closes it.", |lua, call, args| {
        let seen = args.len();
        if seen != 1 {
            return Err(fault(format!(
                "expecting 1 argument (including the object) but seen {seen}"
            )));
        }
        let udp = inner::<Udp>(&args, "close")?;
        let Some(open) = udp.usable(call)? else { return refusal(lua, "closed") };
        if open.waiting.get() {
            return refusal(lua, "socket busy");
        }
        udp.open.take();
        done(lua, Ok(Value::Integer(1)))
    }),
];

#[derive(Default)]
struct Udp {
    open: RefCell<Option<Rc<Open>>>,
    requester: RefCell<Option<Requester>>,
    time: Cell<Option<Duration>>,
}

/// A socket with its peer.
struct Open {
    socket: Socket,
    place: Place,
    waiting: Cell<bool>,
    _held: Held,
}

enum Socket {
    Udp(UdpSocket),
    Unix(UnixDatagram),
}

impl Socket {
    async fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Udp(udp) => udp.send(bytes).await,
            Self::Unix(unix) => unix.send(bytes).await,
        }
    }

    async fn receive(&self, bytes: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Udp(udp) => udp.recv(bytes).await,
            Self::Unix(unix) => unix.recv(bytes).await,
        }
    }
}

impl Udp {
    /// The socket, if it has a peer.
    ///
    /// # Errors
    /// If it is somebody else's.
    fn usable(&self, call: &Call) -> mlua::Result<Option<Rc<Open>>> {
        let Some(open) = self.open.borrow().clone() else { return Ok(None) };
        match &*self.requester.borrow() {
            Some(requester) if requester.is(call) => Ok(Some(open)),
            Some(requester) if requester.is_gone() => Ok(None),
            _ => Err(fault("bad request")),
        }
    }
}

async fn set_peer(lua: Lua, call: Rc<Call>, args: MultiValue) -> mlua::Result<MultiValue> {
    if !(2..=3).contains(&args.len()) {
        let seen = args.len();
        return Err(fault(format!(
            "ngx.socket.udp setpeername: expecting 2 or 3 arguments (including the object), but \
             seen {seen}"
        )));
    }
    let udp = inner::<Udp>(&args, "setpeername")?;
    let host = text(&lua, at(&args, 2))?.ok_or_else(|| fault("bad host argument"))?;
    let host = host.to_string_lossy();
    let is_path = host.starts_with("unix:");
    let mut place = Place { host, port: None, address: None };
    if !is_path {
        match port(at(&args, 3), "setpeername")? {
            Ok(port) => place.port = Some(port),
            Err(words) => return refusal(&lua, words),
        }
    }
    if udp.usable(&call)?.is_some_and(|open| open.waiting.get()) {
        return refusal(&lua, "socket busy");
    }
    udp.open.take();
    match open(&lua, &call, place).await {
        Ok(opened) => {
            udp.requester.replace(Some(Requester::of(&call)));
            udp.open.replace(Some(Rc::new(opened)));
            done(&lua, Ok(Value::Integer(1)))
        }
        Err(words) => refusal(&lua, words),
    }
}

async fn open(lua: &Lua, call: &Call, mut place: Place) -> Result<Open, String> {
    permitted(lua, &place)?;
    let held = opened(lua, call)?;
    let socket = match place.port {
        Some(port) => {
            let peer =
                resolved(lua, &settings(lua, call), (&place.host, port)).await?.into_iter().next();
            place.address = peer;
            let peer = peer.ok_or_else(|| "no address".to_owned())?;
            connected(peer).await.map(Socket::Udp)
        }
        None => datagram(place.host.get(5..).unwrap_or_default()).map(Socket::Unix),
    };
    let socket = socket.map_err(|error| super::words(&error))?;
    Ok(Open { socket, place, waiting: Cell::default(), _held: held })
}

async fn connected(peer: SocketAddr) -> io::Result<UdpSocket> {
    let own: SocketAddr = match peer {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(own).await?;
    socket.connect(peer).await?;
    Ok(socket)
}

/// A datagram socket with a name of the kernel's own, so that it can be answered.
fn datagram(path: &str) -> io::Result<UnixDatagram> {
    let (domain, kind) = (socket2::Domain::UNIX, socket2::Type::DGRAM);
    let socket = socket2::Socket::new(domain, kind.nonblocking(), None)?;
    socket.bind(&socket2::SockAddr::unix("")?)?;
    socket.connect(&socket2::SockAddr::unix(path)?)?;
    UnixDatagram::from_std(std::os::unix::net::UnixDatagram::from(std::os::fd::OwnedFd::from(
        socket,
    )))
}

async fn send(lua: Lua, call: Rc<Call>, args: MultiValue) -> mlua::Result<MultiValue> {
    counted(&args, 2..=2, "2 arguments")?;
    let udp = inner::<Udp>(&args, "send")?;
    let Some(open) = udp.usable(&call)? else {
        let words = "attempt to send data on a closed socket";
        complain(&call, &settings(&lua, &call), words, None);
        return refusal(&lua, "closed");
    };
    if open.waiting.get() {
        return refusal(&lua, "socket busy");
    }
    let bytes = payload(&lua, at(&args, 2))?;
    let time = udp.time.get().unwrap_or(settings(&lua, &call).send_timeout);
    let sent = within(time, open.socket.send(&bytes)).await;
    done(&lua, sent.map(|_| Value::Integer(1)))
}

async fn receive(lua: Lua, call: Rc<Call>, args: MultiValue) -> mlua::Result<MultiValue> {
    counted(&args, 1..=2, "1 or 2 arguments")?;
    let udp = inner::<Udp>(&args, "receive")?;
    let settings = settings(&lua, &call);
    let Some(open) = udp.usable(&call)? else {
        complain(&call, &settings, "attempt to receive data on a closed socket", None);
        return refusal(&lua, "closed");
    };
    if open.waiting.get() {
        return refusal(&lua, "socket busy");
    }
    let most = number(at(&args, 2)).map_or(KEPT, |size| (size as usize).clamp(1, DATAGRAM));
    let time = udp.time.get().unwrap_or(settings.read_timeout);
    let _waiting = Busy::new(open.clone(), |open| &open.waiting);
    let mut datagram = vec![0; most];
    match within(time, open.socket.receive(&mut datagram)).await {
        Ok(length) => string(&lua, datagram.get(..length).unwrap_or_default()).map(one),
        Err(failure) => {
            if failure == Failure::Timeout {
                let place = Some(&open.place);
                complain(&call, &settings, "lua udp socket read timed out", place);
            } else if failure == Failure::Error("connection refused".to_owned()) {
                let words = "recv() failed (111: Connection refused)";
                complain(&call, &settings, words, Some(&open.place));
            }
            done(&lua, Err(failure))
        }
    }
}
