//! The rule engine: compile ▸ plan ▸ evaluate. It does no I/O, reads no clock, emits no metric and
//! knows no Lua: facts come in with the transaction and go out as an [`Outcome`].

mod actions;
mod bits;
mod compile;
pub mod cost;
mod evaluate;
pub mod injection;
mod inspection;
pub mod operators;
mod page;
pub mod pattern;
mod plan;
mod prefilter;
mod profile;
mod settings;
pub mod transformations;
mod undeclared;
pub mod variables;

pub use compile::{
    ACTIONS, ActionSpec, CONTROLS, Compiled, ControlSpec, Matchers, WELL_KNOWN_TX, compile,
    compile_with, find_action,
};
pub use evaluate::{Recall, forget_verdicts, take_recall};
pub use inspection::{Answer, BodyPlan, Inspection, Interruption, Named, Outcome, Seen, World};
pub use page::{actions_page, operators_page, transformations_page, variables_page};
pub use plan::{
    About, AllowScope, ChainId, ChainNode, Chains, Change, Collection, Control, Deed, Disruption,
    Link, Members, Name, Plan, Rule, RuleFact, RuleIndex, Script, Selecting, Skip, Target,
    TargetSet, TargetSetId, Test, Text, TextPart, TxSlot,
};
pub use profile::{Complaint, Exclusion, Profile, Which};
pub use settings::{AuditEngine, Overflow, Settings};
pub use undeclared::undeclared;
