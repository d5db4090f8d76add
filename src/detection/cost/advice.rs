//! x
use crate::detection::{Plan, Rule};
use crate::diagnostic::Diagnostic;
/// x
pub fn advice(_plan: &Plan) -> Vec<Diagnostic> { Vec::new() }
/// x
pub fn origin(_rule: &Rule) -> Option<&str> { None }
