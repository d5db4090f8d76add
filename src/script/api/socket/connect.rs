//! `tcpsock:connect`.

use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use mlua::{Lua, MultiValue, Table, Value};
use tokio::net::{TcpSocket, TcpStream, UnixStream};

use super::super::arguments::{at, number, push_number, refusal, text, type_name};
use super::super::quick::{give_back, spare};
use super::connection::{Busy, Connection, Failure, Place, Requester, sockets, within};
use super::pool::{Entered, Pool, Pools, pools};
use super::stream::Stream;
use super::tcp::{Tcp, busy, done};
use super::{
    bad, complain, inner, opened, permitted, port, resolved, settings, system_words, trace,
};
use crate::config::SocketSettings;
use crate::script::Call;
use crate::shared::Socket;

/// The most connections that a pool keeps, whatever a script asks for.
const LARGEST_POOL: usize = 10_000;

/// What `connect` was asked for.
struct Wish {
    place: Place,
    /// The address to go out from.
    own: Option<SocketAddr>,
    /// Under which name the connection is kept.
    key: Rc<[u8]>,
    pool_size: Option<usize>,
    backlog: Option<usize>,
}

pub async fn connect(lua: Lua, call: Rc<Call>, args: MultiValue) -> mlua::Result<MultiValue> {
    if !(2..=4).contains(&args.len()) {
        let seen = args.len();
        return Err(super::fault(format!(
            "ngx.socket connect: expecting 2, 3, or 4 arguments (including the object), but seen \
             {seen}"
        )));
    }
    let socket = inner::<Tcp>(&args, "connect")?;
    let settings = settings(&lua, &call);
    let wish = match wish(&lua, &args, (&settings, socket.own.get()))? {
        Ok(wish) => wish,
        Err(words) => return refusal(&lua, words),
    };
    if let Some(words) = socket.held_by_another(&call)? {
        return refusal(&lua, words);
    }
    socket.drop_connection(&call);
    if socket.requester.replace(Some(Requester::of(&call))).is_some() {
        trace(&call, || "lua reuse socket upstream ctx".to_owned());
    }
    socket.key.replace(Some(wish.key.clone()));
    let _connecting = Busy::new(socket.clone(), |socket| &socket.connecting);
    let patience = socket.times.get().connect.unwrap_or(settings.connect_timeout);
    match establish(&lua, &call, &settings, wish, patience).await {
        Ok(connection) => {
            socket.connection.replace(Rc::downgrade(&connection));
            if sockets(&call).keep(connection) {
                trace(&call, || "lua http cleanup reuse".to_owned());
            }
            done(&lua, Ok(Value::Integer(1)))
        }
        Err(words) => refusal(&lua, words),
    }
}

/// What the arguments say, or words that tell why that cannot be.
fn wish(
    lua: &Lua,
    args: &MultiValue,
    (settings, own): (&SocketSettings, Option<SocketAddr>),
) -> mlua::Result<Result<Wish, String>> {
    let host = text(lua, at(args, 2))?.ok_or_else(|| {
        let why = format!("string expected, got {}", type_name(at(args, 2)));
        bad(lua, 1, "connect", &why)
    })?;
    let last = args.len();
    let options = match at(args, last) {
        Value::Table(options) if last > 2 => Some(options),
        _ => None,
    };
    let (name, pool_size, backlog) = match options {
        Some(options) => pool_options(lua, options, last, settings)?,
        None => (None, None, None),
    };
    let host = host.to_string_lossy();
    let given = at(args, 3);
    let has_port = (last > 3 || options.is_none()) && number(given).is_some();
    let port = if has_port {
        match port(given, "connect")? {
            Ok(port) => Some(port),
            Err(words) => return Ok(Err(words)),
        }
    } else if is_path(&host) {
        None
    } else {
        return Ok(Err("missing the port number".to_owned()));
    };
    let key = name.unwrap_or_else(|| match port {
        Some(port) => format!("{host}:{port}").into_bytes(),
        None => host.clone().into_bytes(),
    });
    let key = key.into();
    let port = port.filter(|_| !is_path(&host));
    let place = Place { host, port, address: None };
    Ok(Ok(Wish { place, own, key, pool_size, backlog }))
}

/// Whether a host is a Unix socket's path.
fn is_path(host: &str) -> bool {
    host.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("unix:"))
}

/// Name, size and backlog of the pool.
type PoolOptions = (Option<Vec<u8>>, Option<usize>, Option<usize>);

