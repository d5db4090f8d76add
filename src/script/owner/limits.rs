//! What an owner may have at once.

use std::time::Duration;

use crate::config::Owner;

/// What an owner may have at once, besides what each of its calls may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OwnerLimits {
    /// Turns that it gets where others with work to do get one; at least 1.
    pub weight: u32,
    /// CPU time that its scripts may use in a second on a worker; past it calls are refused, and those
    /// under way held until the next second. None: as much as is there.
    pub cpu: Option<Duration>,
    /// Bytes that all its states on a worker may hold. A state that grows is bounded by its domain; when
    /// they hold more together, calls are refused until they hold less.
    pub memory: usize,
    /// Calls that may be under way on all workers.
    pub calls: usize,
    /// Connections that its scripts may hold open on all workers.
    pub connections: usize,
    /// Lines of the process's own log in a second, of all workers; none: any.
    pub log_lines: Option<u32>,
}

impl Default for OwnerLimits {
    fn default() -> Self {
        Self::from(&Owner::default())
    }
}

impl From<&Owner> for OwnerLimits {
    fn from(owner: &Owner) -> Self {
        let share = |percent| Duration::from_secs(1) * percent / 100;
        Self {
            weight: owner.weight,
            cpu: owner.cpu_share.map(share),
            memory: owner.memory.unwrap_or(usize::MAX),
            calls: owner.concurrent.unwrap_or(usize::MAX),
            connections: owner.connections.unwrap_or(usize::MAX),
            log_lines: owner.log_rate,
        }
    }
}
