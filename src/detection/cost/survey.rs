//! What rules cost over exchanges that were judged: how often each is asked, and how long it takes.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::shortlist::Shortlist;
use super::test::Ready;
use super::values::{Named, Text, Values};
use crate::config::Engine;
use crate::detection::pattern::Captures;
use crate::detection::plan::{
    Disruption, Link, Members, Plan, Rule, RuleIndex, Skip, Target, TxSlot,
};
use crate::detection::variables::Variable;
use crate::detection::{Inspection, Outcome};
use crate::transaction::{RulePhase, Transaction};

/// Values that are gathered before they are timed, and their bytes, at the most.
const MOST_TRIALS: usize = 1 << 20;
const MOST_BYTES: usize = 32 << 20;
/// How often all that a link was asked about is run through it; the shortest time counts.
const PASSES: usize = 3;
/// Runs of one pass, at the least: the clock itself takes time.
const LEAST_RUNS: usize = 50;

/// What one rule cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Spent {
    /// Exchanges in which it was reached: it was neither removed nor skipped, and nothing ended its
    /// phase before.
    pub reached: u64,
    /// Exchanges in which it matched.
    pub matches: u64,
    /// Values that its links looked at.
    pub values: u64,
    /// Those of them that met its needs, and that its tests were run over.
    pub runs: u64,
    /// Bytes of these.
    pub bytes: u64,
    /// Time of these runs, over all exchanges.
    pub time: Duration,
}

impl Spent {
    /// Adds what was spent elsewhere.
    pub fn add(&mut self, other: &Self) {
        self.reached += other.reached;
        self.matches += other.matches;
        self.values += other.values;
        self.runs += other.runs;
        self.bytes += other.bytes;
        self.time += other.time;
    }
}

/// Takes in what the rules of a plan do in exchange after exchange.
pub struct Survey<'c> {
    plan: Arc<Plan>,
    clock: &'c dyn Fn() -> Duration,
    shortlist: Shortlist,
    spent: Vec<Spent>,
    trials: Trials,
    gathered: usize,
    bytes: usize,
}

/// By rule, link and argument: its test, and the values that it was asked about.
type Trials = HashMap<(u32, usize, Vec<u8>), (Ready, Vec<Text>)>;

/// A rule phase of an exchange, just evaluated.
struct Walk<'w> {
    inspection: &'w mut Inspection,
    transaction: &'w Transaction,
    values: Values,
}

/// What came of the links of a rule so far.
#[derive(Default)]
struct SoFar {
    matched: Vec<Named>,
    captured: Option<Vec<Option<Text>>>,
}

impl<'c> Survey<'c> {
    /// Of the rules of a plan; `clock` tells the time that passed, CPU time if that can be had.
    pub fn new(plan: Arc<Plan>, clock: &'c dyn Fn() -> Duration) -> Self {
        Self {
            shortlist: Shortlist::new(&plan),
            spent: vec![Spent::default(); plan.rules.len()],
            plan,
            clock,
            trials: HashMap::new(),
            gathered: 0,
            bytes: 0,
        }
    }

    /// Has the engine judge a phase, and takes in what its rules looked at.
    ///
    /// What the engine asks of the world outside is answered with no. What rules write (`TX`) is
    /// taken as it stands when the phase is over.
    pub fn judge(
        &mut self,
        phase: RulePhase,
        inspection: &mut Inspection,
        transaction: &Transaction,
    ) -> Outcome {
        let ran = inspection.runs(phase);
        let outcome = judge(phase, inspection, transaction);
        if ran {
            self.walk(phase, &outcome, inspection, transaction);
        }
        if self.gathered > MOST_TRIALS || self.bytes > MOST_BYTES {
            self.time();
        }
        outcome
    }

    fn walk(
        &mut self,
        phase: RulePhase,
        outcome: &Outcome,
        inspection: &mut Inspection,
        transaction: &Transaction,
    ) {
        let plan = self.plan.clone();
        let list = plan.phases.get(phase as usize).map_or(&[][..], Vec::as_slice);
        let mut walk = Walk { inspection, transaction, values: Values::default() };
        let mut place = 0;
        while let Some(index) = list.get(place) {
            place += 1;
            let Some(rule) = plan.rules.get(index.0 as usize) else { break };
            if walk.inspection.is_removed(*index) || !self.rule(*index, rule, &mut walk) {
                continue;
            }
            if ends(rule, outcome, walk.inspection.engine()) {
                break;
            }
            if let Skip::To(next) = rule.skip {
                place = place.max(next as usize);
            }
        }
    }