fn pool_options(
    lua: &Lua,
    options: &Table,
    index: usize,
    settings: &SocketSettings,
) -> mlua::Result<PoolOptions> {
    let wrong = |why: String| bad(lua, index - 1, "connect", &why);
    let size: Value = options.get("pool_size")?;
    let mut pool_size = match number(&size) {
        Some(size) if size >= 1.0 => Some((size as usize).min(LARGEST_POOL)),
        Some(size) => return Err(wrong(format!("bad \"pool_size\" option value: {size}"))),
        None if size.is_nil() => None,
        None => {
            let kind = type_name(&size);
            return Err(wrong(format!("bad \"pool_size\" option type: {kind}")));
        }
    };
    let backlog = match number(&options.get::<Value>("backlog")?) {
        Some(backlog) if backlog >= 0.0 => Some((backlog as usize).min(LARGEST_POOL)),
        Some(backlog) => return Err(wrong(format!("bad \"backlog\" option value: {backlog}"))),
        None => None,
    };
    if backlog.is_some() {
        pool_size = pool_size.or(Some(settings.pool_size));
    }
    let name = match options.get::<Value>("pool")? {
        Value::Nil => None,
        value => {
            let Some(name) = text(lua, &value)? else {
                let kind = type_name(&value);
                return Err(wrong(format!("bad \"pool\" option type: {kind}")));
            };
            Some(name.as_bytes().to_vec())
        }
    };
    Ok((name, pool_size, backlog))
}

/// A connection out of its pool, or a new one.
async fn establish(
    lua: &Lua,
    call: &Rc<Call>,
    settings: &SocketSettings,
    wish: Wish,
    patience: Duration,
) -> Result<Rc<Connection>, String> {
    permitted(lua, &wish.place)?;
    let pools = pools(lua);
    let pool = match (pools.find(&wish.key), wish.pool_size) {
        (Some(pool), _) => Some(pool),
        (None, Some(size)) => pools.open(call, &wish.key, size, wish.backlog),
        (None, None) => None,
    };
    // What a pool's name leads to must still be allowed; where the wish leads is.
    let fits = |connection: &Connection| {
        let place = connection.place();
        place.is_some_and(|place| place.is_at(&wish.place) || permitted(lua, place).is_ok())
    };
    let mut counted = None;
    if let Some(pool) = &pool {
        if let Some(connection) = pool.take(call, fits) {
            return Ok(connection);
        }
        match pool.enter(call, patience).await {
            Ok(Entered::AtOnce(one)) => counted = Some(one),
            Ok(Entered::Queued(one)) => match pool.take(call, fits) {
                Some(connection) => {
                    one.forgo();
                    return Ok(connection);
                }
                None => counted = Some(one),
            },
            Err(failure) => return Err(queued(call, settings, &wish.place, &failure)),
        }
    }
    if wish.place.host.is_empty() {
        return Err("failed to parse host name \"\": no host".to_owned());
    }
    trace(call, || format!("lua tcp socket connect timeout: {}", patience.as_millis()));
    // It is large, and mostly there is one that was kept.
    let dialled = Box::pin(dial(lua, call, settings, (wish.place, wish.own), patience));
    let connection = dialled.await?;
    connection.counted.replace(counted);
    Ok(Rc::new(connection))
}

fn queued(call: &Call, settings: &SocketSettings, place: &Place, failure: &Failure) -> String {
    if *failure == Failure::Timeout {
        let port = place.port.unwrap_or_default();
        let words = format!(
            "lua tcp socket queued connect timed out, when trying to connect to {}:{port}",
            place.host
        );
        complain(call, settings, &words, Some(place));
    }
    failure.to_string()
}

async fn dial(
    lua: &Lua,
    call: &Call,
    settings: &SocketSettings,
    (mut place, own): (Place, Option<SocketAddr>),
    patience: Duration,
) -> Result<Connection, String> {
    let held = opened(lua, call)?;
    let mut refused = None;
    let connected = if let Some(port) = place.port {
        let addresses = resolved(lua, settings, (&place.host, port)).await?;
        place.address = addresses.first().copied();
        within(patience, async {
            let dialled = match own {
                Some(own) => go_out(call, own, &addresses).await,
                None => TcpStream::connect(&*addresses).await,
            };
            dialled.inspect_err(|error| refused = Some(system_words(error)))
        })
        .await
        .map(Socket::Tcp)
    } else {
        let path = place.host.get(5..).unwrap_or_default();
        within(patience, async {
            let dialled = UnixStream::connect(path).await;
            dialled.inspect_err(|error| tell_refusal(call, &place.host, error))
        })
        .await
        .map(Socket::Unix)
    };
    match connected {
        Ok(plain) => {
            if let Socket::Tcp(tcp) = &plain {
                place.address = tcp.peer_addr().ok();
                if settings.nodelay && tcp.set_nodelay(true).is_ok() {
                    trace(call, || "lua socket tcp_nodelay".to_owned());
                }
            }
            Ok(Connection::new(Stream::Plain(plain), place, Some(held)))
        }
        Err(failure) => {
            if let Some(refused) = &refused {
                complain(call, settings, &format!("connect() failed {refused}"), Some(&place));
            } else if failure == Failure::Timeout {
                complain(call, settings, "lua tcp socket connect timed out", Some(&place));
            }
            Err(failure.to_string())
        }
    }
}

