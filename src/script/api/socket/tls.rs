//! `tcpsock:sslhandshake`: TLS by rustls, on a connection of a script.

use std::io;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use mlua::{AnyUserData, Lua, MultiValue, Value};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::client::{ClientSessionMemoryCache, Resumption};
use tokio_rustls::rustls::pki_types::ServerName;

use super::super::arguments::{at, fault as raised, one, refusal, text};
use super::super::log;
use super::certificate::Identity;
use super::connection::{Busy, Connection, Place};
use super::stream::Stream;
use super::tcp::{Tcp, busy};
use super::{complain, inner, settings};
use crate::config::{Protocols, SocketSettings};
use crate::script::Call;
use crate::shared::tls::{Fault, Judge, fault};
use crate::telemetry::events;

/// Sessions that one ticket remembers: TLS 1.3 servers send several.
const SESSIONS: usize = 4;

/// What a script is given for the next handshake with the same server. A session goes on only under
/// the very configuration that began it.
#[derive(Clone)]
pub struct Ticket {
    config: Arc<ClientConfig>,
    terms: Terms,
}

/// What decides whether a server is believed.
#[derive(Clone, PartialEq)]
struct Terms {
    trusted: Option<Bytes>,
    names_it: bool,
    verify: bool,
    identity: Option<Identity>,
}

/// What a handshake was asked for.
struct Wish {
    /// The session to go on with; none: a new one.
    ticket: Option<Ticket>,
    /// Whether the session is to be kept.
    keeps: bool,
    name: Option<String>,
    verify: bool,
    /// Who the script is to a server that asks.
    identity: Option<Identity>,
}

pub async fn handshake(lua: Lua, call: Rc<Call>, args: MultiValue) -> mlua::Result<MultiValue> {
    if !(1..=5).contains(&args.len()) {
        let seen = args.len();
        return Err(raised(format!(
            "ngx.socket sslhandshake: expecting 1 ~ 5 arguments (including the object), but seen \
             {seen}"
        )));
    }
    let socket = inner::<Tcp>(&args, "sslhandshake")?;
    let connection = match socket.usable(&call)? {
        Some(one) if !one.read_closed.get() && !one.write_closed.get() => one,
        _ => return refusal(&lua, "closed"),
    };
    if let Some(words) = busy(&socket, &connection, true, true) {
        return refusal(&lua, words);
    }
    let identity = socket.identity.borrow().clone();
    let wish = Wish { identity, ..wish(&lua, &args)? };
    let settings = settings(&lua, &call);
    if let Some(name) = wish.name.as_deref().filter(|_| events::ScriptSaid::is_wanted(log::DEBUG)) {
        call.say(log::DEBUG, &format!("lua ssl server name: \"{name}\""));
    }
    let time = socket.times.get().connect.unwrap_or(settings.connect_timeout);
    let _connecting = Busy::new(socket.clone(), |socket| &socket.connecting);
    let shaken = shake(&connection, &settings, &wish, time).await;
    if let Err(Refused { words, told }) = shaken {
        socket.drop_connection(&call);
        if let Some(told) = told {
            complain(&call, &settings, &told, connection.place());
        }
        return refusal(&lua, words);
    }
    let ticket = connection.ticket.borrow().clone();
    match ticket {
        Some(ticket) => Ok(one(Value::UserData(lua.create_any_userdata(ticket)?))),
        None => Ok(one(Value::Boolean(true))),
    }
}

/// Why a handshake failed: for the script, and for the log.
struct Refused {
    words: String,
    told: Option<String>,
}

fn wish(lua: &Lua, args: &MultiValue) -> mlua::Result<Wish> {
    let ticket = match at(args, 2) {
        Value::UserData(kept) => kept_ticket(kept),
        _ => None,
    };
    let keeps = !matches!(at(args, 2), Value::Boolean(false));
    let name = text(lua, at(args, 3))?.map(|name| name.to_string_lossy());
    let verify = !matches!(at(args, 4), Value::Nil | Value::Boolean(false));
    Ok(Wish { ticket, keeps, name, verify, identity: None })
}

