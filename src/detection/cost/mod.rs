//! What rules cost: estimated from what they are, and measured over recorded requests.
//!
//! Beside the engine, not in it: nothing here is on a request's way. The estimate is made of what
//! the compiler knows of a rule. The measurement gathers what each rule looks at in an exchange that
//! the engine has judged, and then runs the rule's own tests over those of the values that meet its
//! needs. Whoever measures brings the clock.

mod advice;
mod constructs;
mod estimate;
mod ordinary;
mod shortlist;
mod survey;
mod test;
mod values;

pub(super) use advice::Sources;
pub use advice::advice;
pub use estimate::{Estimate, LinkEstimate, Unsifted, estimate};
pub use survey::{Spent, Survey, judge};
