//! Lua: states, their sandbox, the budget of a call, `require`, modules, and the API.

pub mod api;
mod bell;
pub mod builtin;
mod call;
mod compiled;
mod dialect;
mod coroutine;
mod domain;
mod error;
mod fairness;
mod guard;
mod handler;
mod handshake;
mod incarnation;
mod inner;
mod interrupt;
mod jump;
mod light;
mod lint;
mod meter;
mod module;
mod owner;
mod parked;
mod pattern;
pub mod pool;
mod replace;
mod require;
mod review;
mod room;
mod sandbox;
mod schema;
mod slot;
mod soon;
mod source;
mod state;
#[cfg(test)]
mod tests;
mod thread_clock;
mod threads;
mod timer;
mod trial;
mod watchdog;
mod within;
mod words;

pub use api::{Contexts, set_variable, variable};
pub use call::{
    Call, Chunk, ClientSide, Exit, Host, Part, Subject, Waiting, current, with_current,
};
pub use domain::{DomainSpec, Library, OPERATOR, SecretsFor, WorkerIndex};
pub use error::{ScriptError, ScriptErrorKind, Unplaced, message as error_text};
pub use fairness::polled;
pub use handler::Handler;
pub use handshake::{Above, Handshake};
pub use inner::apart;
pub use light::{Light, reason};
pub use module::{ModuleInfo, describe, describe_with};
pub use owner::{
    OwnerLimits, OwnerTotals, cpu_of_owner, is_owner_full, limit_owner, limit_owners, may_speak,
    owner_totals, tell_floods,
};
pub use review::{Remark, Script, review};
pub use schema::{SettingFault, check_settings, settings_files, settled};
pub use state::{State, spec_of, state_of, tell};
pub use threads::Threads;
pub use timer::{Terms, Timers, Work};
pub use trial::{Tried, function_source, nobody, try_function};
pub use within::{Captured, DEEPEST, Detour, Joint, MOST, Origin, REDIRECTS, Subrequest, Way};
