//! `ngx.socket.udp`.

use std::cell::{Cell, RefCell};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use mlua::{Lua, MultiValue, Value};
use tokio::net::UdpSocket;

use super::super::Function;
use super::super::arguments::{at, number, one, string};
use super::{
    Open, TIMEOUT, inner, now, object, payload, place, target, timeout, told, waits, within,
};
use crate::script::Call;

const CLASS: &str = "udpsock";
/// The longest datagram.
const DATAGRAM: usize = 65_536;

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
        "Sets who is sent to and received from. The place must be named by `lua.network.allow`.",
        |lua, call, args| Box::pin(set_peer(lua, call, args)),
    ),
    waits(
        "udpsock:send",
        "local ok, err = sock:send(data)",
        "Sends one datagram: a string or a nested array of strings.",
        |lua, _, args| Box::pin(send(lua, args)),
    ),
    waits(
        "udpsock:receive",
        "local data, err = sock:receive(size?)",
        "Receives one datagram, of which at most `size` bytes are kept.",
        |lua, _, args| Box::pin(receive(lua, args)),
    ),
    now(
        "udpsock:settimeout",
        "sock:settimeout(ms)",
        "How long `receive` may take.",
        |_, _, args| {
            let time = timeout(&args, 2, "settimeout")?;
            inner::<Udp>(&args, "settimeout")?.time.set(time);
            Ok(MultiValue::new())
        },
    ),
    now("udpsock:close", "local ok, err = sock:close()", "Closes it.", |lua, _, args| {
        let closed = inner::<Udp>(&args, "close")?.socket.take().map(|_| Value::Integer(1));
        told(lua, closed.ok_or_else(|| "closed".to_owned()))
    }),
];

struct Udp {
    socket: RefCell<Option<Rc<Open<UdpSocket>>>>,
    time: Cell<Duration>,
}

impl Default for Udp {
    fn default() -> Self {
        Self { socket: RefCell::default(), time: Cell::new(TIMEOUT) }
    }
}

async fn set_peer(lua: Lua, call: Rc<Call>, args: MultiValue) -> mlua::Result<MultiValue> {
    let udp = inner::<Udp>(&args, "setpeername")?;
    let (host, port) = place(&lua, &args, "setpeername")?;
    let peer = match target(&lua, &call, &host, port).await {
        Ok((addresses, held)) => addresses.into_iter().next().map(|peer| (peer, held)),
        Err(words) => return told(&lua, Err(words)),
    };
    let Some((peer, held)) = peer else { return told(&lua, Err("no address".to_owned())) };
    let own: SocketAddr = match peer {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let opened = within(udp.time.get(), async {
        let socket = UdpSocket::bind(own).await?;
        socket.connect(peer).await?;
        Ok(socket)
    });
    let opened = opened.await;
    told(
        &lua,
        opened.map(|socket| {
            udp.socket.replace(Some(Rc::new(Open { socket, _held: held })));
            Value::Integer(1)
        }),
    )
}

async fn send(lua: Lua, args: MultiValue) -> mlua::Result<MultiValue> {
    let udp = inner::<Udp>(&args, "send")?;
    let bytes = payload(&lua, at(&args, 2))?;
    let Some(socket) = udp.socket.borrow().clone() else {
        return told(&lua, Err("closed".to_owned()));
    };
    let sent = within(udp.time.get(), socket.send(&bytes)).await;
    told(&lua, sent.map(|_| Value::Integer(1)))
}

async fn receive(lua: Lua, args: MultiValue) -> mlua::Result<MultiValue> {
    let udp = inner::<Udp>(&args, "receive")?;
    let most = number(at(&args, 2)).map_or(DATAGRAM, |size| (size as usize).clamp(1, DATAGRAM));
    let Some(socket) = udp.socket.borrow().clone() else {
        return told(&lua, Err("closed".to_owned()));
    };
    let mut datagram = vec![0; most];
    match within(udp.time.get(), socket.recv(&mut datagram)).await {
        Ok(length) => string(&lua, datagram.get(..length).unwrap_or_default()).map(one),
        Err(words) => told(&lua, Err(words)),
    }
}
