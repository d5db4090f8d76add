//! Functions: Lua scripts that come and go while Moongate runs, each with an owner, a route, versions
//! and limits.
//!
//! A [`FunctionStore`] holds what is known of all of them: an immutable [`Registry`] behind one atomic
//! pointer, so that a change is in force for the next request of every worker. What was pushed is kept
//! on disk by content; what is called is held by the worker's [`Holder`], in a Lua state of its own
//! that is made with the first call and dropped when it was idle for long.

mod declaration;
mod disk;
mod function;
mod holder;
mod ledger;
mod name;
mod registry;
mod route;
mod sharded;
mod store;
mod trial;
mod version;

pub use declaration::{Declaration, Limits};
pub use function::Function;
pub use holder::{Found, Holder, Reach};
pub use ledger::{Holding, Ledger, Reading, Record};
pub use name::Name;
pub use registry::Registry;
pub use route::{FunctionRoute, RouteIndex};
pub use store::{Fault, FunctionStore, Push, Pushed};
pub use trial::Form;
pub use version::{Facts, Version};
