//! What rules have become: everything resolved to numbers, nothing looked up by name at run time.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use super::bits::Bits;
use super::operators::{Matcher, Operator, Sense};
use super::pattern::{Found, Pattern};
use super::prefilter::Prefilter;
use super::variables::Variable;
use crate::diagnostic::Source;
use crate::transaction::args::XPath;
use crate::transaction::{RulePhase, Severity};

/// A compiled rule set: immutable, shared by all workers and routes. What differs by route is in a
/// [`super::Profile`].
#[derive(Debug, Default)]
pub struct Plan {
    /// What the `Sec…` directives set.
    pub settings: super::Settings,
    /// All rules, in the order of the files. A chain is one rule.
    pub rules: Vec<Rule>,
    /// For each rule phase, the rules that run in it, in order.
    pub phases: [Vec<RuleIndex>; 5],
    /// Distinct lists of targets: rules that look at the same things share one, so that what they
    /// select is found once.
    pub target_sets: Vec<TargetSet>,
    /// Distinct chains of transformations, as a trie.
    pub chains: Chains,
    /// Every name of a `TX` member that occurs literally in a rule, lower case: its index is its
    /// slot. The first ten are `0` to `9`, what captures go to; then come those of
    /// [`super::WELL_KNOWN_TX`]. Names that come up at run time get slots after these.
    pub tx_names: Vec<Box<[u8]>>,
    /// The Lua files that rules call (`@inspectFile`, `exec`), each once.
    pub scripts: Vec<Script>,
    /// What rules need to match at all.
    pub prefilter: Prefilter,
    /// Whether a rule looks at `REQBODY_ERROR`, and so decides what becomes of what cannot be read.
    pub judges_errors: bool,
    /// The places of `tx_names`, by name; made when it is first asked for.
    pub(super) tx_slots: OnceLock<HashMap<Box<[u8]>, TxSlot>>,
}

/// A Lua file that rules call.
#[derive(Debug, Clone)]
pub struct Script {
    /// Its path, by which [`super::operators::Question::Script`] asks for it.
    pub path: Box<str>,
    /// What it says; what is not UTF-8 is replaced, and the Lua compiler says where.
    pub text: Arc<str>,
}

impl Plan {
    /// The slot of a member of `TX` whose name (lower case) occurs in a rule or is well known.
    pub fn tx_slot(&self, name: &[u8]) -> Option<TxSlot> {
        let numbered = || self.tx_names.iter().cloned().zip((0..).map(TxSlot)).collect();
        self.tx_slots.get_or_init(numbered).get(name).copied()
    }
}

/// A rule by its place in [`Plan::rules`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RuleIndex(pub u32);

/// A list of targets by its place in [`Plan::target_sets`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TargetSetId(pub u32);

/// A chain of transformations by its place in [`Chains::nodes`]; 0 is the empty chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct ChainId(pub u32);

/// A member of `TX` by its place in [`Plan::tx_names`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TxSlot(pub u32);

/// One rule: a head and the links of its chain.
#[derive(Debug)]
pub struct Rule {
    /// Unique.
    pub id: u64,
    /// When it runs.
    pub phase: RulePhase,
    /// At least one. All must match, in order.
    pub links: Vec<Link>,
    /// What happens when the last link matches.
    pub disruption: Disruption,
    /// Where to go on when it matched.
    pub skip: Skip,
    /// Whether a match is told in the event log.
    pub log: bool,
    /// Whether a match belongs into the audit log.
    pub audit: bool,
    /// What it is about.
    pub about: About,
}

/// What a rule says of itself.
#[derive(Debug, Default)]
pub struct About {
    /// `msg`, with macros.
    pub message: Option<Text>,
    /// `logdata`, with macros.
    pub log_data: Option<Text>,
    /// `severity`.
    pub severity: Option<Severity>,
    /// `tag`, in order.
    pub tags: Vec<Text>,
    /// `ver`
    pub version: Option<Box<str>>,
    /// `rev`
    pub revision: Option<Box<str>>,
    /// `maturity`, 1 to 9.
    pub maturity: Option<u8>,
    /// `accuracy`, 1 to 9.
    pub accuracy: Option<u8>,
    /// From a tag `paranoia-level/N`.
    pub paranoia: Option<u8>,
    /// The file; none only in tests.
    pub source: Option<Arc<Source>>,
    /// The line in it, from 1.
    pub line: u32,
}

/// One condition and what follows from it.
#[derive(Debug)]
pub struct Link {
    /// What it looks at; none: it runs once, without a value (`SecAction`).
    pub targets: Option<TargetSetId>,
    /// What is done to a value first.
    pub chain: ChainId,
    /// Whether every step of the chain that changes the value is looked at too.
    pub multi_match: bool,
    /// Whether what the operator finds goes to `TX:0` to `TX:9`.
    pub capture: bool,
    /// Whether it matches where the test says no.
    pub negated: bool,
    /// How it looks.
    pub test: Test,
    /// What is done when this link matches, in order.
    pub deeds: Vec<Deed>,
}

