//! The short way into functions that scripts call a hundred times in a request.
//!
//! mlua protects each value that crosses between Lua and Rust on its own; that is dear where there is
//! a memory limit. What is here reads arguments from the stack and puts results there, inside of the
//! one protection that Luau gives every native function. It answers the common case only: whatever
//! else it is given goes the long way, in the same frame, as if there were no short one. So all errors,
//! refusals and rare types are in one place.

mod answer;
mod context;
mod digest;
mod encoding;
mod facts;
mod headers;
mod json;
mod kept;
mod lights;
mod location;
mod log;
mod made;
mod owned;
mod query;
mod regex;
mod request;
mod route;
mod semaphore;
mod shared;
mod sockets;
mod stack;
mod tape;
mod time;
mod timers;
mod variables;
mod waits;
mod walk;

use mlua::{Function as LuaFunction, Lua};

pub use self::context::{
    bring_forward, hand, hand_of, keep as keep_context, let_go as let_go_of_context,
    settle as settle_context, withdraw,
};
pub use self::facts::{Facts, facts};
pub use self::headers::IN_ANY_CASE;
pub use self::made::Made;
pub use self::owned::{Object, itself, object, own};
pub use self::regex::note as note_regex;
pub use self::route::{Answer, Out, Run, give_back, spare};
pub use self::stack::{Plain, Stack, made};
pub use self::waits::{caller, leaves, returns, wait_for, waiting};

use super::Function;
use super::request_headers::any_case;

/// A short way into one function of the API.
pub struct Quick {
    /// The function's name; of a table's fields: the table's, and what is done with them.
    pub name: &'static str,
    /// What runs.
    pub run: Run,
}

/// The lists, one for each family.
const TABLES: &[&[Quick]] = &[
    answer::QUICK,
    context::QUICK,
    digest::QUICK,
    encoding::QUICK,
    headers::QUICK,
    json::QUICK,
    lights::QUICK,
    location::QUICK,
    log::QUICK,
    regex::QUICK,
    request::QUICK,
    semaphore::QUICK,
    shared::QUICK,
    sockets::QUICK,
    time::QUICK,
    timers::QUICK,
    variables::QUICK,
];

/// Makes what short ways of a fresh state need.
///
/// # Errors
/// If its memory does not hold it.
pub fn prepare(lua: &Lua) -> mlua::Result<()> {
    context::prepare(lua)?;
    owned::prepare(lua)?;
    any_case(lua).map(drop)
}

/// Puts the ways that call back into scripts before those of the tables that are there by now.
///
/// # Errors
/// If the state's memory is spent.
pub fn finish(lua: &Lua) -> mlua::Result<()> {
    regex::install(lua)
}

/// The function with its short way before it, if it has one of that name.
///
/// # Errors
/// If the state's memory is spent.
pub fn before(
    lua: &Lua,
    name: &str,
    function: Option<&'static Function>,
    long: LuaFunction,
) -> mlua::Result<LuaFunction> {
    match find(name) {
        Some(quick) => route::shorten(lua, quick, function, long),
        None => Ok(long),
    }
}

/// The same of a function of Luau's, which calls back.
fn before_luau(lua: &Lua, name: &str, function: LuaFunction) -> mlua::Result<LuaFunction> {
    match find(name) {
        Some(quick) => route::before_luau(lua, quick, function),
        None => Ok(function),
    }
}

fn find(name: &str) -> Option<&'static Quick> {
    TABLES.iter().copied().flatten().find(|quick| quick.name == name)
}
