//! Lua: states, their sandbox, the budget of a call, `require`, modules, and the API.

pub mod api;
pub mod builtin;
mod call;
mod compiled;
mod dialect;
mod domain;
mod error;
mod fairness;
mod handler;
mod incarnation;
mod interrupt;
mod lint;
mod meter;
mod module;
mod owner;
mod pattern;
mod require;
mod sandbox;
mod schema;
mod slot;
mod state;
#[cfg(test)]
mod tests;
mod thread_clock;
mod timer;
mod trial;
mod watchdog;

pub use api::variable;
pub use call::{Call, Chunk, Exit, Host, Subject, Waiting, current, with_current};
pub use domain::{DomainSpec, Library, OPERATOR, WorkerIndex};
pub use error::{ScriptError, ScriptErrorKind};
pub use handler::Handler;
pub use module::{ModuleInfo, describe, describe_with};
pub use owner::{OwnerLimits, cpu_of_owner, limit_owner};
pub use schema::{SettingFault, check_settings, settings_files, settled};
pub use state::{State, spec_of, state_of};
pub use timer::Timers;
pub use trial::{Tried, function_source, nobody, try_function};
