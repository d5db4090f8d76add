//! Sets of networks, under `resty.ipmatcher`.

use std::collections::{BTreeSet, HashMap};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use mlua::{Lua, LuaString, MultiValue, Table, UserData, UserDataRef, Value};

use super::super::arguments::{one, refusal};

/// Networks that one set may hold.
const MOST: usize = 1_000_000;

/// `{ new = …, match = …, match_bytes = …, parse_ipv4 = …, parse_ipv6 = … }`.
pub fn natives(lua: &Lua) -> mlua::Result<Value> {
    let natives = lua.create_table()?;
    natives.raw_set("new", lua.create_function(new)?)?;
    let by_text = |lua: &Lua, (set, text): (UserDataRef<Networks>, LuaString)| match parsed(&text) {
        Some(address) => set.answer(address),
        None => refusal(lua, "invalid ip address, not ipv4 and ipv6"),
    };
    natives.raw_set("match", lua.create_function(by_text)?)?;
    let by_bytes = |lua: &Lua, (set, bytes): (UserDataRef<Networks>, LuaString)| {
        let bytes = bytes.as_bytes();
        if let Ok(bytes) = <[u8; 4]>::try_from(&*bytes) {
            return set.answer(IpAddr::from(bytes));
        }
        match <[u8; 16]>::try_from(&*bytes) {
            Ok(bytes) => set.answer(IpAddr::from(bytes)),
            Err(_) => refusal(lua, "invalid ip address, not ipv4 and ipv6"),
        }
    };
    natives.raw_set("match_bytes", lua.create_function(by_bytes)?)?;
    let v4 = |_: &Lua, text: String| {
        Ok(text.parse::<Ipv4Addr>().ok().map(|address| f64::from(u32::from(address))))
    };
    natives.raw_set("parse_ipv4", lua.create_function(v4)?)?;
    let v6 = |lua: &Lua, text: String| {
        let bare = text.trim_start_matches('[').trim_end_matches(']');
        let Ok(address) = bare.parse::<Ipv6Addr>() else { return Ok(Value::Boolean(false)) };
        let words = address.octets();
        let numbers = words.as_chunks::<4>().0.iter().map(|four| u32::from_be_bytes(*four) as i32);
        lua.create_sequence_from(numbers).map(Value::Table)
    };
    natives.raw_set("parse_ipv6", lua.create_function(v6)?)?;
    Ok(Value::Table(natives))
}

/// Networks, and which of a list each is, from 1.
struct Networks {
    places: HashMap<IpNet, usize>,
    /// Lengths of prefixes that occur, of IPv4 and of IPv6.
    lengths: [BTreeSet<u8>; 2],
}

impl UserData for Networks {}

impl Networks {
    /// Which of the list is the narrowest that has the address.
    fn answer(&self, address: IpAddr) -> mlua::Result<MultiValue> {
        let lengths = self.lengths.get(usize::from(address.is_ipv6())).into_iter().flatten();
        let found = lengths.rev().find_map(|length| {
            let network = IpNet::new(address, *length).ok()?.trunc();
            self.places.get(&network)
        });
        Ok(one(found.map_or(Value::Nil, |place| Value::Integer(*place as i64))))
    }
}

fn parsed(text: &LuaString) -> Option<IpAddr> {
    std::str::from_utf8(&text.as_bytes()).ok()?.parse().ok()
}

fn new(lua: &Lua, list: Table) -> mlua::Result<MultiValue> {
    let mut set = Networks { places: HashMap::new(), lengths: Default::default() };
    for (place, text) in list.sequence_values::<LuaString>().enumerate().take(MOST) {
        let text = text?.to_string_lossy();
        let network = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
        let Ok(network) = network else {
            return refusal(lua, format!("invalid ip address: {text}"));
        };
        let network = network.trunc();
        let family = usize::from(matches!(network, IpNet::V6(_)));
        if let Some(lengths) = set.lengths.get_mut(family) {
            lengths.insert(network.prefix_len());
        }
        set.places.insert(network, place + 1);
    }
    Ok(one(Value::UserData(lua.create_userdata(set)?)))
}
