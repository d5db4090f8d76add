//! Rule sets of our making over requests of our making: what the Core Rule Sets never do.

use std::path::Path;
use std::sync::Arc;

use moongate::config::{Engine, Files};
use moongate::detection::{Exclusion, Plan, Profile, Which, compile};
use moongate::diagnostic::{Diagnostic, render};
use moongate::seclang;
use moongate::transaction::RulePhase;

use super::exchange::{Look, Meddling, Sent};
use super::random::Random;
use super::{Compared, all, rules, seed};

/// What values are made of.
const PIECES: &[&str] = &[
    "a",
    "b",
    "ab",
    "1",
    "2",
    "5",
    "x",
    " ",
    "",
    "union",
    "SELECT",
    "all",
    "%41",
    "%2541",
    "&lt;",
    "<x>",
    "'",
    "1 or 1=1",
    "/a/../b",
    "<script>",
    "%",
    "%zz",
    "\u{fc}",
    "ab12",
    "0",
    "-1",
    "4111111111111111",
    "%00",
    "/*c*/",
    "YWI=",
    "\\x61",
    "no",
];
const NAMES: &[&str] = &["a", "b", "A", "ab", "id", "x", ""];

/// Every script is there, and no other file.
struct Scripts;

impl Files for Scripts {
    fn read(&self, path: &Path) -> std::io::Result<Vec<u8>> {
        let script = path.extension().is_some_and(|end| end == "lua");
        if script { Ok(Vec::new()) } else { Err(std::io::ErrorKind::NotFound.into()) }
    }
}

pub fn plan(text: &str) -> Result<Plan, String> {
    let source = seclang::source("rules.conf", text.as_bytes());
    let (directives, mut faults) = seclang::parse(&source, text.as_bytes());
    let compiled = compile(&directives, &Scripts);
    faults.extend(compiled.diagnostics);
    faults.retain(Diagnostic::is_error);
    compiled.plan.filter(|_| faults.is_empty()).ok_or_else(|| render(&faults))
}

/// A route over some rules: on or in `detect`, now and then with things left out or set.
pub fn profile(random: &mut Random, plan: &Arc<Plan>) -> Arc<Profile> {
    let engine = if random.once_in(2) { Engine::On } else { Engine::Detect };
    let mut exclusions = Vec::new();
    for target in [None, Some("ARGS:b"), Some("ARGS:/^a/"), Some("TX:n"), Some("XML://@*")] {
        if random.once_in(6) {
            let from = 1 + random.below(9) as u64;
            let which = match random.below(3) {
                0 => Which::Tag("^t[12]$".to_owned()),
                1 => Which::Message("said".to_owned()),
                _ => Which::Ids(vec![(from, from + 1)]),
            };
            exclusions.push(Exclusion { which, target: target.map(str::to_owned) });
        }
    }
    let preset = ("n".to_owned(), "2".to_owned());
    let presets = if random.once_in(6) { vec![preset] } else { Vec::new() };
    Arc::new(Profile::new(Arc::clone(plan), engine, &presets, &exclusions).0)
}

pub fn value(random: &mut Random) -> String {
    // Now and then one that is too long to be kept as others are.
    let times = if random.once_in(60) { 1_500 } else { random.below(4) };
    (0..times).map(|_| random.one(PIECES)).collect()
}

pub fn sent(random: &mut Random) -> Sent {
    let method = random.one(&["GET", "POST"]);
    let mut text = format!("{method} /{}?{} HTTP/1.1\r\n", pairs(random), pairs(random));
    text += "Host: a.example\r\n";
    for (name, times) in [("X-A", 2), ("x-b", 3), ("X-A", 4)] {
        if random.once_in(times) {
            text += &format!("{name}: {}\r\n", value(random));
        }
    }
    if random.once_in(2) {
        text += &format!("Cookie: {}; {}\r\n", pair(random), pair(random));
    }
    if random.once_in(4) {
        text += "Authorization: Basic YTpi\r\n";
    }
    let (kind, body) = body(random);
    text += &format!("Content-Type: {kind}\r\n\r\n{body}");
    let answer = format!("<p>{}</p>", value(random)).into_bytes();
    let fields = [("Content-Type", "text/html"), ("X-A", "ab"), ("Content-Length", "7")];
    let fields = fields[..1 + random.below(3)].to_vec();
    let status = [200, 200, 404, 500][random.below(4)];
    Sent {
        request: text.into_bytes(),
        status,
        fields,
        body: Some(answer),
        meddlings: meddlings(random),
    }
}

/// What scripts do between phases, mostly nothing.
fn meddlings(random: &mut Random) -> Vec<(RulePhase, Meddling)> {
    let count = if random.once_in(4) { 1 + random.below(3) } else { 0 };
    let meddlings = (0..count).map(|_| {
        let from = 1 + random.below(12) as u64;
        let meddling = match random.below(4) {
            0 => Meddling::Remove(from, from + 1),
            1 => Meddling::RemoveTarget(from, from + 2, "ARGS:a"),
            2 => Meddling::RemoveTarget(from, from + 5, "REQUEST_HEADERS"),
            _ => Meddling::Set(random.one(&["s", "n", "new"]), Some("ab").filter(|_| from > 4)),
        };
        (RulePhase::ALL[random.below(4)], meddling)
    });
    meddlings.collect()
}

fn pair(random: &mut Random) -> String {
    format!("{}={}", random.one(NAMES), value(random))
}

fn pairs(random: &mut Random) -> String {
    let count = random.below(5);
    (0..count).map(|_| pair(random)).collect::<Vec<_>>().join("&").replace(' ', "+")
}

fn body(random: &mut Random) -> (&'static str, String) {
    let (name, one, other) = (random.one(NAMES), value(random), value(random));
    match random.below(6) {
        0 | 1 => ("application/x-www-form-urlencoded", pairs(random)),
        2 => (
            "application/json",
            format!("{{\"{name}\":[\"{one}\",{{\"b\":\"{other}\"}}],\"n\":1}}"),
        ),
        3 => ("text/xml", format!("<r a=\"{}\"><b>{other}</b>{one}</r>", one.replace('<', "("))),
        4 => {
            let said = "Content-Disposition: form-data; name=";
            let file =
                format!("--B\r\n{said}\"{name}\"; filename=\"{one}.txt\"\r\n\r\n{other}\r\n");
            let field = format!("--B\r\n{said}\"b\"\r\n\r\n{one}\r\n--B--\r\n");
            ("multipart/form-data; boundary=B", file + &field)
        }
        _ => ("text/plain", one + &other),
    }
}

#[test]
fn rules_of_our_making_find_the_same() {
    let mut random = Random(seed(20_260_802));
    let mut compared = Compared::default();
    let (mut compiled, mut faulty) = (0, Vec::new());
    for _ in 0..if all() { 40_000 } else { 1_000 } {
        let text = rules::rule_set(&mut random);
        let plan = match plan(&text) {
            Ok(plan) => Arc::new(plan),
            Err(fault) => {
                faulty.push(fault);
                continue;
            }
        };
        compiled += 1;
        let profile = profile(&mut random, &plan);
        for _ in 0..4 {
            let sent = sent(&mut random);
            let look = if random.once_in(8) { Look::AtAll } else { Look::AtChanges };
            compared.compare(&profile, &sent, look, &text);
        }
    }
    assert!(compiled > faulty.len() * 9, "{} compiled; {}", compiled, faulty[0]);
    compared.told(3_000);
}