/// How a link looks at a value.
#[derive(Debug)]
pub enum Test {
    /// Every value matches (`unconditionalMatch`, `SecAction`).
    Always,
    /// Compares two texts.
    Compares {
        /// The operator's.
        matches: fn(argument: &[u8], value: &[u8]) -> bool,
        /// With macros.
        argument: Text,
        /// What can be told before it is asked.
        sense: Sense,
    },
    /// Compiled once.
    Compiled(Arc<dyn Matcher>),
    /// Compiled when its macros are known.
    Later {
        /// The operator.
        operator: &'static Operator,
        /// With macros.
        argument: Text,
        /// The folder of the rule file.
        folder: Arc<std::path::Path>,
    },
    /// No value matches (`noMatch`).
    Never,
}

/// A distinct list of targets.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct TargetSet {
    /// What is looked at, in order.
    pub included: Vec<Target>,
    /// What is not, though it is in one of those.
    pub excluded: Vec<Target>,
}

/// One target.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Target {
    /// Where to look.
    pub variable: Variable,
    /// At which members.
    pub members: Members,
    /// Whether it is their number that is looked at.
    pub count: bool,
}

/// Which members of a collection.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Members {
    /// All; also of a variable that is no collection.
    All,
    /// Those whose name is this, lower case, in any case.
    Named(Box<[u8]>),
    /// Those whose name matches.
    Matching(Selecting),
    /// A member of `TX` whose name is known.
    Slot(TxSlot),
    /// What an expression selects (`XML`).
    Path(XPath),
}

/// A pattern on names; two are the same if they are written the same.
#[derive(Debug, Clone)]
pub struct Selecting {
    /// As written.
    pub written: Box<[u8]>,
    /// Compiled; letters fold.
    pub pattern: Arc<Pattern>,
    /// Of [`Plan::tx_names`], those that match: found when first asked for.
    pub slots: OnceLock<Bits>,
}

impl Selecting {
    /// A pattern on names, as written.
    pub fn new(written: &[u8], pattern: Arc<Pattern>) -> Self {
        Self { written: written.into(), pattern, slots: OnceLock::new() }
    }

    /// Whether a name matches.
    pub fn names(&self, name: &[u8]) -> bool {
        self.pattern.find(name) != Found::No
    }

    /// Of a plan's names of `TX`, those that match.
    pub fn slots(&self, plan: &Plan) -> &Bits {
        let names = || (0..).zip(&plan.tx_names);
        let chosen = || names().filter(|(_, name)| self.names(name)).map(|(slot, _)| slot);
        self.slots.get_or_init(|| chosen().collect())
    }
}

/// Text with macros, resolved.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Text {
    /// In order.
    pub parts: Vec<TextPart>,
}

impl Text {
    /// The text, if there is no macro in it.
    pub fn as_fixed(&self) -> Option<&[u8]> {
        match self.parts.as_slice() {
            [] => Some(b""),
            [TextPart::Fixed(text)] => Some(text),
            _ => None,
        }
    }

    /// What of it is there before anything happens: all but the macros.
    pub fn fixed_parts(&self) -> Vec<u8> {
        let fixed = self.parts.iter().filter_map(|part| match part {
            TextPart::Fixed(text) => Some(&**text),
            _ => None,
        });
        fixed.collect::<Vec<_>>().concat()
    }
}

/// A part of a [`Text`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TextPart {
    /// Itself.
    Fixed(Box<[u8]>),
    /// The first value of a target; empty if there is none.
    Value(Target),
    /// `%{rule.id}` and its like: about the rule that is running.
    OfRule(RuleFact),
    /// A macro that names nothing: empty. As written.
    Unknown(Box<[u8]>),
}

/// What `%{rule.…}` can say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "they are the actions' names")]
pub enum RuleFact {
    Id,
    LogData,
    Message,
    Revision,
    Severity,
    Version,
}

/// A step that can be taken after others: transformations share their beginnings.
#[derive(Debug, Default)]
pub struct Chains {
    /// Node 0 is the empty chain (absent from a plan without rules).
    pub nodes: Vec<ChainNode>,
}

impl Chains {
    /// The empty chain, and what each further step of a chain makes it.
    pub fn steps_to(&self, chain: ChainId) -> Vec<ChainId> {
        let mut steps = vec![chain];
        let mut at = chain;
        while let Some(node) = self.nodes.get(at.0 as usize).filter(|node| node.step.is_some()) {
            at = node.parent;
            steps.push(at);
        }
        steps.reverse();
        steps
    }
}

