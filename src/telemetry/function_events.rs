//! Facts of functions.

use std::time::Duration;

use super::log;
use super::metrics::{function, metrics};

/// A function was called, and is done.
pub struct FunctionCalled<'a> {
    /// Whose it is.
    pub owner: &'a str,
    /// Its name.
    pub function: &'a str,
    /// CPU time.
    pub cpu: Duration,
    /// As for [`LuaCalled`].
    pub outcome: &'static str,
}

impl FunctionCalled<'_> {
    /// Counts it.
    pub fn emit(self) {
        function(self.owner, self.function).called(self.cpu, self.outcome);
    }
}

/// A function was not called, because as many calls of it ran as may.
pub struct FunctionRefused<'a> {
    /// Whose it is.
    pub owner: &'a str,
    /// Its name.
    pub function: &'a str,
}

impl FunctionRefused<'_> {
    /// Counts it.
    pub fn emit(self) {
        function(self.owner, self.function).refused();
    }
}

/// A worker made a state for a function.
pub struct FunctionLoaded<'a> {
    /// Whose it is.
    pub owner: &'a str,
    /// Its name.
    pub function: &'a str,
    /// From the call for it until it could run.
    pub took: Duration,
}

impl FunctionLoaded<'_> {
    /// Counts it.
    pub fn emit(self) {
        function(self.owner, self.function).loaded(self.took);
    }
}

/// The time of a function is over: it is gone.
pub struct FunctionExpired<'a> {
    /// Its name.
    pub name: &'a str,
}

impl FunctionExpired<'_> {
    /// Says so.
    pub fn emit(self) {
        log::info(format!("function `{}` is gone: its time is over", self.name));
    }
}

/// Something became of a version that is tried.
pub struct FunctionRolled<'a> {
    /// The function.
    pub function: &'a str,
    /// The version.
    pub digest: &'a str,
    /// One of a closed list, such as `rolled_back`.
    pub what: &'static str,
    /// Why.
    pub why: &'a str,
    /// Who wanted it; `gate`: a gate decided.
    pub by: &'a str,
}

impl FunctionRolled<'_> {
    /// Counts it, and says it in the process's own log.
    pub fn emit(self) {
        let Self { function, digest, what, why, by } = self;
        metrics().function_rollouts.with(&[what]).inc();
        let short = digest.get(..12).unwrap_or(digest);
        log::info(format!("function `{function}`: version {short} {what} (by {by}): {why}"));
    }
}

/// Something became of a policy that is tried.
pub struct PolicyRolled<'a> {
    /// The policy.
    pub digest: &'a str,
    /// As for [`FunctionRolled`].
    pub what: &'static str,
    /// Why.
    pub why: &'a str,
    /// Who wanted it; `gate`: a gate decided.
    pub by: &'a str,
}

impl PolicyRolled<'_> {
    /// Counts it, and says it in the process's own log.
    pub fn emit(self) {
        let Self { digest, what, why, by } = self;
        metrics().policy_rollouts.with(&[what]).inc();
        let short = digest.get(..12).unwrap_or(digest);
        log::info(format!("policy {short} {what} (by {by}): {why}"));
    }
}