/// Connects from an address of the machine to the first that lets it.
async fn go_out(call: &Call, own: SocketAddr, addresses: &[SocketAddr]) -> io::Result<TcpStream> {
    let mut last = io::ErrorKind::AddrNotAvailable.into();
    for address in addresses.iter().filter(|address| address.is_ipv4() == own.is_ipv4()) {
        let socket = if own.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        if let Err(error) = socket.bind(own) {
            let words = format!("bind({}) failed {}", own.ip(), system_words(&error));
            super::say(call, super::CRIT, &words);
            return Err(error);
        }
        match socket.connect(*address).await {
            Ok(connected) => return Ok(connected),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Tells of a path that cannot be connected to, as nginx does at once.
fn tell_refusal(call: &Call, host: &str, error: &io::Error) {
    let usual = error.kind() == io::ErrorKind::ConnectionRefused;
    let level = if usual { super::ERR } else { super::CRIT };
    super::say(call, level, &format!("connect() to {host} failed {}", system_words(error)));
}

/// `tcpsock:setkeepalive`: gives a connection to its pool.
pub fn keep(lua: &Lua, call: &Rc<Call>, args: MultiValue) -> mlua::Result<MultiValue> {
    super::counted(&args, 1..=3, "1 to 3 arguments")?;
    let socket = inner::<Tcp>(&args, "setkeepalive")?;
    let settings = settings(lua, call);
    let given = |index: usize| match at(&args, index) {
        Value::Nil => Ok(None),
        _ => super::whole(lua, &args, index, "setkeepalive").map(Some),
    };
    let time = given(2)?.map(|time| Duration::from_millis(time.max(0) as u64));
    let time = time.unwrap_or(settings.keepalive_timeout);
    let size = given(3)?;
    let connection = match socket.usable(call)? {
        Some(one) if !one.read_closed.get() && !one.write_closed.get() => one,
        _ => return refusal(lua, "closed"),
    };
    if let Some(words) = busy(&socket, &connection, true, true) {
        return refusal(lua, words);
    }
    if !connection.buffer.borrow().is_empty() {
        return refusal(lua, "unread data in buffer");
    }
    match connection.peek() {
        Some(0) => return refusal(lua, "closed"),
        // It is of no use to anybody else, and closed.
        Some(_) => {
            socket.drop_connection(call);
            return done(lua, Ok(Value::Integer(1)));
        }
        None => {}
    }
    let key = socket.key.borrow().clone().unwrap_or_default();
    let known = pools(lua).find(&key);
    let size = match (&known, size) {
        (None, Some(size)) if size <= 0 => {
            let why = format!("bad \"pool_size\" option value: {size}");
            return Err(bad(lua, args.len() - 1, "setkeepalive", &why));
        }
        (_, size) => size.map_or(settings.pool_size, |size| size as usize).min(LARGEST_POOL),
    };
    if let Some(pool) = known.or_else(|| pools(lua).open(call, &key, size, None)) {
        hand_over(&socket, call, &pool, &connection, time);
    } else {
        socket.drop_connection(call);
    }
    done(lua, Ok(Value::Integer(1)))
}

/// Connects to a place by a connection that was kept, if one leads there. It was permitted then, and a
/// state's permissions stay as they are.
pub fn again(socket: &Tcp, call: &Call, pools: &Pools, (host, port): (&str, u16)) -> bool {
    let is_free = !socket.connecting.get() && socket.connection.borrow().strong_count() == 0;
    if !is_free || is_path(host) {
        return false;
    }
    let mut key = spare();
    key.extend_from_slice(host.as_bytes());
    key.push(b':');
    push_number(port.into(), &mut key);
    let pool = pools.find(&key);
    give_back(key);
    let Some(pool) = pool else { return false };
    let Some(connection) = pool.take_from(host, port) else { return false };
    socket.requester.replace(Some(Requester::of(call)));
    socket.key.replace(Some(pool.key().clone()));
    socket.connection.replace(Rc::downgrade(&connection));
    sockets(call).keep(connection);
    true
}

/// Gives a connection back to the pool in which it counts; else the words that tell why not. None: that
/// is for [`keep`].
pub fn give_again(
    socket: &Tcp,
    call: &Call,
    time: impl FnOnce() -> Duration,
) -> Option<Result<(), &'static str>> {
    let connection = socket.usable(call).ok()??;
    let is_open = !connection.read_closed.get() && !connection.write_closed.get();
    if !is_open || busy(socket, &connection, true, true).is_some() {
        return None;
    }
    let pool = connection.counted.borrow().as_ref().map(|counted| counted.pool().clone())?;
    if !connection.buffer.borrow().is_empty() {
        return None;
    }
    match connection.peek() {
        Some(0) => return Some(Err("closed")),
        Some(_) => socket.drop_connection(call),
        None => hand_over(socket, call, &pool, &connection, time()),
    }
    Some(Ok(()))
}

fn hand_over(
    socket: &Tcp,
    call: &Call,
    pool: &Rc<Pool>,
    connection: &Rc<Connection>,
    time: Duration,
) {
    let mut counted = connection.counted.borrow_mut();
    if counted.is_none() {
        *counted = Some(pool.count_in());
    }
    drop(counted);
    trace(call, || {
        if time.is_zero() {
            return "lua tcp socket keepalive timeout: unlimited".to_owned();
        }
        format!("lua tcp socket keepalive timeout: {} ms", time.as_millis())
    });
    socket.drop_connection(call);
    pool.keep(connection.clone(), (!time.is_zero()).then_some(time));
}
