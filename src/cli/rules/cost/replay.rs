//! Recorded requests through the engine, in process: as the proxy drives it, without its sockets.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use nix::time::{ClockId, clock_gettime};

use super::corpus::{Fields, Sample};
use crate::detection::cost::{Spent, Survey, judge};
use crate::detection::{Inspection, Outcome, Plan, Profile, World, forget_verdicts};
use crate::policy::Policy;
use crate::transaction::args::{Parsed, Parser};
use crate::transaction::{
    Body, Client, Headers, Request, Response, RulePhase, Transaction, Version,
};

/// How often the corpus is run through the whole engine; the shortest time counts.
const PASSES: usize = 3;

/// What came of a replay.
pub(super) struct Measured {
    /// By rule set and rule.
    pub(super) spent: Vec<Vec<Spent>>,
    /// Requests that rules looked at.
    pub(super) requests: u64,
    /// What the whole engine took for them, parsing and all that rules share included.
    pub(super) whole: Duration,
    /// The same, where it has seen their values before.
    pub(super) repeated: Duration,
}

/// Judges the requests of a corpus by the rules of a policy.
pub(super) fn replay(policy: &Policy, corpus: &[Sample]) -> Measured {
    let mut surveys: Vec<(Arc<Plan>, Survey<'_>)> = Vec::new();
    for ruleset in &policy.rulesets {
        surveys.push((ruleset.plan.clone(), Survey::new(ruleset.plan.clone(), &cpu_time)));
    }
    let mut requests = 0;
    for sample in corpus {
        let Some((profile, mut transaction)) = begin(policy, sample) else { continue };
        requests += 1;
        let survey = surveys.iter_mut().find(|(plan, _)| Arc::ptr_eq(plan, &profile.plan));
        let Some((_, survey)) = survey else { continue };
        let mut inspection = Inspection::new(profile, world(policy));
        exchange(&mut inspection, &mut transaction, sample, |phase, inspection, transaction| {
            survey.judge(phase, inspection, transaction)
        });
    }
    let spent = surveys.into_iter().map(|(_, survey)| survey.finish()).collect();
    let whole = shortest(policy, corpus, false);
    let repeated = shortest(policy, corpus, true);
    Measured { spent, requests, whole, repeated }
}

/// The time of the engine for the whole corpus; it remembers verdicts, or not.
fn shortest(policy: &Policy, corpus: &[Sample], remember: bool) -> Duration {
    forget_verdicts(remember);
    let passes = (0..PASSES).map(|_| pass(policy, corpus));
    let shortest = passes.min().unwrap_or_default();
    forget_verdicts(true);
    shortest
}

/// CPU time of this thread: what others do on the machine does not count.
fn cpu_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map_or(Duration::ZERO, Duration::from)
}

fn pass(policy: &Policy, corpus: &[Sample]) -> Duration {
    let mut whole = Duration::ZERO;
    for sample in corpus {
        let Some((profile, mut transaction)) = begin(policy, sample) else { continue };
        let world = world(policy);
        let before = cpu_time();
        let mut inspection = Inspection::new(profile, world);
        exchange(&mut inspection, &mut transaction, sample, judge);
        drop(inspection);
        whole += cpu_time().saturating_sub(before);
    }
    whole
}

fn world(policy: &Policy) -> World {
    let (collections, tables) = (policy.collections.clone(), policy.tables.clone());
    World { now: SystemTime::now(), collections, tables }
}

/// The rules of the route that would serve it; none: its engine is off.
fn begin(policy: &Policy, sample: &Sample) -> Option<(Arc<Profile>, Transaction)> {
    let transaction = transaction(sample);
    let route = policy.plans.get(policy.router.find(&transaction.request))?;
    let rules = route.rules.as_ref()?;
    let profile = rules.profile(|| transaction.request.normalized_path()).clone();
    Some((profile, transaction))
}

/// All phases of an exchange; `judge` runs one.
fn exchange(
    inspection: &mut Inspection,
    transaction: &mut Transaction,
    sample: &Sample,
    mut judge: impl FnMut(RulePhase, &mut Inspection, &Transaction) -> Outcome,
) {
    let mut passes = |phase, inspection: &mut Inspection, transaction: &Transaction| {
        judge(phase, inspection, transaction) == Outcome::Pass
    };
    if passes(RulePhase::RequestHeaders, inspection, transaction) {
        take_body(inspection, transaction, sample);
        if passes(RulePhase::RequestBody, inspection, transaction)
            && take_answer(transaction, sample)
            && passes(RulePhase::ResponseHeaders, inspection, transaction)
        {
            take_response_body(inspection, transaction, sample);
            passes(RulePhase::ResponseBody, inspection, transaction);
        }
    }
    passes(RulePhase::Logging, inspection, transaction);
}

