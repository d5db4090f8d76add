//! Lua: states, their sandbox, the budget of a call, `require`, modules, and the API.

pub mod api;
mod call;
mod domain;
mod error;
mod state;

pub use call::{Call, Chunk, Exit, Host, Subject, Waiting, current, with_current};
pub use domain::{DomainSpec, Library, WorkerIndex};
pub use error::{ScriptError, ScriptErrorKind};
pub use state::{Handler, State};
