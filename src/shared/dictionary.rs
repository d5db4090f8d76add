//! `ngx.shared`: dictionaries that all workers share, bounded in bytes.

/// All declared dictionaries.
#[derive(Debug, Default)]
pub struct Dictionaries {}

/// One of them.
#[derive(Debug, Default)]
pub struct Dictionary {}
