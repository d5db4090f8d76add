//! What an exchange's rules have found and set so far.

use super::super::AuditEngine;
use super::super::Profile;
use super::super::bits::Bits;
use super::super::inspection::Interruption;
use super::super::operators::Question;
use super::super::pattern::Captures;
use super::super::plan::{AllowScope, Plan, RuleIndex, Target};
use super::sight::{Member, Sight};
use super::texts::Keep;
use super::tx::Tx;
use crate::config::Engine;
use crate::shared::CollectionId;
use crate::transaction::args::Format;
use crate::transaction::{Match, RulePhase, Severity};

/// Bytes of a match that are remembered beyond its rule.
const MOST_REMEMBERED: usize = 4096;

/// What an exchange's rules have found and set so far.
#[derive(Debug)]
pub struct State {
    /// What the rules of the phase see.
    pub sight: Sight,
    /// `TX`
    pub tx: Tx,
    /// What matched in the links of the running rule so far, the last one last.
    pub matched: Vec<Member>,
    /// What matched last in a rule before.
    recent: Recent,
    /// The running rule.
    pub running: RuleIndex,
    /// What was switched off or on for this exchange.
    pub switches: Switches,
    /// Where to go on.
    pub cursor: Option<Cursor>,
    /// Answers from outside.
    pub answers: Vec<(Question, bool)>,
    /// Persistent collections that are open, one of a kind.
    pub opened: Vec<CollectionId>,
    /// `SESSIONID`
    pub session_id: Option<Vec<u8>>,
    /// `USERID`
    pub user_id: Option<Vec<u8>>,
    /// `GEO`
    pub geo: Vec<(&'static str, Vec<u8>)>,
    /// `ENV`
    pub environment: Vec<(Vec<u8>, Vec<u8>)>,
    /// What the event log hides.
    pub hidden: Vec<Target>,
    /// The gravest severity so far.
    pub highest: Option<Severity>,
    /// How often an expression gave up at its step limit.
    pub cuts: u32,
    /// The rules that matched.
    pub matches: Vec<Match>,
    /// What `on` would have done.
    pub would_have: Option<Interruption>,
    /// Whether a rule ended the exchange.
    pub interrupted: bool,
    /// Where operators leave what they capture.
    pub captures: Captures,
}

/// A match that outlasts its rule: `MATCHED_VAR` is "the most recently matched".
#[derive(Debug, Default)]
struct Recent {
    member: Option<Member>,
    name: Vec<u8>,
    value: Vec<u8>,
}

/// What was switched off or on for one exchange: by `ctl`, `allow` and scripts.
#[derive(Debug, Default)]
pub struct Switches {
    /// In the place of the route's.
    pub engine: Option<Engine>,
    /// Until when no rules run.
    pub allowed: Option<AllowScope>,
    /// Rules that do not run, as bits.
    pub removed: Bits,
    /// Rules that do not look at something, as bits.
    pub narrowed: Bits,
    /// At what.
    pub removed_targets: Vec<(std::sync::Arc<[RuleIndex]>, Target)>,
    /// `ctl:auditEngine`
    pub audit: Option<AuditEngine>,
    /// `ctl:auditLogParts`, in order.
    pub audit_parts: Vec<Box<str>>,
    /// `ctl:forceRequestBodyVariable`
    pub force_body: bool,
    /// `ctl:requestBodyAccess`
    pub request_body: Option<bool>,
    /// `ctl:requestBodyLimit`
    pub request_limit: Option<u64>,
    /// `ctl:requestBodyProcessor`
    pub processor: Option<Format>,
    /// `ctl:responseBodyAccess`
    pub response_body: Option<bool>,
    /// `ctl:responseBodyLimit`
    pub response_limit: Option<u64>,
}

/// Where an evaluation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// The phase.
    pub phase: RulePhase,
    /// The place in the phase's list of rules.
    pub place: usize,
    /// The link of that rule.
    pub link: usize,
    /// Whether the link's values are chosen already.
    pub chosen: bool,
    /// The next of these values.
    pub value: usize,
    /// The next step of the chain, where every step is looked at.
    pub step: usize,
    /// Whether a value of this link matched.
    pub matched: bool,
}

impl Cursor {
    /// At the beginning of a phase.
    pub fn at(phase: RulePhase) -> Self {
        Self { phase, place: 0, link: 0, chosen: false, value: 0, step: 0, matched: false }
    }

    /// Whether its rule was not begun.
    pub fn is_at_rule(&self) -> bool {
        *self == Self::at(self.phase).rule(self.place)
    }

    /// At the first link of another rule.
    pub fn rule(self, place: usize) -> Self {
        Self { place, ..Self::at(self.phase) }
    }

    /// At the next link of this rule.
    pub fn next_link(self) -> Self {
        Self { link: self.link + 1, ..self.rule(self.place) }
    }

    /// At the next of the link's values.
    pub fn next_value(self) -> Self {
        Self { value: self.value + 1, step: 0, ..self }
    }
}

impl Drop for State {
    fn drop(&mut self) {
        std::mem::take(&mut self.sight).give_back();
    }
}

impl State {
    /// An exchange at its beginning.
    pub fn new(profile: &Profile) -> Self {
        let mut switches = Switches::default();
        for rule in &profile.removed {
            switches.removed.insert(rule.0);
        }
        for (rule, _) in &profile.removed_targets {
            switches.narrowed.insert(rule.0);
        }
        Self {
            sight: Sight::reused(),
            tx: Tx::new(&profile.plan, &profile.pinned),
            matched: Vec::new(),
            recent: Recent::default(),
            running: RuleIndex(0),
            switches,
            cursor: None,
            answers: Vec::new(),
            opened: Vec::new(),
            session_id: None,
            user_id: None,
            geo: Vec::new(),
            environment: Vec::new(),
            hidden: Vec::new(),
            highest: None,
            cuts: 0,
            matches: Vec::new(),
            would_have: None,
            interrupted: false,
            captures: Captures::default(),
        }
    }

    /// A rule is over: of what matched in it only the last is remembered.
    pub fn leave_rule(&mut self) {
        let Self { matched, recent, sight, .. } = self;
        let Some(member) = matched.last().copied() else { return };
        recent.name.clear();
        recent.name.extend_from_slice(member.name.map_or(b"", |name| sight.text(name)));
        let value = sight.text(member.value);
        recent.value.clear();
        // A long one is not worth keeping whole: rules that want it name it themselves.
        recent.value.extend_from_slice(value.get(..MOST_REMEMBERED).unwrap_or(value));
        recent.member = Some(member);
        matched.clear();
    }

    /// What matched last, in this rule or else in one before.
    pub fn latest(&mut self) -> Option<Member> {
        if let Some(member) = self.matched.last() {
            return Some(*member);
        }
        let Recent { member, name, value } = &self.recent;
        let member = (*member)?;
        let texts = self.sight.texts(Keep::Link);
        let name = member.name.map(|_| texts.push(name, Keep::Link));
        Some(Member { name, value: texts.push(value, Keep::Link), ..member })
    }

    /// What is done with what rules find.
    pub fn engine(&self, profile: &Profile) -> Engine {
        self.switches.engine.unwrap_or(profile.engine)
    }

    /// The number that a member of `TX` holds; none if it is not there.
    pub fn tx_number(&self, plan: &Plan, name: &str) -> Option<i64> {
        let place = self.tx.place(plan, super::tx::Key::Name(name.as_bytes()))?;
        self.tx.has(place).then(|| self.tx.number(place))
    }
}
