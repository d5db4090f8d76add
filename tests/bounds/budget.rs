//! A budget is never overdrawn, and what becomes of who would is what the settings say.

use std::time::Duration;

use moongate::config::{Engine, OnExceeded, RuleBudget};
use moongate::detection::Outcome;
use moongate::transaction::{BudgetPart, RulePhase};

use super::judge::{AMPLE, Judged, Sent, core_rule_sets, judge, profile, written};
use crate::crs::{case, request};
use crate::support;

/// A cheap rule that matches, a dear one, and the sum at the end, as rule sets have them.
const RULES: &str = r#"
SecRule ARGS:first "@streq evil" "id:1,phase:2,pass,nolog,setvar:tx.score=+5"
SecRule ARGS "!@rx ^[a-zA-Z0-9 +%]*$" "id:2,phase:2,pass,nolog,t:none,t:lowercase"
SecRule ARGS "!@rx ^[a-zA-Z0-9 +%]*$" "id:3,phase:2,pass,nolog,t:none,t:urlDecode"
SecRule ARGS "!@rx ^[a-zA-Z0-9 +%]*$" "id:4,phase:2,pass,nolog,t:none,t:removeNulls"
SecRule ARGS "!@rx ^[a-zA-Z0-9 +%]*$" "id:5,phase:2,pass,nolog,t:none,t:compressWhitespace"
SecRule ARGS "!@rx ^[a-zA-Z0-9 +%]*$" "id:6,phase:2,pass,nolog,t:none,t:cmdLine"
SecRule ARGS "!@rx ^[^!]*$" "id:11,phase:2,pass,nolog,t:none"
SecRule ARGS "!@rx ^[^~]*$" "id:12,phase:2,pass,nolog,t:none"
SecRule ARGS "!@rx ^[^;]*$" "id:13,phase:2,pass,nolog,t:none"
SecRule ARGS "!@rx ^[^<]*$" "id:14,phase:2,pass,nolog,t:none"
SecRule TX:score "@ge 5" "id:99,phase:2,deny"
"#;

const FORM: &str = "application/x-www-form-urlencoded";
const INSTANT: Duration = Duration::ZERO;

/// Six values of five thousand bytes.
fn long() -> Sent {
    let values: String = (0..6).map(|at| format!("&b{at}={}", "ABC+D".repeat(1000))).collect();
    Sent::post(FORM, format!("first=evil{values}").into())
}

fn with(work: u64, exceeded: OnExceeded) -> RuleBudget {
    RuleBudget { work, exceeded, ..AMPLE }
}

fn judged(engine: Engine, budget: RuleBudget, slice: Duration) -> Judged {
    judge(&profile(&written(RULES), engine, budget), &long(), slice)
}

#[test]
fn what_costs_too_much_is_refused_and_the_last_phase_runs() {
    let judged = judged(Engine::On, with(200_000, OnExceeded::Refuse), INSTANT);
    assert_eq!(judged.outcomes[1], Outcome::Exceeded);
    assert_eq!(judged.outcomes[2..], [Outcome::Pass, Outcome::Pass, Outcome::Pass]);
    let exceeded = judged.cost.exceeded.unwrap();
    assert!(exceeded.refused && exceeded.phase == RulePhase::RequestBody);
    assert!(judged.cost.work <= 200_000);
}

#[test]
fn what_passes_is_still_judged_by_what_was_found() {
    let judged = judged(Engine::On, with(300_000, OnExceeded::Pass), INSTANT);
    let Outcome::Interrupt(interruption) = &judged.outcomes[1] else { panic!("no rule refused") };
    assert_eq!(interruption.rule, 99);
    let exceeded = judged.cost.exceeded.unwrap();
    assert_eq!((exceeded.part, exceeded.refused), (BudgetPart::Work, false));
}

#[test]
fn detect_never_refuses() {
    for exceeded in [OnExceeded::Pass, OnExceeded::Refuse] {
        let judged = judged(Engine::Detect, with(100_000, exceeded), INSTANT);
        assert!(judged.outcomes.iter().all(|outcome| *outcome == Outcome::Pass));
        assert!(judged.cost.exceeded.is_some_and(|exceeded| !exceeded.refused));
    }
}

#[test]
fn one_rule_takes_a_quarter_at_most_and_is_named() {
    let dear = r#"SecRule ARGS "!@rx ^[a-zA-Z0-9 +%/=]*$" "id:7,phase:2,pass,multiMatch,t:none,t:lowercase,t:base64Encode,t:hexEncode,t:base64Encode,t:hexEncode"
"#;
    let budget = with(1_200_000, OnExceeded::Pass);
    let rules = format!("{dear}{RULES}").replace("deny", "pass");
    let judged = judge(&profile(&written(&rules), Engine::On, budget), &long(), INSTANT);
    let exceeded = judged.cost.exceeded.unwrap();
    assert_eq!((exceeded.part, exceeded.rule), (BudgetPart::Rule, Some(7)));
    assert!(exceeded.spent > 300_000 && exceeded.limit == 300_000);
    assert!(judged.matches.contains(&99), "the others ran: {:?}", judged.matches);
}

