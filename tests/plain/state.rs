//! What the rules of one exchange have found and set, in the plainest form.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use moongate::config::Engine;
use moongate::detection::operators::Question;
use moongate::detection::pattern::Captures;
use moongate::detection::variables::Variable;
use moongate::detection::{
    AllowScope, AuditEngine, Deed, Interruption, Profile, RuleIndex, Target,
};
use moongate::shared::CollectionId;
use moongate::transaction::args::Format;
use moongate::transaction::{Match, RulePhase, Severity};

/// Values of one rule that `MATCHED_VARS` holds; the last ones.
const MOST_MATCHED: usize = 1000;
/// Bytes of `MATCHED_VAR` that outlast the rule.
const MOST_REMEMBERED: usize = 4096;
/// Members of `TX` whose names no rule has literally.
const MOST_NEW: usize = 2000;

/// One value that a rule looks at.
#[derive(Debug, Clone)]
pub struct Value {
    pub variable: Variable,
    pub count: bool,
    pub name: Option<Vec<u8>>,
    pub text: Vec<u8>,
}

/// `TX`: values by name, and the names in the order in which members are looked at: those that
/// stand in rules first, then as they came up. (How many bytes it takes is bounded in the engine;
/// no test comes near.)
#[derive(Debug, Default)]
pub struct Tx {
    pub names: Vec<Vec<u8>>,
    pub values: BTreeMap<Vec<u8>, Vec<u8>>,
    pinned: BTreeSet<Vec<u8>>,
    room: usize,
}

#[derive(Debug, Default)]
pub struct State {
    pub tx: Tx,
    /// What matched in the links of the running rule.
    pub matches_of_rule: Vec<Value>,
    /// What matched last in a rule before.
    pub recent: Option<Value>,
    pub matches: Vec<Match>,
    pub would_have: Option<Interruption>,
    pub interrupted: bool,
    pub highest: Option<Severity>,
    pub cuts: u32,
    pub answers: Vec<(Question, bool)>,
    /// Every question that was asked, in order.
    pub asked: Vec<Question>,
    pub environment: Vec<(Vec<u8>, Vec<u8>)>,
    pub hidden: Vec<Target>,
    pub geo: Vec<(&'static str, Vec<u8>)>,
    pub opened: Vec<CollectionId>,
    pub session_id: Option<Vec<u8>>,
    pub user_id: Option<Vec<u8>>,
    pub removed: BTreeSet<RuleIndex>,
    pub removed_targets: Vec<(Arc<[RuleIndex]>, Target)>,
    pub engine: Option<Engine>,
    pub allowed: Option<AllowScope>,
    pub audit: Option<AuditEngine>,
    pub audit_parts: Vec<Box<str>>,
    pub force_body: bool,
    pub request_body: Option<bool>,
    pub request_limit: Option<u64>,
    pub processor: Option<Format>,
    pub response_body: Option<bool>,
    pub response_limit: Option<u64>,
}

impl Value {
    /// `ARGS:q`, `REQUEST_URI`, `&ARGS`.
    pub fn full_name(&self) -> Vec<u8> {
        let sign = if self.count { "&" } else { "" };
        let mut full = format!("{sign}{}", self.variable.spec().name).into_bytes();
        if let Some(name) = &self.name {
            full.push(b':');
            full.extend_from_slice(name);
        }
        full
    }
}

impl Tx {
    fn new(profile: &Profile) -> Self {
        let names: Vec<Vec<u8>> = profile.plan.tx_names.iter().map(|name| name.to_vec()).collect();
        let room = names.len() + MOST_NEW;
        let mut tx = Self { names, room, ..Self::default() };
        for (slot, value) in &profile.pinned {
            let name = tx.names[slot.0 as usize].clone();
            tx.set(&name, value.clone());
            tx.pinned.insert(name);
        }
        tx
    }

    pub fn set(&mut self, name: &[u8], value: Vec<u8>) {
        let known = self.names.iter().any(|known| known == name);
        if self.pinned.contains(name) || (!known && self.names.len() >= self.room) {
            return;
        }
        if !known {
            self.names.push(name.to_vec());
        }
        self.values.insert(name.to_vec(), value);
    }

    pub fn unset(&mut self, name: &[u8]) {
        if !self.pinned.contains(name) {
            self.values.remove(name);
        }
    }
}

impl State {
    pub fn new(profile: &Profile) -> Self {
        let removed = profile.removed.iter().copied().collect();
        Self { tx: Tx::new(profile), removed, ..Self::default() }
    }

    pub fn engine(&self, profile: &Profile) -> Engine {
        self.engine.unwrap_or(profile.engine)
    }

    pub fn is_over(&self, phase: RulePhase) -> bool {
        let request = phase <= RulePhase::RequestBody;
        let allowed = match self.allowed {
            Some(AllowScope::Everything) => true,
            Some(AllowScope::Request) => request,
            Some(AllowScope::Phase) | None => false,
        };
        phase != RulePhase::Logging && (allowed || self.interrupted)
    }

    /// `MATCHED_VAR` outlasts its rule, `MATCHED_VARS` does not.
    pub fn begin_rule(&mut self) {
        if let Some(mut last) = self.matches_of_rule.pop() {
            last.text.truncate(MOST_REMEMBERED);
            self.recent = Some(last);
        }
        self.matches_of_rule.clear();
    }

    pub fn latest(&self) -> Option<&Value> {
        self.matches_of_rule.last().or(self.recent.as_ref())
    }

    pub fn matched(&mut self, value: Value) {
        if self.matches_of_rule.len() >= MOST_MATCHED {
            self.matches_of_rule.remove(0);
        }
        self.matches_of_rule.push(value);
    }

    /// `TX:0` to `TX:9`; what took no part is unset.
    pub fn capture(&mut self, captures: &Captures, text: &[u8]) {
        for number in 0..10 {
            let group = captures.groups[number].clone().map(|range| text[range].to_vec());
            let name = number.to_string().into_bytes();
            match captures.texts.get(number).cloned().or(group) {
                Some(captured) => self.tx.set(&name, captured),
                None => self.tx.unset(&name),
            }
        }
    }

    /// `exec` runs anew for each match.
    pub fn forget_scripts(&mut self, deeds: &[Deed]) {
        if deeds.iter().any(|deed| matches!(deed, Deed::Run(_))) {
            let ran = |known: &Question| matches!(known, Question::Script { judges: false, .. });
            self.answers.retain(|(known, _)| !ran(known));
        }
    }
}