fn take_body(inspection: &mut Inspection, transaction: &Transaction, sample: &Sample) {
    let Some(plan) = inspection.body_plan(transaction) else { return };
    let seen = sample.body.get(..plan.limit as usize).unwrap_or(&sample.body);
    let content_type = transaction.request.headers.get("content-type");
    let content_type = content_type.map_or(&b""[..], |value| &value[..]);
    let parsed = plan.format.map_or_else(Parsed::default, |format| {
        let mut parser = Parser::new(format, content_type, plan.limits.clone());
        parser.feed(seen);
        parser.finish()
    });
    let bytes = if plan.keep { seen.to_vec() } else { Vec::new() };
    let length = sample.body.len() as u64;
    inspection.take_body(bytes, parsed, length, length > plan.limit);
}

/// Whether there was a response.
fn take_answer(transaction: &mut Transaction, sample: &Sample) -> bool {
    let Some(answer) = &sample.answer else { return false };
    let headers = headers(&answer.headers);
    transaction.response = Some(Response { status: answer.status, headers });
    true
}

fn take_response_body(inspection: &mut Inspection, transaction: &Transaction, sample: &Sample) {
    let Some((limit, _)) = inspection.response_plan(transaction) else { return };
    let Some(answer) = &sample.answer else { return };
    let seen = answer.body.get(..limit as usize).unwrap_or(&answer.body);
    inspection.take_response_body(seen.to_vec(), seen.len() < answer.body.len());
}

fn transaction(sample: &Sample) -> Transaction {
    let (method, target) = (sample.method.clone(), sample.target.clone());
    let mut request = Request::new(method, target, Version::Http11, headers(&sample.headers));
    request.raw_head = head(sample);
    let client = Client {
        address: sample.client,
        port: 40_000,
        socket: (sample.client, 40_000).into(),
        server: ([198, 51, 100, 1], 8080).into(),
        listener: ([198, 51, 100, 1], 8080).into(),
        connection: 1,
        connection_requests: 1,
        tls: None,
        path: None,
    };
    let mut transaction = Transaction::new("0".repeat(32), Instant::now(), client, request);
    if !sample.body.is_empty() {
        transaction.body = Body::Memory(sample.body.clone());
    }
    transaction
}

fn head(sample: &Sample) -> Bytes {
    let mut head = [&sample.method[..], b" ", &sample.target, b" HTTP/1.1\r\n"].concat();
    for (name, value) in &sample.headers {
        head.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
    }
    head.extend_from_slice(b"\r\n");
    head.into()
}

fn headers(fields: &Fields) -> Headers {
    let mut headers = Headers::with_capacity(fields.len());
    for (name, value) in fields {
        headers.append(name.clone(), value.clone());
    }
    headers.received();
    headers
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use super::super::corpus::{Sample, ordinary};
    use super::*;
    use crate::config::Overrides;
    use crate::policy::{Origin, build};

    const DEBIAN: &str = "/usr/share/modsecurity-crs";

    fn policy(rules: &[&str]) -> Policy {
        let overrides = Overrides {
            upstream: Some("http://127.0.0.1:1".to_owned()),
            rules: rules.iter().map(Path::new).map(Path::to_owned).collect(),
            ..Overrides::default()
        };
        build(None, &overrides, Origin::Disk, None).policy.expect("no fault")
    }

    /// How often the engine tells of each rule.
    fn told(policy: &Policy, corpus: &[Sample]) -> BTreeMap<u64, u64> {
        let mut told = BTreeMap::new();
        for sample in corpus {
            let (profile, mut transaction) = begin(policy, sample).expect("its engine is on");
            let mut inspection = Inspection::new(profile, world(policy));
            exchange(&mut inspection, &mut transaction, sample, judge);
            for found in inspection.matches() {
                *told.entry(found.id).or_default() += 1;
            }
        }
        told
    }

    #[test]
    fn a_survey_counts_the_matches_that_the_engine_tells() {
        for rules in [&[][..], &[DEBIAN]] {
            let (policy, corpus) = (policy(rules), ordinary());
            let measured = replay(&policy, &corpus);
            let plan = &policy.rulesets[0].plan;
            let logged = plan.rules.iter().zip(&measured.spent[0]);
            let logged =
                logged.filter(|(rule, spent)| (rule.log || rule.audit) && spent.matches > 0);
            let counted: BTreeMap<u64, u64> =
                logged.map(|(rule, spent)| (rule.id, spent.matches)).collect();
            assert_eq!(counted, told(&policy, &corpus), "{rules:?}");
            assert_eq!(measured.requests, corpus.len() as u64);
        }
    }

    #[test]
    fn ordinary_requests_pass() {
        for rules in [&[][..], &[DEBIAN]] {
            let policy = policy(rules);
            for sample in ordinary() {
                let (profile, mut transaction) = begin(&policy, &sample).expect("the engine is on");
                let mut inspection = Inspection::new(profile, world(&policy));
                exchange(&mut inspection, &mut transaction, &sample, |phase, one, of| {
                    let outcome = judge(phase, one, of);
                    assert_eq!(outcome, Outcome::Pass, "{rules:?}: {:?}", sample.target);
                    outcome
                });
            }
        }
    }
}
