//! The rule engine's settings after their check.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::HandlerMode;
use crate::diagnostic::{Source, Span};

/// The rule engine's settings, as they hold for one route or for all.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    /// What is loaded, in order.
    pub sources: Vec<RuleSource>,
    /// What it does with what it finds; none: what `SecRuleEngine` says, else `on`.
    pub engine: Option<Engine>,
    /// The Core Rule Set's paranoia level, 1 to 4; none: what the rules say.
    pub paranoia: Option<u8>,
    /// From which anomaly score on the Core Rule Set refuses.
    pub thresholds: Thresholds,
    /// What the rules do not do here, those of all routes first.
    pub exclusions: Vec<Exclusion>,
    /// What judging one exchange may cost.
    pub budget: RuleBudget,
    /// Rules that judge beside these, without effect.
    pub shadow: Option<Box<RulesShadow>>,
}

/// Rules that judge beside those that count, without effect.
#[derive(Debug, Clone)]
pub struct RulesShadow {
    /// For how many exchanges.
    pub mode: HandlerMode,
    /// Them: what they do not say is as for those that count.
    pub rules: Rules,
}

/// What judging one exchange may cost, all phases together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RuleBudget {
    /// For how long rules may run, waiting not counted.
    pub time: Duration,
    /// Bytes that they may look at, each as often as it is looked at.
    pub work: u64,
    /// What becomes of an exchange that costs more.
    pub exceeded: OnExceeded,
}

/// What becomes of an exchange that costs more than it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnExceeded {
    /// It goes on, judged by what was found until then.
    Pass,
    /// It is refused.
    Refuse,
}

/// Rules to load.
#[derive(Debug, Clone)]
pub struct RuleSource {
    /// What they are.
    pub kind: RuleSourceKind,
    /// A file, a folder or a pattern; absolute. Empty for what is built in.
    pub path: PathBuf,
    /// Where it is named; none: on the command line.
    pub named: Option<Named>,
}

/// What rules to load are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RuleSourceKind {
    /// The base rules, which are built into the program.
    Base,
    /// A folder of the OWASP Core Rule Set.
    Crs,
    /// A file, the `.conf` files of a folder, or those that match a pattern.
    Files,
}

/// A place in the settings, for faults that are found when what it names is used.
pub type Named = (Arc<Source>, Span);

/// From which anomaly score on the Core Rule Set refuses; none: what the rules say.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Thresholds {
    /// A request.
    pub inbound: Option<u32>,
    /// A response.
    pub outbound: Option<u32>,
}

/// Rules that do not run, or do not look at something.
#[derive(Debug, Clone)]
pub struct Exclusion {
    /// Which rules.
    pub which: ExcludedRules,
    /// What they do not look at (`ARGS:password`); empty: they do not run at all.
    pub targets: Vec<String>,
    /// Only for requests whose path, as routes match it, begins so.
    pub path: Option<String>,
    /// Where it stands.
    pub named: Named,
}

/// Which rules an [`Exclusion`] is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExcludedRules {
    /// Those of these ids and ranges of ids, both ends included.
    Ids(Vec<(u64, u64)>),
    /// Those whose message a regular expression matches.
    Message(String),
    /// Those of whose tags a regular expression matches one.
    Tag(String),
}

/// What the rule engine does with what it finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Engine {
    /// It only tells.
    Detect,
    /// Nothing: it does not look.
    Off,
    /// It refuses.
    #[default]
    On,
}

impl Engine {
    /// The word in settings, events and Lua.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Detect => "detect",
            Self::Off => "off",
            Self::On => "on",
        }
    }
}