#[test]
fn time_is_bounded_between_slices_and_not_for_who_came_to_the_end() {
    let slow = Duration::from_millis(30);
    let budget = RuleBudget { time: Duration::from_millis(100), ..AMPLE };
    let plan = written(&RULES.replace("deny", "pass"));
    let body = format!("a={}", "x".repeat(4 << 20));
    let sent = Sent::post(FORM, body.into());
    let sent_short = Sent::get("/?a=b");
    let long = judge(&profile(&plan, Engine::On, budget), &sent, slow);
    assert_eq!(long.cost.exceeded.map(|exceeded| exceeded.part), Some(BudgetPart::Time));
    assert!(long.outcomes.contains(&Outcome::Exceeded));
    let short = judge(&profile(&plan, Engine::On, budget), &sent_short, slow * 2);
    assert!(short.cost.time > budget.time && short.cost.exceeded.is_none());
}

#[test]
fn pauses_come_by_work_and_change_nothing() {
    let plan = written(&format!("SecRequestBodyNoFilesLimit 13107200\n{RULES}"));
    let few = judge(&profile(&plan, Engine::On, AMPLE), &Sent::get("/?first=evil"), INSTANT);
    assert_eq!(few.pauses, 0);
    let body = format!("first=evil&{}", format!("b={}&", "A%20B+C".repeat(600)).repeat(900));
    let sent = Sent::post(FORM, body.into());
    let many = judge(&profile(&plan, Engine::On, AMPLE), &sent, INSTANT);
    assert_eq!(many.outcomes[1], few.outcomes[1]);
    let whole_slices = (many.cost.work >> 18) as usize;
    assert!(whole_slices > 10 && many.pauses >= whole_slices / 2, "{}", many.pauses);
    assert!(many.pauses <= whole_slices + 5, "{}", many.pauses);
}

/// Requests of CRS's tests, pieces of them put together, under budgets of every size.
#[test]
fn whatever_is_sent_under_whatever_budget_has_an_end_that_is_defined() {
    let cases = case::below(&support::shared("crs-3.3.4-tests"));
    let stages = cases.iter().flat_map(|case| case.stages.iter().map(|stage| (case.old, stage)));
    let requests: Vec<Vec<u8>> =
        stages.map(|(old, stage)| request::bytes(&stage.input, old, ("X-Test", "1"))).collect();
    let (_, plan) = core_rule_sets().remove(0);
    let mut random = Random(0x2545_F491_4F6C_DD1D);
    let mut exceeded = 0;
    for _ in 0..400 {
        let sent = random.sent(&requests);
        let (engine, budget) = (random.one(&[Engine::On, Engine::Detect]), random.budget());
        let judged = judge(&profile(&plan, engine, budget), &sent, random.time());
        assert!(judged.cost.work <= budget.work);
        let refused = judged.outcomes.contains(&Outcome::Exceeded);
        let told = judged.cost.exceeded.as_ref();
        assert_eq!(told.is_some_and(|told| told.refused), refused);
        assert!(!refused || (engine == Engine::On && budget.exceeded == OnExceeded::Refuse));
        assert_eq!(judged.outcomes[4], Outcome::Pass, "the last phase ends nothing");
        exceeded += usize::from(told.is_some());
    }
    assert!((50..390).contains(&exceeded), "{exceeded} were too much");
}

struct Random(u64);

impl Random {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % most.max(1) as u64) as usize
    }

    fn one<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }

    fn budget(&mut self) -> RuleBudget {
        let magnitude = self.below(24);
        let work = self.below(1 << magnitude) as u64;
        let exceeded = self.one(&[OnExceeded::Pass, OnExceeded::Refuse]);
        RuleBudget { time: self.time() * 20, work, exceeded }
    }

    fn time(&mut self) -> Duration {
        Duration::from_millis(self.below(20) as u64)
    }

    fn sent(&mut self, requests: &[Vec<u8>]) -> Sent {
        let mut made = Vec::new();
        for _ in 0..=self.below(3) {
            let one = &requests[self.below(requests.len())];
            made.extend_from_slice(&one[self.below(one.len() / 2)..]);
        }
        for _ in 0..self.below(20) {
            let at = self.below(made.len());
            if let Some(byte) = made.get_mut(at) {
                *byte = self.below(256) as u8;
            }
        }
        let end = memchr::memmem::find(&made, b"\r\n\r\n").map_or(made.len(), |end| end + 4);
        let body = made.split_off(end);
        Sent { head: made, response: body.repeat(self.below(8)), body }
    }
}
