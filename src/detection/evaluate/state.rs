//! What an exchange's rules have found and set so far.

use super::super::AuditEngine;
use super::super::Profile;
use super::super::bits::Bits;
use super::super::inspection::Interruption;
use super::super::operators::Question;
use super::super::pattern::Captures;
use super::super::plan::{AllowScope, Plan, RuleIndex, Target, TxSlot};
use super::super::variables::Variable;
use super::budget::{Budget, LOOK};
use super::sight::{Member, Sight};
use super::texts::{Keep, TextId};
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
    pub(super) recent: Recent,
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
    /// What was spent.
    pub budget: Budget,
    /// The rules that matched.
    pub matches: Vec<Match>,
    /// What `on` would have done.
    pub would_have: Option<Interruption>,
    /// Whether rules of the exchange ran or a script had a hand in it.
    pub is_touched: bool,
    /// Whether it is presumed that no head matches before the first rule that looks at the
    /// exchange.
    pub presumes_opening: bool,
    /// Whether a rule ended the exchange.
    pub interrupted: bool,
    /// Where operators leave what they capture.
    pub captures: Captures,
}

/// A match that outlasts its rule: `MATCHED_VAR` is "the most recently matched".
#[derive(Debug, Clone, Default)]
pub(super) struct Recent {
    /// None: nothing matched yet.
    variable: Option<Variable>,
    count: bool,
    named: bool,
    name: Vec<u8>,
    value: Vec<u8>,
}

impl Recent {
    /// Another member; its value is to be written.
    fn is(&mut self, variable: Variable, count: bool, name: Option<&[u8]>) {
        (self.variable, self.count, self.named) = (Some(variable), count, name.is_some());
        self.name.clear();
        self.name.extend_from_slice(name.unwrap_or_default());
        self.value.clear();
    }
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
            sight: Sight::default(),
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
            budget: Budget::new(profile.budget),
            matches: Vec::new(),
            would_have: None,
            is_touched: false,
            presumes_opening: false,
            interrupted: false,
            captures: Captures::default(),
        }
    }

    /// A rule is over: of what matched in it only the last is remembered.
    pub fn leave_rule(&mut self) {
        let Self { matched, recent, sight, .. } = self;
        let Some(member) = matched.last().copied() else { return };
        let name = member.name.map(|name| sight.text(name));
        recent.is(member.variable, member.count, name);
        let value = sight.text(member.value);
        // A long one is not worth keeping whole: rules that want it name it themselves.
        recent.value.extend_from_slice(value.get(..MOST_REMEMBERED).unwrap_or(value));
        matched.clear();
    }

    /// A rule that only compares a member of `TX` matched: that is what matched last.
    pub fn remember_tx(&mut self, plan: &Plan, slot: TxSlot, count: bool) {
        let Self { matched, recent, tx, .. } = self;
        matched.clear();
        let place = slot.0 as usize;
        recent.is(Variable::Tx, count, Some(tx.name(plan, place)));
        if count {
            recent.value.push(if tx.has(place) { b'1' } else { b'0' });
        } else {
            tx.write(place, &mut recent.value);
            recent.value.truncate(MOST_REMEMBERED);
        }
    }

    /// What matched last, in this rule or else in one before.
    pub fn latest(&mut self) -> Option<Member> {
        if let Some(member) = self.matched.last() {
            return Some(*member);
        }
        let Recent { variable, count, named, name, value } = &self.recent;
        let texts = self.sight.texts(Keep::Link);
        let name = named.then(|| texts.push(name, Keep::Link));
        let value = texts.push(value, Keep::Link);
        Some(Member { variable: (*variable)?, count: *count, name, value })
    }

    /// Spends so much, and what was spent to see what is looked at; false if that is too much.
    pub fn spend(&mut self, work: u64) -> bool {
        let seen = std::mem::take(&mut self.sight.spent);
        self.budget.spend(work.saturating_add(seen))
    }

    /// Spends what it costs to look at a text.
    pub fn spend_on(&mut self, text: TextId) -> bool {
        self.spend(self.sight.text(text).len() as u64 + LOOK)
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
