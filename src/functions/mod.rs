//! Functions: Lua scripts that come and go while Moongate runs, each with an owner, a route, versions
//! and limits.
//!
//! A [`FunctionStore`] holds what is known of all of them: an immutable [`Registry`] behind one atomic
//! pointer, so that a change is in force for the next request of every worker. What was pushed is kept
//! on disk by content; what is called is held by the worker's [`Holder`], in a Lua state of its own
//! that is made with the first call and dropped when it was idle for long.

mod beside;
mod declaration;
mod disk;
mod failures;
mod function;
mod grants;
mod held;
mod histogram;
mod holder;
mod ledger;
mod name;
mod registry;
mod rollout;
mod route;
mod sharded;
mod store;
mod trial;
mod version;

pub use beside::{Beside, Read};
pub use declaration::{Declaration, Limits};
pub use function::Function;
pub use grants::Grants;
pub use histogram::{Histogram, Times};
pub use holder::{Found, Holder, Place, Reach};
pub use ledger::{Counts, Holding, LastError, Ledger, Reading, Record};
pub use name::Name;
pub use registry::Registry;
pub use rollout::{
    Candidate, Compared, Contest, Difference, Differences, Done, Ending, Event, GATE, Gates,
    Happening, Mode, Rollout, Share, Standing, Sticky, Summary, Turn, remember,
};
pub use route::{FunctionRoute, RouteIndex};
pub use store::{Fault, FunctionStore, Push, Pushed};
pub use trial::Form;
pub use version::{Facts, Version};
