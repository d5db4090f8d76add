//! What scripts can call: the `ngx` and `waf` tables, one file a table.
//!
//! Each file has one list, `FUNCTIONS`; the lists drive registration, the phase check and
//! `docs/lua-api.md`.

mod answer;
mod arg;
mod arguments;
mod captured;
mod collection;
mod config;
mod constants;
mod ctx;
mod digest;
mod encoding;
mod header;
mod location;
pub(super) mod log;
mod modules;
mod native;
mod page;
mod query;
mod quick;
mod redirect;
mod regex;
mod register;
mod request;
mod request_body;
mod request_headers;
mod rule;
mod semaphore;
mod set_var;
mod shared;
mod socket;
mod system;
mod target;
mod thread;
mod time;
mod timer;
mod var;
mod variables;
pub mod waf;
mod worker;
mod worker_thread;

use std::rc::Rc;

use mlua::{Lua, MultiValue, Value};

pub use arguments::is_small;
pub use ctx::Contexts;
pub(super) use log::warn_of_global;
pub(super) use modules::find as built_in;
pub use page::page;
pub(super) use quick::{
    Stack, bring_forward as bring_context_forward, give_back, hand_of, settle_context, spare,
    withdraw as withdraw_context,
};
pub use socket::Sockets;
pub(super) use system::install as install_system;
pub use thread::status as thread_status;
pub use var::{set as set_variable, value as variable};

use super::{Call, Waiting};
use crate::transaction::PhaseSet;

/// One name of the API.
pub struct Function {
    /// With its tables: `ngx.req.get_method`; a method of an object: `tcpsock:send`.
    pub name: &'static str,
    /// Where it may be called.
    pub phases: PhaseSet,
    /// How it is called, as in `docs/lua-api.md`.
    pub syntax: &'static str,
    /// What it does, in a sentence or three.
    pub doc: &'static str,
    /// What runs.
    pub native: Native,
}

/// What runs when a script uses a name of the API.
pub enum Native {
    /// A function that answers at once.
    Now(fn(&Lua, &Rc<Call>, MultiValue) -> mlua::Result<MultiValue>),
    /// A function that may wait: only for phases where [`crate::transaction::Phase::may_wait`].
    Waits(fn(Lua, Rc<Call>, MultiValue) -> Waiting<'static, mlua::Result<MultiValue>>),
    /// A function that may wait, and often has nothing to wait for; for the same phases.
    MayWait(fn(&Lua, &Rc<Call>, MultiValue) -> mlua::Result<Step>),
    /// A constant, or a table with a life of its own.
    Value(fn(&Lua) -> mlua::Result<Value>),
    /// A field of `ngx` that is computed when it is read: `ngx.status`.
    Property {
        /// Reads it.
        read: Read,
        /// Writes it; none: it cannot be written.
        write: Option<Write>,
    },
    /// A table whose fields are computed when they are read: `ngx.var`.
    Fields {
        /// Reads one.
        read: ReadField,
        /// Writes one; none: they cannot be written.
        write: Option<WriteField>,
    },
}

/// How far a function comes at once that may wait.
pub enum Step {
    /// To its end, with these results.
    Done(MultiValue),
    /// It waits.
    Waits(Waiting<'static, mlua::Result<MultiValue>>),
}

/// Reads a computed field.
pub type Read = fn(&Lua, &Rc<Call>) -> mlua::Result<Value>;
/// Writes a computed field.
pub type Write = fn(&Lua, &Rc<Call>, Value) -> mlua::Result<()>;
/// Reads the field of that name.
pub type ReadField = fn(&Lua, &Rc<Call>, Value) -> mlua::Result<Value>;
/// Writes the field of that name.
pub type WriteField = fn(&Lua, &Rc<Call>, Value, Value) -> mlua::Result<()>;

/// Every phase, and code that runs outside of any (which counts as `init`).
pub const EVERYWHERE: PhaseSet = PhaseSet::of("iIsrachbltXBCH");
/// The phases of an exchange.
pub const EXCHANGE: PhaseSet = PhaseSet::of("srachblB");

/// The lists, one for each file.
pub const TABLES: &[&[Function]] = &[
    answer::FUNCTIONS,
    arg::FUNCTIONS,
    collection::FUNCTIONS,
    config::FUNCTIONS,
    ctx::FUNCTIONS,
    digest::FUNCTIONS,
    encoding::FUNCTIONS,
    header::FUNCTIONS,
    location::FUNCTIONS,
    log::FUNCTIONS,
    query::FUNCTIONS,
    redirect::FUNCTIONS,
    regex::FUNCTIONS,
    request::FUNCTIONS,
    request_body::FUNCTIONS,
    request_headers::FUNCTIONS,
    socket::CLIENT,
    rule::FUNCTIONS,
    semaphore::FUNCTIONS,
    shared::FUNCTIONS,
    socket::TCP,
    socket::UDP,
    thread::FUNCTIONS,
    time::FUNCTIONS,
    timer::FUNCTIONS,
    var::FUNCTIONS,
    waf::FUNCTIONS,
    worker::FUNCTIONS,
    worker_thread::FUNCTIONS,
];

/// All names of the API.
pub fn functions() -> impl Iterator<Item = &'static Function> {
    TABLES.iter().copied().flatten()
}

/// Puts the whole API into a state's globals, and what scripts may `require` without a file into
/// `package.preload`.
///
/// # Errors
/// If the state's memory does not hold it.
pub fn install(lua: &Lua) -> mlua::Result<()> {
    quick::prepare(lua)?;
    for function in functions() {
        register::place(lua, function)?;
    }
    constants::install(lua)?;
    register::finish(lua)?;
    quick::finish(lua)?;
    shared::install(lua)?;
    set_var::install(lua)?;
    modules::install(lua)
}