/// One step of a chain.
#[derive(Debug, Clone, Copy)]
pub struct ChainNode {
    /// The chain before this step; the root's is itself.
    pub parent: ChainId,
    /// The step, by its place in [`super::transformations::TRANSFORMATIONS`]; none at the root.
    pub step: Option<u16>,
    /// All steps of the chain, as bits by the same places.
    pub all: u64,
}

/// What a match does to the exchange.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Disruption {
    /// No further rules.
    Allow(AllowScope),
    /// The answer is this status.
    Deny(u16),
    /// The connection is closed without an answer.
    Drop,
    /// Nothing.
    Pass,
    /// The client is sent elsewhere.
    Redirect {
        /// Where to, with macros.
        to: Text,
        /// 301, 302, 303 or 307.
        status: u16,
    },
}

/// Which rules do not run any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AllowScope {
    /// Those of all phases but the last.
    Everything,
    /// Those of this phase.
    Phase,
    /// Those of phases 1 and 2.
    Request,
}

/// Where to go on after a match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Skip {
    /// At the next rule.
    No,
    /// At this place in the phase's list; past its end: the phase is over.
    To(u32),
}

/// What a matching link does besides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deed {
    /// `ctl`
    Control(Control),
    /// `deprecatevar`: a member of a persistent collection shrinks with time, to 0 at the least.
    Deprecate {
        /// Which collection.
        collection: Collection,
        /// The member's name, with macros, lower case once they are expanded.
        name: Text,
        /// By how much in each period.
        amount: u32,
        /// The period, in seconds.
        period: u32,
    },
    /// `expirevar`: a member of a persistent collection goes after this many seconds.
    Expire {
        /// Which collection.
        collection: Collection,
        /// The member's name, with macros, lower case once they are expanded.
        name: Text,
        /// Seconds, with macros.
        after: Text,
    },
    /// `setsid`, `setuid`, `setrsc`: opens `SESSION`, `USER` or `RESOURCE` with this key, and
    /// `SESSIONID` or `USERID` says it from now on.
    Identify {
        /// Which collection.
        collection: Collection,
        /// With macros.
        key: Text,
    },
    /// `initcol`: a persistent collection is the one of this key from now on.
    Open {
        /// Which collection.
        collection: Collection,
        /// With macros.
        key: Text,
    },
    /// `setvar`
    Set {
        /// Which collection.
        collection: Collection,
        /// The member.
        name: Name,
        /// What becomes of it.
        change: Change,
    },
    /// `setenv`: for access log and Lua (`ngx.var`).
    SetEnv {
        /// With macros.
        name: Text,
        /// With macros; none: it is no more.
        value: Option<Text>,
    },
    /// `sanitiseArg` and its like: the event log hides these.
    Sanitise(Target),
    /// `exec`: the Lua script at this path is run; what it says does not matter.
    Run(Box<str>),
}

/// A collection that rules can write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs, reason = "they are the variables of these names")]
pub enum Collection {
    Global,
    Ip,
    Resource,
    Session,
    Tx,
    User,
}

/// A member that is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Name {
    /// Known when the rules are compiled.
    Slot(TxSlot),
    /// With macros, or of a persistent collection; lower case once macros are expanded.
    Text(Text),
}

/// What becomes of a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// It grows by this number (a text that is none is 0).
    Add(Text),
    /// It is this.
    Set(Text),
    /// It shrinks.
    Subtract(Text),
    /// It is no more.
    Unset,
}

/// What `ctl` changes for this exchange.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Control {
    /// `auditEngine`
    AuditEngine(super::AuditEngine),
    /// `auditLogParts`: as written (`+E`, `-C`, `ABZ`).
    AuditLogParts(Box<str>),
    /// `forceRequestBodyVariable`
    ForceRequestBody(bool),
    /// `requestBodyAccess`
    RequestBodyAccess(bool),
    /// `requestBodyLimit`
    RequestBodyLimit(u64),
    /// `requestBodyProcessor`
    RequestBodyProcessor(crate::transaction::args::Format),
    /// `responseBodyAccess`
    ResponseBodyAccess(bool),
    /// `responseBodyLimit`
    ResponseBodyLimit(u64),
    /// `ruleEngine`
    RuleEngine(crate::config::Engine),
    /// `ruleRemoveById`, `ByTag`, `ByMsg`: these rules, found when the rules were compiled.
    Remove(Arc<[RuleIndex]>),
    /// `ruleRemoveTargetById`, `ByTag`, `ByMsg`: these rules do not look at this.
    RemoveTarget(Arc<[RuleIndex]>, Target),
}

impl PartialEq for Selecting {
    fn eq(&self, other: &Self) -> bool {
        self.written == other.written
    }
}

impl Eq for Selecting {}

impl std::hash::Hash for Selecting {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.written.hash(state);
    }
}
