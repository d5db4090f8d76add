//! The rule language, SecLang: from text to a tree. It knows nothing of HTTP.
//!
//! [`load`] reads rule files and all that they include; what comes back is always a tree, and
//! always every fault. Names (of variables, operators, transformations, actions) are still words
//! here: [`crate::detection::compile`] gives them their meaning. Only directives are known by name:
//! [`DIRECTIVES`] lists them all.

mod actions;
mod directives;
mod faults;
mod kinds;
mod lexer;
mod load;
mod operator;
mod page;
mod parse;
mod rule_ids;
mod targets;
mod template;
mod tree;

pub use directives::{DIRECTIVES, DirectiveWord, Meaning, directive};
pub use load::load;
pub use page::directives_page;
pub use parse::{parse, source};
pub use targets::parse_targets;
pub use template::{Part, Template};
pub use tree::{
    Action, Directive, DirectiveKind, Operator, Rule, RuleSelector, Selector, Sign, Target, Word,
};
