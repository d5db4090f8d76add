//! What a worker remembers from one exchange to the next changes nothing: repeated, interleaved,
//! under rules that change, and with so much between that what is remembered is pushed out.

use std::sync::Arc;

use moongate::detection::{Profile, take_recall};

use super::corpus::Corpus;
use super::crs::{RuleSet, crs_4, debian, profiles};
use super::exchange::{Course, Facts, Inspected, Look, Sent, world};
use super::random::Random;
use super::{all, found_by_engine, found_plainly, made_up, rules, same, seed};

const LOOK: Look = Look::AtChanges;

/// Rules, a request, and what comes of it.
struct Known<'a> {
    profile: &'a Arc<Profile>,
    sent: &'a Sent,
    facts: Vec<Facts>,
}

fn known<'a>(profiles: &'a [Arc<Profile>], sent: &'a [Sent]) -> Vec<Known<'a>> {
    let pairs = profiles.iter().flat_map(|profile| sent.iter().map(move |sent| (profile, sent)));
    let known = pairs.map(|(profile, sent)| {
        let facts = found_plainly(profile, sent, LOOK);
        Known { profile, sent, facts }
    });
    known.collect()
}

/// Exchanges in any order, some of them phase by phase beside one another.
fn check(random: &mut Random, known: &[Known<'_>], count: usize, about: &str) {
    for _ in 0..count {
        let together = if random.once_in(3) { 2 + random.below(3) } else { 1 };
        let chosen: Vec<&Known<'_>> =
            (0..together).map(|_| &known[random.below(known.len())]).collect();
        let begun =
            chosen.iter().map(|it| Course::new(Inspected::new(it.profile, world()), it.sent, LOOK));
        let mut courses: Vec<Course<'_>> = begun.collect();
        let mut left: Vec<usize> = (0..together).collect();
        while !left.is_empty() {
            let at = random.below(left.len());
            if !courses[left[at]].step() {
                left.swap_remove(at);
            }
        }
        for (course, it) in courses.iter().zip(&chosen) {
            same(&course.facts, &it.facts, it.sent, about);
        }
    }
}

/// A request of values that were never seen before, many or long.
fn flood(random: &mut Random) -> Sent {
    let (count, length) = [(900, 24), (200, 1_900), (12, 9_000)][random.below(3)];
    let value = |random: &mut Random| -> String {
        const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789-._~'(;=";
        (0..length).map(|_| char::from(LETTERS[random.below(LETTERS.len())])).collect()
    };
    let form: Vec<String> = (0..count).map(|at| format!("f{at}={}", value(random))).collect();
    let head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded";
    let request = format!("{head}\r\n\r\n{}", form.join("&")).into_bytes();
    Sent { request, status: 200, fields: Vec::new(), body: None, meddlings: Vec::new() }
}

fn check_rules(rules: &RuleSet, seed: u64) {
    let mut random = Random(seed);
    let (tests, rounds) = if all() { (100, 60) } else { (6, 6) };
    let mut sent: Vec<Sent> = Vec::new();
    let mut corpus = Corpus { random: Random(seed), harvest: &[] };
    for _ in 0..tests {
        sent.push(rules.tests[random.below(rules.tests.len())].clone());
        sent.push(corpus.sent());
    }
    let profiles = profiles(rules);
    let known = known(&profiles, &sent);
    let _before = take_recall();
    let mut recalled = 0;
    for _ in 0..rounds {
        check(&mut random, &known, known.len() / 2, "in a sequence");
        recalled += take_recall().recalled;
        let flood = flood(&mut random);
        for profile in &profiles[..2] {
            found_by_engine(profile, &flood, LOOK);
        }
    }
    assert!(recalled > 1_000, "only {recalled} verdicts were remembered ones");
}

#[test]
fn debians_rules_find_the_same_again_and_again() {
    check_rules(&debian(), seed(77));
}

#[test]
fn rules_of_crs_4_find_the_same_again_and_again() {
    if let Some(rules) = crs_4() {
        check_rules(&rules, seed(99));
    }
}

#[test]
fn what_was_found_under_other_rules_does_not_count() {
    let mut random = Random(seed(31_337));
    let sent: Vec<Sent> = (0..6).map(|_| made_up::sent(&mut random)).collect();
    for _ in 0..if all() { 6_000 } else { 150 } {
        let texts = [rules::rule_set(&mut random), rules::rule_set(&mut random)];
        let plans = texts.iter().filter_map(|text| made_up::plan(text).ok().map(Arc::new));
        let profiles: Vec<Arc<Profile>> = plans
            .flat_map(|plan| {
                [made_up::profile(&mut random, &plan), made_up::profile(&mut random, &plan)]
            })
            .collect();
        if profiles.is_empty() {
            continue;
        }
        let known = known(&profiles, &sent);
        check(&mut random, &known, 20, &texts.join("\n---\n"));
    }
}
