//! (to come)

use std::path::Path;

use crate::config::Overrides;
use crate::diagnostic::Diagnostic;

/// Every fault of what `run` would read.
pub fn check(_config_path: Option<&Path>, _overrides: &Overrides) -> Vec<Diagnostic> {
    Vec::new()
}
