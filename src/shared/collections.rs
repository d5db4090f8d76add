//! SecLang's persistent collections (`IP`, `SESSION`, …): bounded in bytes, members expire.

/// Persistent collections, shared by all workers.
#[derive(Debug, Default)]
pub struct Collections {}
