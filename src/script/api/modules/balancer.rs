//! The natives of `ngx.balancer`: what a script decides of the try that begins.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use mlua::{Function, Lua, MultiValue, Value};

use crate::script::api::arguments::{fault, refusal};
use crate::script::current;
use crate::transaction::{Kept, Phase, Times, Turn};

/// The longest time that a script can set.
const LONGEST: f64 = 86_400.0;

/// A table of them.
pub(super) fn natives(lua: &Lua) -> mlua::Result<Value> {
    let table = lua.create_table()?;
    table.raw_set("set_current_peer", set_current_peer(lua)?)?;
    table.raw_set("enable_keepalive", enable_keepalive(lua)?)?;
    table.raw_set("set_more_tries", set_more_tries(lua)?)?;
    table.raw_set("get_last_failure", get_last_failure(lua)?)?;
    table.raw_set("set_timeouts", set_timeouts(lua)?)?;
    table.raw_set("recreate_request", recreate_request(lua)?)?;
    table.raw_set("bind_to_local_addr", bind_to_local_addr(lua)?)?;
    Ok(Value::Table(table))
}

/// What the deed makes of the turn of the script that is executing; words, if it has none.
fn turn<T>(
    deed: impl FnOnce(&mut Turn) -> Result<T, &'static str>,
) -> mlua::Result<Result<T, &'static str>> {
    let nobody = || fault("no request found");
    let call = current().ok_or_else(nobody)?;
    let subject = call.subject.as_ref().ok_or_else(nobody)?;
    let mut transaction = subject.transaction.borrow_mut();
    if call.phase != Phase::Balancer {
        let words = match &transaction.upstream.peer {
            None => "no upstream found",
            Some(_) => "API disabled in the current context",
        };
        return Ok(Err(words));
    }
    Ok(transaction.upstream.turn.as_mut().ok_or("no upstream found").and_then(|turn| deed(turn)))
}

/// `true`, or `nil` and words.
fn answer(lua: &Lua, done: Result<(), &'static str>) -> mlua::Result<MultiValue> {
    match done {
        Ok(()) => Ok(MultiValue::from_vec(vec![Value::Boolean(true)])),
        Err(words) => refusal(lua, words),
    }
}

fn set_current_peer(lua: &Lua) -> mlua::Result<Function> {
    lua.create_function(|lua, (address, port): (mlua::LuaString, f64)| {
        let set = |turn: &mut Turn| {
            turn.peer = Some(peer(&address.to_string_lossy(), port)?);
            Ok(())
        };
        answer(lua, turn(set)?)
    })
}

/// An address, which may have a port of its own. Names are not looked up, as in nginx.
fn peer(text: &str, port: f64) -> Result<SocketAddr, &'static str> {
    let port = Some(port).filter(|port| (0.0..65_536.0).contains(port)).ok_or("invalid port")?;
    if let Ok(peer) = text.parse::<SocketAddr>() {
        return Ok(peer);
    }
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    match bare.parse::<IpAddr>() {
        Ok(address) => Ok(SocketAddr::new(address, port as u16)),
        Err(_) => Err("no host allowed"),
    }
}

fn enable_keepalive(lua: &Lua) -> mlua::Result<Function> {
    lua.create_function(|lua, idle: f64| {
        let set = |turn: &mut Turn| {
            turn.peer.ok_or("no current peer set")?;
            turn.kept = Some(Kept { idle: seconds(idle) });
            Ok(())
        };
        answer(lua, turn(set)?)
    })
}

fn set_more_tries(lua: &Lua) -> mlua::Result<Function> {
    lua.create_function(|lua, count: f64| {
        let wanted = turn(|turn| Ok(turn.want(count.clamp(0.0, f64::from(u32::MAX)) as u32)))?;
        match wanted {
            Ok(true) => answer(lua, Ok(())),
            Ok(false) => {
                let words = lua.create_string("reduced tries due to limit")?;
                Ok(MultiValue::from_vec(vec![Value::Boolean(true), Value::String(words)]))
            }
            Err(words) => refusal(lua, words),
        }
    })
}

fn get_last_failure(lua: &Lua) -> mlua::Result<Function> {
    lua.create_function(|lua, ()| {
        let failure = match turn(|turn| Ok(turn.failure))? {
            Ok(None) => return Ok(MultiValue::from_vec(vec![Value::Nil])),
            Ok(Some(failure)) => failure,
            Err(words) => {
                let words = Value::String(lua.create_string(words)?);
                return Ok(MultiValue::from_vec(vec![Value::Nil, Value::Nil, words]));
            }
        };
        let state = if failure.is_sound { "next" } else { "failed" };
        let state = Value::String(lua.create_string(state)?);
        Ok(MultiValue::from_vec(vec![state, Value::Integer(i64::from(failure.status))]))
    })
}

fn set_timeouts(lua: &Lua) -> mlua::Result<Function> {
    type Seconds = (Option<f64>, Option<f64>, Option<f64>);
    lua.create_function(|lua, (connect, send, read): Seconds| {
        let set = |turn: &mut Turn| {
            let Times { connect: known, send: sent, read: heard } = turn.times;
            turn.times = Times {
                connect: connect.map(seconds).or(known),
                send: send.map(seconds).or(sent),
                read: read.map(seconds).or(heard),
            };
            Ok(())
        };
        answer(lua, turn(set)?)
    })
}

fn recreate_request(lua: &Lua) -> mlua::Result<Function> {
    lua.create_function(|lua, ()| {
        let set = |turn: &mut Turn| {
            turn.recreates = true;
            Ok(())
        };
        answer(lua, turn(set)?)
    })
}

fn bind_to_local_addr(lua: &Lua) -> mlua::Result<Function> {
    lua.create_function(|lua, address: mlua::LuaString| {
        let text = address.to_string_lossy();
        let Ok(local) = peer(&text, 0.0) else {
            return refusal(lua, format!("invalid addr {text}"));
        };
        let set = |turn: &mut Turn| {
            turn.local = Some(local);
            Ok(())
        };
        answer(lua, turn(set)?)
    })
}

/// In whole milliseconds, at least one.
fn seconds(number: f64) -> Duration {
    let number = if number.is_nan() { 0.0 } else { number.clamp(0.001, LONGEST) };
    Duration::from_millis((number * 1000.0) as u64)
}

#[cfg(test)]
mod tests {
    use super::peer;

    #[test]
    fn a_peer_is_an_address_and_no_name() {
        let seen = |text: &str, port: f64| peer(text, port).map(|peer| peer.to_string());
        assert_eq!(seen("127.0.0.1", 81.0).as_deref(), Ok("127.0.0.1:81"));
        assert_eq!(seen("127.0.0.1:82", 81.0).as_deref(), Ok("127.0.0.1:82"));
        assert_eq!(seen("[::1]", 81.0).as_deref(), Ok("[::1]:81"));
        assert_eq!(seen("::1", 81.0).as_deref(), Ok("[::1]:81"));
        assert_eq!(seen("app.example", 81.0), Err("no host allowed"));
        assert_eq!(seen("127.0.0.1", 65_536.0), Err("invalid port"));
        assert_eq!(seen("127.0.0.1", -1.0), Err("invalid port"));
        assert_eq!(seen("127.0.0.1", f64::NAN), Err("invalid port"));
    }
}
