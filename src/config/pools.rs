//! Threads on which scripts have things computed aside.

use std::collections::BTreeMap;
use std::time::Duration;

/// The thread pools of a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThreadPools {
    /// By name.
    pub named: BTreeMap<String, ThreadPool>,
    /// Calls that may be under way in all of them together.
    pub states: usize,
}

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ThreadPool {
    /// Threads at the most.
    pub threads: usize,
    /// Calls that may wait for one.
    pub queue: usize,
    /// CPU time that one call may take.
    pub cpu: Duration,
}