    /// What each rule cost, by its place in the plan.
    pub fn finish(mut self) -> Vec<Spent> {
        self.time();
        self.spent
    }

    /// Whether a rule matches.
    fn rule(&mut self, index: RuleIndex, rule: &Rule, walk: &mut Walk<'_>) -> bool {
        let mut so_far = SoFar::default();
        let matched = (0..rule.links.len()).all(|at| self.link(index, rule, at, walk, &mut so_far));
        if let Some(spent) = self.spent.get_mut(index.0 as usize) {
            spent.reached += 1;
            spent.matches += u64::from(matched);
        }
        matched
    }

    fn link(
        &mut self,
        index: RuleIndex,
        rule: &Rule,
        at: usize,
        walk: &mut Walk<'_>,
        so_far: &mut SoFar,
    ) -> bool {
        let Some(link) = rule.links.get(at).filter(|link| link.targets.is_some()) else {
            return true;
        };
        let looked_at = walk.looked_at(index, link, &self.plan, so_far);
        let ready = Ready::of(link, rule, walk.inspection, walk.transaction);
        so_far.matched.clear();
        let mut asked = Vec::new();
        let mut captures = Captures::default();
        for named in &looked_at {
            for text in walk.steps(&named.value, link, &self.plan) {
                let met = walk.values.met(&text, &self.shortlist);
                if !self.shortlist.has(index.0 as usize, at, &met) {
                    continue;
                }
                captures.clear();
                if ready.finds(&text, &mut captures) != link.negated {
                    so_far.take(link, &named.name, &text, &captures);
                }
                asked.push(text);
            }
        }
        self.note(index, at, looked_at.len(), ready, asked);
        !so_far.matched.is_empty()
    }

    fn note(
        &mut self,
        index: RuleIndex,
        link: usize,
        looked_at: usize,
        ready: Ready,
        asked: Vec<Text>,
    ) {
        let bytes: usize = asked.iter().map(|text| text.len()).sum();
        if let Some(spent) = self.spent.get_mut(index.0 as usize) {
            spent.values += looked_at as u64;
            spent.runs += asked.len() as u64;
            spent.bytes += bytes as u64;
        }
        if asked.is_empty() {
            return;
        }
        self.gathered += asked.len();
        self.bytes += bytes;
        let trial = self.trials.entry((index.0, link, ready.argument.clone()));
        trial.or_insert_with(|| (ready, Vec::new())).1.extend(asked);
    }

    /// Runs all that was gathered.
    fn time(&mut self) {
        let trials = std::mem::take(&mut self.trials);
        let idle = self.shortest(|| {});
        for ((rule, ..), (ready, texts)) in trials {
            let mut captures = Captures::default();
            let rounds = (LEAST_RUNS / texts.len().max(1)).max(1);
            let shortest = self.shortest(|| {
                for text in (0..rounds).flat_map(|_| &texts) {
                    std::hint::black_box(ready.finds(text, &mut captures));
                }
            });
            if let Some(spent) = self.spent.get_mut(rule as usize) {
                spent.time += shortest.saturating_sub(idle) / rounds as u32;
            }
        }
        self.gathered = 0;
        self.bytes = 0;
    }

    /// The shortest time of some passes.
    fn shortest(&self, mut pass: impl FnMut()) -> Duration {
        let passes = (0..PASSES).map(|_| {
            let before = (self.clock)();
            pass();
            (self.clock)().saturating_sub(before)
        });
        passes.min().unwrap_or_default()
    }
}