fn kept_ticket(kept: &AnyUserData) -> Option<Ticket> {
    kept.borrow::<Ticket>().ok().map(|ticket| ticket.clone())
}

async fn shake(
    connection: &Rc<Connection>,
    settings: &SocketSettings,
    wish: &Wish,
    time: std::time::Duration,
) -> Result<(), Refused> {
    let plain = match connection.stream.replace(Stream::Gone) {
        Stream::Plain(plain) => plain,
        // It is done already.
        other => {
            connection.stream.replace(other);
            return Ok(());
        }
    };
    let ticket = ticket(settings, wish).map_err(Refused::plainly)?;
    let config = ticket.config.clone();
    let name = server_name(connection.place(), wish)?;
    let shaken = TlsConnector::from(config).connect(name, plain);
    let tls = match tokio::time::timeout(time, shaken).await {
        Err(_) => return Err(Refused::plainly("timeout".to_owned())),
        Ok(shaken) => shaken.map_err(|error| refused(&error, wish))?,
    };
    connection.stream.replace(Stream::Tls(Box::new(tls)));
    connection.ticket.replace(wish.keeps.then_some(ticket));
    Ok(())
}

/// The session that the handshake goes on with, or the beginning of one.
fn ticket(settings: &SocketSettings, wish: &Wish) -> Result<Ticket, String> {
    let trusted = settings.trusted.clone();
    let (names_it, identity) = (wish.name.is_some(), wish.identity.clone());
    let terms = Terms { trusted, names_it, verify: wish.verify, identity };
    match &wish.ticket {
        Some(ticket) if ticket.terms == terms => Ok(ticket.clone()),
        _ => Ok(Ticket { config: config(settings, wish)?, terms }),
    }
}

fn config(settings: &SocketSettings, wish: &Wish) -> Result<Arc<ClientConfig>, String> {
    let judge = Judge::new(settings.trusted.as_ref(), wish.verify, wish.name.is_some())?;
    let identity = wish.identity.as_ref().map(|own| (own.chain(), own.key()));
    let config = judge.config(identity, Protocols::ALL);
    let mut config = config.map_err(|_| "SSL_use_PrivateKey() failed".to_owned())?;
    config.enable_sni = wish.name.is_some();
    if wish.keeps {
        config.resumption = Resumption::store(Arc::new(ClientSessionMemoryCache::new(SESSIONS)));
    } else {
        config.resumption = Resumption::disabled();
    }
    Ok(Arc::new(config))
}

/// The name that the server's certificate is for. Without one nothing is sent and nothing compared.
fn server_name(place: Option<&Place>, wish: &Wish) -> Result<ServerName<'static>, Refused> {
    let address = place.and_then(|place| place.address);
    let unnamed = || address.map_or(IpAddr::from([0, 0, 0, 0]), |address| address.ip());
    match &wish.name {
        None => Ok(ServerName::from(unnamed())),
        Some(name) => ServerName::try_from(name.clone()).map_err(|_| {
            Refused::plainly(format!("`{name}` is no name that a certificate can have"))
        }),
    }
}

impl Refused {
    fn plainly(words: String) -> Self {
        Self { words, told: None }
    }
}

/// In OpenSSL's words, which scripts know.
fn refused(error: &io::Error, wish: &Wish) -> Refused {
    match fault(error) {
        Some(Fault::Mismatch) => {
            let name = wish.name.as_deref().unwrap_or_default();
            let told = format!("lua ssl certificate does not match host \"{name}\"");
            Refused { words: Fault::Mismatch.to_string(), told: Some(told) }
        }
        Some(Fault::Untrusted(words)) => {
            let told = format!("lua ssl certificate verify error: ({words})");
            Refused { words: words.clone(), told: Some(told) }
        }
        None => {
            let told = format!("SSL_do_handshake() failed (SSL: {error})");
            Refused { words: "handshake failed".to_owned(), told: Some(told) }
        }
    }
}
