//! `owners`: what those may have to whom scripts belong.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::lua::check_destination;
use crate::config::section::{Found, Section, list};
use crate::config::settings::OWNER;
use crate::config::{Lua, OPERATOR, Owner, Owners, is_short_name};
use crate::diagnostic::{Diagnostic, nearest};

/// The key of what holds for those who are not named, and for what those who are do not say.
const OTHERS: &str = "default";

/// The owners.
pub fn read(file: &Section<'_>, lua: &Lua) -> Owners {
    let Some(found) = file.get("owners") else { return Owners::default() };
    let entries = found.entries("write one as `team-a: { memory: 256MiB }`");
    let others = entries.iter().find(|(name, ..)| *name == OTHERS);
    let section = |found: &Found<'_>| Owner::default().with(&Section::open(found, &OWNER), lua);
    let others = others.map_or_else(Owner::default, |(.., found)| section(found));
    let (mut named, mut operator) = (BTreeMap::new(), Owner::unbounded());
    for (name, span, found) in entries {
        match name {
            OTHERS => {}
            OPERATOR => operator = bounded(&Section::open(&found, &OWNER), lua),
            name => {
                if !is_short_name(name) {
                    let fault =
                        Diagnostic::error("config::bad-value", "this cannot be an owner's name");
                    let help = "1 to 63 of a-z, 0-9, `-` and `_`, such as `team-a`";
                    found.check.report(fault.help(help), span, "not a name");
                }
                let owner = others.clone().with(&Section::open(&found, &OWNER), lua);
                named.insert(name.to_owned(), Arc::new(owner));
            }
        }
    }
    Owners { named, others: Arc::new(others), operator: Arc::new(operator) }
}

/// The operator's scripts may have bounds, but what they reach is said elsewhere.
fn bounded(section: &Section<'_>, lua: &Lua) -> Owner {
    for name in ["routes", "dictionaries", "collections", "hosts", "response"] {
        if let Some(found) = section.get(name) {
            found.bad_value("nothing is kept from the operator", "take it out");
        }
    }
    let found = Owner::unbounded().with(section, lua);
    let (routes, dictionaries, collections, hosts) = (None, None, None, None);
    Owner { routes, dictionaries, collections, hosts, ..found }
}

impl Owner {
    /// The same, but for what a section says.
    fn with(self, section: &Section<'_>, lua: &Lua) -> Self {
        let count = |name| section.count_given(name).and_then(|count| usize::try_from(count).ok());
        let short = |name| section.count_given(name).and_then(|count| u32::try_from(count).ok());
        let size = section.size_given("memory").and_then(|bytes| usize::try_from(bytes).ok());
        Self {
            weight: short("weight").unwrap_or(self.weight),
            cpu_share: short("cpu_share").or(self.cpu_share),
            memory: size.or(self.memory),
            concurrent: count("concurrent").or(self.concurrent),
            connections: count("connections").or(self.connections),
            response: section.size_given("response").or(self.response),
            log_rate: short("log_rate").or(self.log_rate),
            routes: texts(section, "routes", check_route).or(self.routes),
            dictionaries: texts(section, "dictionaries", |name, found| {
                check_dictionary(name, found, lua);
            })
            .or(self.dictionaries),
            collections: texts(section, "collections", |_, _| {}).or(self.collections),
            hosts: texts(section, "hosts", check_destination).or(self.hosts),
        }
    }
}

/// A list that was written, an empty one too.
fn texts(
    section: &Section<'_>,
    name: &str,
    check: impl Fn(&str, &Found<'_>),
) -> Option<Vec<String>> {
    section.get(name)?;
    let written = section.texts(name).into_iter();
    Some(written.map(|(text, found)| (check(&text, &found), text).1).collect())
}

fn check_route(text: &str, found: &Found<'_>) {
    let path = text.find('/').and_then(|at| text.get(at..)).unwrap_or_default();
    let host = text.strip_suffix(path).unwrap_or_default();
    let named =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-".contains(&byte);
    let plain = |byte: u8| byte.is_ascii_graphic() && !b"?#%\\\"'<>".contains(&byte);
    let hidden = path.contains("//") || path.split('/').any(|part| part == "." || part == "..");
    let sound = !path.is_empty() && host.bytes().all(named) && path.bytes().all(plain) && !hidden;
    if !sound {
        found.bad_value("not a path", "write `/team-a`, or `shop.example/team-a` for one host");
    }
}

fn check_dictionary(name: &str, found: &Found<'_>, lua: &Lua) {
    if lua.shared_dict.contains_key(name) {
        return;
    }
    let known: Vec<&str> = lua.shared_dict.keys().map(String::as_str).collect();
    let help = match nearest(name, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if known.is_empty() => {
            format!("declare it: `lua: {{ shared_dict: {{ {name}: 1MiB }} }}`")
        }
        None => format!("`lua.shared_dict` has {}", list(&known)),
    };
    let message = format!("there is no dictionary `{}`", name.escape_debug());
    found.report(Diagnostic::warning("config::not-found", message).help(help), "named here");
}