impl Walk<'_> {
    /// The values that a link looks at.
    fn looked_at(
        &mut self,
        index: RuleIndex,
        link: &Link,
        plan: &Plan,
        so_far: &SoFar,
    ) -> Vec<Named> {
        let set = link.targets.and_then(|set| plan.target_sets.get(set.0 as usize));
        let Some(set) = set else { return Vec::new() };
        let removed = self.inspection.removed_targets(index);
        let mut excluded: Vec<Named> = Vec::new();
        for target in set.excluded.iter().chain(&removed) {
            excluded.extend_from_slice(&self.of(target, so_far));
        }
        let mut all = Vec::new();
        for target in &set.included {
            let chosen = self.of(target, so_far);
            all.extend(chosen.iter().filter(|named| !excluded.contains(named)).cloned());
        }
        all
    }

    fn of(&mut self, target: &Target, so_far: &SoFar) -> Vec<Named> {
        let name_of = |matched: &Named| Named { value: matched.name.clone(), ..matched.clone() };
        match (target.variable, &target.members) {
            _ if target.count => {}
            (Variable::MatchedVars, _) => return so_far.matched.clone(),
            (Variable::MatchedVar, _) => {
                return so_far.matched.last().cloned().into_iter().collect();
            }
            (Variable::MatchedVarsNames, _) => return so_far.matched.iter().map(name_of).collect(),
            (Variable::MatchedVarName, _) => {
                return so_far.matched.last().map(name_of).into_iter().collect();
            }
            (Variable::Tx, Members::Slot(TxSlot(slot))) => {
                if let Some(captured) = so_far.captured_at(*slot) {
                    let text = |text: &Text| Named { name: b"TX"[..].into(), value: text.clone() };
                    return captured.iter().map(text).collect();
                }
            }
            _ => {}
        }
        self.values.chosen(target, self.inspection, self.transaction).to_vec()
    }

    /// What a link looks at of one value: what its chain makes of it, or each step of that.
    fn steps(&mut self, value: &Text, link: &Link, plan: &Plan) -> Vec<Text> {
        if !link.multi_match {
            return vec![self.values.transformed(value, link.chain, plan)];
        }
        let steps = plan.chains.steps_to(link.chain).into_iter();
        let mut texts: Vec<Text> =
            steps.map(|chain| self.values.transformed(value, chain, plan)).collect();
        texts.dedup();
        texts
    }
}

impl SoFar {
    /// A value matched.
    fn take(&mut self, link: &Link, name: &Text, value: &Text, captures: &Captures) {
        self.matched.push(Named { name: name.clone(), value: value.clone() });
        if link.capture && !link.negated {
            self.captured = Some(texts(captures, value));
        }
    }

    /// What a link before captured into a slot, if it captured anything.
    fn captured_at(&self, slot: u32) -> Option<&Option<Text>> {
        self.captured.as_ref()?.get(slot as usize)
    }
}

/// What was captured, by number.
fn texts(captures: &Captures, value: &[u8]) -> Vec<Option<Text>> {
    let groups = captures.groups.iter().enumerate();
    let texts = groups.map(|(number, group)| match captures.texts.get(number) {
        Some(text) => Some(text.as_slice().into()),
        None => group.clone().and_then(|range| value.get(range)).map(Text::from),
    });
    texts.collect()
}

/// Has the engine judge a phase; what it asks of the world outside is answered with no.
pub fn judge(phase: RulePhase, inspection: &mut Inspection, transaction: &Transaction) -> Outcome {
    loop {
        match inspection.evaluate(phase, transaction) {
            Outcome::Ask(question) => inspection.answer(question, false),
            Outcome::Pause => {}
            outcome => return outcome,
        }
    }
}

