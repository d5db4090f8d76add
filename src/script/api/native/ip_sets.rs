//! `waf.ip_set`: addresses and networks, in Rust, shared by all workers.

use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;

use ipnet::IpNet;
use mlua::{IntoLuaMulti, Lua, MultiValue, UserData, UserDataMethods};

use super::ballast::Ballast;
use super::settings::{self, File};
use super::shelf::{Digest, Shelf, digest};
use crate::script::{Call, current};
use crate::shared::ip_set::{IpSet, address, networks};

/// Bytes that a range takes, about.
const RANGE: usize = 40;

static SETS: Shelf<IpSet> = Shelf::new();

/// `waf.ip_set{ items = {...}, files = {...} }`
///
/// # Errors
/// Every line that is no address and no network, with its file.
pub fn ip_set(lua: &Lua, _call: &Rc<Call>, args: MultiValue) -> mlua::Result<MultiValue> {
    let table = settings::table(lua, &args, "ip_set")?;
    let items = settings::texts(&table, "items")?;
    let files = settings::files(lua, &table, "files")?;
    let set = SETS.take(digest_of(&items, &files), || build(&items, &files))?;
    let ballast = Ballast::take(lua, set.len() * RANGE)?;
    Handle(set, ballast).into_lua_multi(lua)
}

/// A set in the hands of a script.
struct Handle(Arc<IpSet>, #[expect(dead_code, reason = "it counts while it is held")] Ballast);

impl UserData for Handle {
    fn add_methods<M: UserDataMethods<Self>>(methods: &mut M) {
        methods.add_method("contains", |_, set, text: Option<mlua::LuaString>| {
            let address = match &text {
                Some(text) => address(&text.as_bytes()),
                None => client(),
            };
            Ok(address.is_some_and(|address| set.0.contains(address)))
        });
        methods.add_method("len", |_, set, ()| Ok(set.0.len()));
    }
}

/// Who asks now.
fn client() -> Option<IpAddr> {
    let call = current()?;
    let subject = call.subject.as_ref()?;
    Some(subject.transaction.borrow().client.address)
}

fn digest_of(items: &[String], files: &[File]) -> Digest {
    let items = items.iter().map(String::as_bytes);
    // The empty text stands between the two lists: an item is never empty.
    digest(items.chain([&b""[..]]).chain(files.iter().map(|file| &file.digest[..])))
}

fn build(items: &[String], files: &[File]) -> mlua::Result<IpSet> {
    let (mut nets, mut complaints): (Vec<IpNet>, Vec<String>) = (Vec::new(), Vec::new());
    for item in items {
        let (found, faults) = networks(item.as_bytes());
        nets.extend(found);
        complaints.extend(faults.into_iter().map(|(_, message)| message));
    }
    for File { path, bytes, .. } in files {
        let (found, faults) = networks(bytes);
        nets.extend(found);
        complaints.extend(faults.into_iter().map(|(line, text)| format!("{path}:{line}: {text}")));
    }
    if complaints.is_empty() {
        Ok(IpSet::from_nets(nets))
    } else {
        Err(settings::faults(&complaints))
    }
}
