//! A script that chooses the peers of an upstream.

use super::Attachment;

/// A script that chooses the peer of each try.
#[derive(Debug, Clone)]
pub struct Balancing {
    /// The script.
    pub handler: Attachment,
    /// Whether connections are kept though the script says nothing of it: `keepalive` is told.
    pub keeps: bool,
    /// Tries of a request at the most, however many more the script wants; 0: as many as it wants.
    pub most_tries: u32,
}