/// Whether a rule that matched ended its phase. In `detect` nothing is allowed either.
fn ends(rule: &Rule, outcome: &Outcome, engine: Engine) -> bool {
    let interrupted = matches!(outcome, Outcome::Interrupt(by) if by.rule == rule.id);
    let allows = matches!(rule.disruption, Disruption::Allow(_)) && engine == Engine::On;
    interrupted || allows
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::sync::Arc;
    use std::time::{Duration, Instant, SystemTime};

    use super::{Spent, Survey};
    use crate::config::{DiskFiles, Engine};
    use crate::detection::{Inspection, Profile, World, compile};
    use crate::seclang;
    use crate::transaction::{Client, Headers, Request, RulePhase, Transaction, Version};

    fn transaction(target: &'static str) -> Transaction {
        let mut headers = Headers::default();
        headers.append("Host", "a.example");
        let request = Request::new("GET".into(), target.into(), Version::Http11, headers);
        let client = Client {
            address: [192, 0, 2, 7].into(),
            port: 40_000,
            socket: ([192, 0, 2, 7], 40_000).into(),
            server: ([198, 51, 100, 1], 8080).into(),
            listener: ([198, 51, 100, 1], 8080).into(),
            connection: 1,
            connection_requests: 1,
            tls: None,
            path: None,
        };
        Transaction::new("id".to_owned(), Instant::now(), client, request)
    }

    /// What each rule spent, of phase 1 of these requests.
    fn spent(rules: &str, targets: &[&'static str]) -> Vec<Spent> {
        let source = seclang::source("a.conf", rules.as_bytes());
        let (directives, _) = seclang::parse(&source, rules.as_bytes());
        let plan = Arc::new(compile(&directives, &DiskFiles).plan.expect("no fault"));
        let profile = Arc::new(Profile::plain(plan.clone(), Engine::On));
        let now = Cell::new(Duration::ZERO);
        let clock = || {
            now.set(now.get() + Duration::from_millis(1));
            now.get()
        };
        let mut survey = Survey::new(plan, &clock);
        for target in targets {
            let transaction = transaction(target);
            let world = World {
                now: SystemTime::now(),
                collections: Arc::default(),
                tables: Arc::default(),
            };
            let mut inspection = Inspection::new(profile.clone(), world);
            survey.judge(RulePhase::RequestHeaders, &mut inspection, &transaction);
        }
        survey.finish()
    }

    fn figures(spent: &Spent) -> [u64; 5] {
        [spent.reached, spent.matches, spent.values, spent.runs, spent.bytes]
    }

    #[test]
    fn a_rule_is_run_over_values_that_have_what_it_needs() {
        let rules =
            "SecRule ARGS|!ARGS:z \"@rx union\\s+select\" \"id:1,phase:1,pass,t:lowercase\"";
        let targets = ["/?a=1&b=UNION+ALL", "/?a=union+select&z=union+select", "/"];
        assert_eq!(figures(&spent(rules, &targets)[0]), [3, 1, 3, 1, 12]);
    }

    #[test]
    fn skipped_and_removed_rules_and_those_after_a_refusal_cost_nothing() {
        let rules = "SecRule ARGS:a \"@streq 1\" \"id:1,phase:1,pass,nolog,skipAfter:END\"\n\
            SecRule ARGS \"@rx ^.$\" \"id:2,phase:1,pass,nolog\"\n\
            SecMarker END\n\
            SecRule ARGS:a \"@streq 2\" \"id:3,phase:1,pass,ctl:ruleRemoveById=4\"\n\
            SecRule ARGS \"@rx ^.$\" \"id:4,phase:1,deny\"\n\
            SecRule ARGS \"@rx ^.$\" \"id:5,phase:1,pass\"";
        let spent = spent(rules, &["/?a=1", "/?a=2", "/?a=3"]);
        let reached: Vec<u64> = spent.iter().map(|spent| spent.reached).collect();
        assert_eq!(reached, [3, 2, 3, 2, 1]);
        assert_eq!(spent.iter().map(|spent| spent.matches).collect::<Vec<_>>(), [1, 2, 1, 2, 1]);
    }

    #[test]
    fn later_links_see_what_the_links_before_them_found() {
        let rules = "SecRule ARGS \"@rx ^(.)=(.*)$\" \"id:1,phase:1,pass,capture,chain\"\n\
            SecRule TX:2 \"@streq two\" \"chain\"\n\
            SecRule MATCHED_VARS_NAMES \"@rx ^TX\" \"chain\"\n\
            SecRule MATCHED_VARS \"@rx ^x=\"";
        let spent = spent(rules, &["/?a=x%3Dtwo", "/?a=x%3Dthree", "/?a=x"]);
        assert_eq!((spent[0].reached, spent[0].values), (3, 3 + 2 + 1 + 1));
    }

    #[test]
    fn the_time_of_the_clock_itself_does_not_count() {
        let spent = spent("SecRule ARGS \"@rx ^.$\" \"id:1,phase:1,pass\"", &["/?a=1"]);
        assert_eq!((spent[0].runs, spent[0].time), (1, Duration::ZERO));
    }
}
