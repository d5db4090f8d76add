//! The base rules, over the wire: each rule matches its attacks, nothing matches good requests that
//! look alike, and what the score reaches is refused.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use serde::Deserialize;

use super::support::{Answer, Client, Moongate, Upstream, logged_rules};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/rules/base");
const BROWSER: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0";

/// What a rule is tried with.
#[derive(Deserialize)]
struct Trial {
    rule: u64,
    #[serde(default = "one")]
    paranoia: u8,
    attacks: Vec<Try>,
    good: Vec<Try>,
}

/// One request, and the response to it if the rule is about responses.
#[derive(Deserialize)]
struct Try {
    request: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    status: Option<u16>,
    #[serde(default)]
    response: Option<String>,
    #[serde(default)]
    response_headers: BTreeMap<String, String>,
}

fn one() -> u8 {
    1
}

fn trials() -> Vec<Trial> {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/base/attacks.yaml");
    let text = std::fs::read_to_string(file).expect("attacks.yaml");
    serde_yaml::from_str(&text).expect("attacks.yaml")
}

impl Try {
    /// As sent; `marker` is a field that the event log shows.
    fn bytes(&self, marker: &str) -> Vec<u8> {
        let mut request = format!("{} HTTP/1.1\r\nHost: shop.example\r\n", self.request);
        let mut field = |name: &str, value: &str| request += &format!("{name}: {value}\r\n");
        let told = |name: &str| self.headers.keys().any(|known| known.eq_ignore_ascii_case(name));
        if !told("User-Agent") {
            field("User-Agent", BROWSER);
        }
        for (name, value) in &self.headers {
            field(name, value);
        }
        // `\xff` in YAML is a letter; in these bodies it is meant as a byte.
        let body: Vec<u8> =
            self.body.iter().flat_map(|body| body.chars()).map(|c| c as u8).collect();
        if self.body.is_some() {
            if !told("Content-Type") {
                field("Content-Type", "application/x-www-form-urlencoded");
            }
            field("Content-Length", &body.len().to_string());
        }
        field("X-Case", marker);
        field("Connection", "close");
        let mut bytes = (request + "\r\n").into_bytes();
        bytes.extend(body);
        bytes
    }

    fn prepare(&self, upstream: &Upstream) {
        let Some(response) = &self.response else { return };
        let mut headers = vec![("Content-Type", "text/html")];
        headers.extend(self.response_headers.iter().map(|(name, value)| (&**name, &**value)));
        upstream.answer("/", Answer::with(self.status.unwrap_or(200), &headers, response));
    }
}

/// The statuses and the rules that matched, of every try.
fn send(engine: &str, paranoia: u8, tries: &[&Try]) -> Vec<(u16, BTreeSet<u64>)> {
    let upstream = Upstream::start();
    let config = format!(
        "events: events.jsonl\nrules: {{ engine: {engine}, paranoia: {paranoia}, files: [{FOLDER}] }}\n"
    );
    let moongate = Moongate::before(&upstream, &config);
    let marker = |index: usize| format!("case-{index}-");
    let mut statuses = Vec::new();
    for (index, one) in tries.iter().enumerate() {
        one.prepare(&upstream);
        let mut client = Client::connect(moongate.address);
        client.send(one.bytes(&marker(index)));
        statuses.push(client.read().status);
    }
    let mut ids: HashMap<String, Vec<u64>> = logged_rules(&moongate, r"case-\d+-");
    let of = |index: usize| ids.remove(&marker(index)).unwrap_or_default().into_iter().collect();
    let ids: Vec<BTreeSet<u64>> = (0..tries.len()).map(of).collect();
    statuses.into_iter().zip(ids).collect()
}

