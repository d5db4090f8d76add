//! What became of candidates: when, what, why, and by whom.

use std::sync::Arc;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

/// Events that are kept of a function.
const MOST: usize = 50;
/// Whom an event names that a gate brought about.
pub const GATE: &str = "gate";

/// Something that became of a candidate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// When.
    pub at: SystemTime,
    /// What.
    pub what: Happening,
    /// Of which version.
    pub digest: Arc<str>,
    /// Why, in words.
    pub why: String,
    /// Who wanted it; `gate`: nobody did, a gate decided.
    pub by: String,
}

/// What can become of a candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Happening {
    /// It was given up.
    Aborted,
    /// It is tried from now on, or tried in another way.
    Began,
    /// Another change of the function ended its trial.
    Ended,
    /// It serves.
    Promoted,
    /// A gate gave it up.
    RolledBack,
}

impl Happening {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Aborted => "aborted",
            Self::Began => "began",
            Self::Ended => "ended",
            Self::Promoted => "promoted",
            Self::RolledBack => "rolled_back",
        }
    }
}

/// One more; the oldest makes room.
pub fn remember(history: &mut Vec<Event>, event: Event) {
    if history.len() >= MOST {
        history.remove(0);
    }
    history.push(event);
}
