//! What the rule engine found in an exchange: facts for scripts, logs and metrics.

use std::time::Duration;

/// When a rule runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RulePhase {
    /// 1
    RequestHeaders,
    /// 2
    RequestBody,
    /// 3
    ResponseHeaders,
    /// 4
    ResponseBody,
    /// 5
    Logging,
}

/// ModSecurity's severities; the lower the graver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "syslog's words")]
pub enum Severity {
    Emergency,
    Alert,
    Critical,
    Error,
    Warning,
    Notice,
    Info,
    Debug,
}

/// A rule that matched, all macros expanded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Match {
    /// Its id.
    pub id: u64,
    /// In which phase.
    pub phase: RulePhase,
    /// `msg`
    pub message: Vec<u8>,
    /// `logdata`
    pub data: Vec<u8>,
    /// The file and line of the rule; empty for a match that a script added.
    pub place: String,
    /// `tag`, in order.
    pub tags: Vec<String>,
    /// `severity`
    pub severity: Option<Severity>,
    /// The name of the variable that matched, such as `ARGS:q`.
    pub variable: Vec<u8>,
    /// What of it, at most 200 bytes.
    pub value: Vec<u8>,
    /// Whether the event log tells of it (`log`, not `nolog`).
    pub logged: bool,
    /// Whether the audit log does.
    pub audited: bool,
    /// Whether it ended the exchange (or would have, in `detect`).
    pub disruptive: bool,
}

/// What the rule engine found in an exchange.
#[derive(Debug, Default)]
pub struct Findings {
    /// The rules that matched, in order.
    pub matches: Vec<Match>,
    /// The anomaly scores at the end.
    pub scores: Scores,
    /// In `detect`: the rule that would have ended the exchange.
    pub would_have: Option<u64>,
    /// What is done with what the rules find: `on` or `detect`; none: no rule looked.
    pub mode: Option<&'static str>,
    /// How often an expression was given up at its step limit.
    pub cuts: u32,
    /// What it cost.
    pub cost: Cost,
}

/// What judging an exchange cost, and what it may cost.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cost {
    /// Bytes that were looked at, each as often as it was looked at.
    pub work: u64,
    /// How many they may be.
    pub work_limit: u64,
    /// How long rules ran, waiting not counted.
    pub time: Duration,
    /// How long they may.
    pub time_limit: Duration,
    /// How it came to be too much, if it did.
    pub exceeded: Option<Exceeded>,
}

/// How an exchange came to cost more than it may.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exceeded {
    /// Which part of the budget.
    pub part: BudgetPart,
    /// The rule that ran; none: no one rule did.
    pub rule: Option<u64>,
    /// The phase that ran.
    pub phase: RulePhase,
    /// What was spent: bytes, or microseconds where the part is time.
    pub spent: u64,
    /// What may be spent, in the same unit.
    pub limit: u64,
    /// Whether the exchange was refused for it.
    pub refused: bool,
}

/// A part of what an exchange may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BudgetPart {
    /// The share of the work that one rule may take.
    Rule,
    /// The time.
    Time,
    /// The work.
    Work,
}

/// The anomaly scores that the rule set keeps in `TX`, as they are now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Scores {
    /// Of the request.
    pub inbound: i64,
    /// Of the response.
    pub outbound: i64,
}

impl BudgetPart {
    /// The word in events and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rule => "rule",
            Self::Time => "time",
            Self::Work => "work",
        }
    }
}

impl Severity {
    /// The word in events and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Emergency => "emergency",
            Self::Alert => "alert",
            Self::Critical => "critical",
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Notice => "notice",
            Self::Info => "info",
            Self::Debug => "debug",
        }
    }
}

impl RulePhase {
    /// All of them, in order.
    pub const ALL: [Self; 5] = [
        Self::RequestHeaders,
        Self::RequestBody,
        Self::ResponseHeaders,
        Self::ResponseBody,
        Self::Logging,
    ];

    /// Its number, 1 to 5.
    pub fn number(self) -> u8 {
        self as u8 + 1
    }
}