#[test]
fn each_rule_matches_its_attacks_and_none_matches_what_looks_alike() {
    let mut faults = Vec::new();
    for paranoia in 1..=4 {
        let trials: Vec<Trial> =
            trials().into_iter().filter(|trial| trial.paranoia == paranoia).collect();
        let tries: Vec<(u64, bool, &Try)> = trials
            .iter()
            .flat_map(|trial| {
                let attacks = trial.attacks.iter().map(|one| (trial.rule, true, one));
                attacks.chain(trial.good.iter().map(|one| (trial.rule, false, one)))
            })
            .collect();
        let sent: Vec<&Try> = tries.iter().map(|(_, _, one)| *one).collect();
        for ((rule, attack, one), (_, ids)) in tries.iter().zip(send("detect", paranoia, &sent)) {
            let request = format!("{} {:?} {:?}", one.request, one.headers, one.body);
            if *attack && !ids.contains(rule) {
                faults.push(format!("{rule} does not match {request}, only {ids:?}"));
            }
            if !attack && !ids.is_empty() {
                faults.push(format!("{ids:?} match the good request {request}"));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn an_attack_of_the_first_level_is_refused_and_a_good_request_passes() {
    let trials = trials();
    let first: Vec<&Trial> = trials.iter().filter(|trial| trial.paranoia == 1).collect();
    let attacks: Vec<&Try> = first.iter().flat_map(|trial| &trial.attacks).collect();
    for (one, (status, ids)) in attacks.iter().zip(send("on", 1, &attacks)) {
        let refused = if one.response.is_some() { 502 } else { 403 };
        assert_eq!(status, refused, "{} {:?}: {ids:?}", one.request, one.body);
    }
    let good: Vec<&Try> = first.iter().flat_map(|trial| &trial.good).collect();
    for (one, (status, ids)) in good.iter().zip(send("on", 1, &good)) {
        assert_eq!(status, one.status.unwrap_or(200), "{} {:?}: {ids:?}", one.request, one.body);
    }
}

#[test]
fn what_ordinary_sites_are_sent_matches_nothing() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/base/good.yaml");
    let text = std::fs::read_to_string(file).expect("good.yaml");
    let good: Vec<Try> = serde_yaml::from_str(&text).expect("good.yaml");
    let sent: Vec<&Try> = good.iter().collect();
    for (one, (status, ids)) in good.iter().zip(send("on", 1, &sent)) {
        let expected = (one.status.unwrap_or(200), BTreeSet::new());
        assert_eq!((status, ids), expected, "{} {:?}", one.request, one.body);
    }
}

#[test]
fn where_no_rules_are_named_the_base_rules_hold() {
    let upstream = Upstream::start();
    let attack = "/?id=1'%20OR%20'1'='1";
    let status = |rules: &str| {
        // Said here, so that the tests' own default, no rules, is not.
        let moongate = Moongate::before(&upstream, &format!("rules: {rules}\n"));
        moongate.get(attack).status
    };
    assert_eq!(status("{}"), 403);
    assert_eq!(status("{ paranoia: 2 }"), 403);
    assert_eq!(status("{ files: [base] }"), 403);
    assert_eq!(status("{ engine: detect }"), 200);
    assert_eq!(status("{ engine: off }"), 200);
    assert_eq!(status("{ files: [] }"), 200);
    let named = Moongate::with_upstream(&upstream, "rules: { files: [own.conf] }\n");
    assert_eq!(named.file("own.conf", "SecRuleEngine On\n").start().get(attack).status, 200);
}

#[test]
fn the_base_rules_are_part_of_the_policy_that_is_kept_and_of_its_digest() {
    let upstream = Upstream::start();
    let config = |rules: &str| format!("watch: false\nrules: {rules}\n");
    let mut moongate = Moongate::before(&upstream, &config("{}"));
    let with_rules = moongate.policy()["digest"].clone();
    moongate.stop();
    let other = Moongate::before(&upstream, &config("{ engine: off }"));
    assert_ne!(other.policy()["digest"], with_rules);
    moongate.edit("moongate.yaml", "rules: { engine: on\n");
    let restored = moongate.again().start();
    assert_eq!(restored.policy()["digest"], with_rules);
    assert_eq!(restored.get("/?id=1'%20OR%20'1'='1").status, 403);
}

#[test]
fn every_rule_that_tells_something_has_two_attacks_and_two_good_requests() {
    let rules = regex::Regex::new(r"id:(\d+)").unwrap();
    let mut told = BTreeSet::new();
    for entry in std::fs::read_dir(Path::new(FOLDER)).unwrap().flatten() {
        let text = std::fs::read_to_string(entry.path()).unwrap();
        for rule in rules.captures_iter(&text) {
            let rest = &text[rule.get(0).unwrap().start()..];
            let end = rest.find("\n\n").unwrap_or(rest.len());
            if rest[..end].contains("msg:") && !rest[..end].contains("base/verdict") {
                told.insert(rule[1].parse::<u64>().unwrap());
            }
        }
    }
    let tried: BTreeSet<u64> = trials()
        .iter()
        .filter(|trial| trial.attacks.len() >= 2 && trial.good.len() >= 2)
        .map(|trial| trial.rule)
        .collect();
    assert_eq!(told, tried, "left: rules; right: rules with attacks and good requests");
}
