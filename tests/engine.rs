//! Rules at work: each case in `tests/engine/*.txt` is rules, a request, maybe a response, and what
//! comes of them.

mod properties;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use moongate::config::{Engine, Files};
use moongate::detection::operators::Question;
use moongate::detection::{
    Answer, Exclusion, Inspection, Interruption, Named, Outcome, Profile, Which, World, compile,
};
use moongate::diagnostic::render;
use moongate::seclang;
use moongate::shared::Collections;
use moongate::transaction::args::Parser;
use moongate::transaction::{Headers, Match, Request, Response, RulePhase, Transaction, Version};

use crate::support::exchange::begun;

/// What stands before the name of a case, and of a part of it.
const CASE: &str = "\n### ";
const PART: &str = "\n--- ";

struct Case {
    name: String,
    rules: String,
    /// One after the other; what rules keep between requests is kept.
    requests: Vec<String>,
    response: Option<String>,
    expected: String,
}

#[test]
fn rules_find_what_they_should_and_do_what_they_say() {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/engine"));
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> =
        files.filter(|path| path.extension().is_some_and(|end| end == "txt")).collect();
    files.sort();
    let mut ran = 0;
    let mut wrong = String::new();
    for file in files {
        for case in cases(&std::fs::read_to_string(&file).unwrap()) {
            ran += 1;
            let found = run(&case);
            if found != case.expected {
                let name = file.file_name().unwrap().to_string_lossy();
                let Case { name: title, expected, .. } = &case;
                write!(wrong, "{name}: {title}\nexpected:\n{expected}found:\n{found}\n").unwrap();
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert!(ran >= 60, "{ran} cases only");
}

/// An inspection of `GET /?a=1&b=2` and the transaction.
fn inspection(rules: &str) -> (Inspection, Transaction) {
    let profile = profile("rules", rules).unwrap();
    let world = World { now: UNIX_EPOCH, collections: Arc::default(), tables: Arc::default() };
    let (transaction, _) = transaction("GET /?a=1&b=2 HTTP/1.1\nHost: x");
    (Inspection::new(profile, world), transaction)
}

#[test]
fn what_a_script_adds_counts_as_if_a_rule_had_found_it() {
    // As CRS does it: phase 1 sets the sums to nothing, phase 2 adds them up and judges.
    let (mut inspection, transaction) = inspection(
        r#"SecAction "id:1,phase:1,pass,nolog,setvar:tx.inbound_anomaly_score_pl1=0"
        SecAction "id:2,phase:2,pass,nolog,setvar:tx.blocking_inbound_anomaly_score=0,setvar:tx.blocking_inbound_anomaly_score=+%{tx.inbound_anomaly_score_pl1}"
        SecRule TX:blocking_inbound_anomaly_score "@ge 5" "id:3,phase:2,deny,log""#,
    );
    inspection.add_match(7_000_001, b"before the rules", 3);
    assert_eq!(inspection.scores().inbound, 3);
    inspection.evaluate(RulePhase::RequestHeaders, &transaction);
    inspection.add_match(7_000_002, b"between the phases", 2);
    assert_eq!(inspection.tx(b"TX_ABSENT"), None);
    let outcome = inspection.evaluate(RulePhase::RequestBody, &transaction);
    assert!(matches!(outcome, Outcome::Interrupt(_)), "{outcome:?}");
    assert_eq!(inspection.scores().inbound, 5);
    let ids: Vec<u64> = inspection.matches().iter().map(|found| found.id).collect();
    assert_eq!(ids, [7_000_001, 7_000_002, 3]);
}

#[test]
fn a_script_leaves_out_rules_and_targets_for_one_exchange_and_writes_tx() {
    let rules = r#"SecRule ARGS "@rx ." "id:1,phase:1,pass,log"
        SecRule ARGS "@rx ." "id:2,phase:1,pass,log,tag:'t'"
        SecRule TX:from_lua "@streq yes" "id:3,phase:1,pass,log""#;
    let (mut inspection, transaction) = inspection(rules);
    assert_eq!(inspection.remove_rules(Named::Ids(1, 1)), 1);
    assert_eq!(inspection.remove_target(Named::Tag(b"t"), "ARGS:b"), Ok(1));
    assert!(inspection.remove_target(Named::Tag(b"t"), "NOTHING:b").is_err());
    inspection.set_tx(b"From_Lua", Some(b"yes"));
    inspection.evaluate(RulePhase::RequestHeaders, &transaction);
    assert_eq!(facts(&inspection), "2 ARGS:a=1\n3 TX:from_lua=yes\n");
    inspection.set_tx(b"from_lua", None);
    assert_eq!(inspection.tx(b"from_lua"), None);
}

#[test]
fn a_route_pins_members_of_tx_and_leaves_out_rules_and_targets() {
    let rules = r#"SecAction "id:1,phase:1,pass,nolog,setvar:tx.level=1"
        SecRule TX:level "@eq 4" "id:2,phase:1,pass,log"
        SecAction "id:3,phase:1,pass,log"
        SecRule ARGS "@rx ." "id:4,phase:1,pass,log""#;
    let plain = profile("rules", rules).unwrap();
    let exclusions = [
        Exclusion { which: Which::Ids(vec![(3, 3)]), target: None },
        Exclusion { which: Which::Ids(vec![(4, 4)]), target: Some("ARGS:/^b$/".to_owned()) },
    ];
    let presets = [("LEVEL".to_owned(), "4".to_owned())];
    let (profile, complaints) =
        Profile::new(Arc::clone(&plain.plan), Engine::On, &presets, &exclusions);
    assert!(complaints.is_empty());
    let world = World { now: UNIX_EPOCH, collections: Arc::default(), tables: Arc::default() };
    let mut inspection = Inspection::new(Arc::new(profile), world);
    let (transaction, _) = transaction("GET /?a=1&b=2 HTTP/1.1\nHost: x");
    inspection.evaluate(RulePhase::RequestHeaders, &transaction);
    assert_eq!(facts(&inspection), "2 TX:level=4\n4 ARGS:a=1\n");
}

#[test]
fn what_is_kept_for_an_exchange_is_bounded() {
    let rule = |id: usize| format!("SecRule ARGS \"@rx .\" \"id:{id},phase:1,pass,log\"\n");
    let mut rules: String = (1..1500).map(rule).collect();
    rules += r#"SecRule ARGS_NAMES "@rx ." "id:5000,phase:1,pass,nolog,setvar:'tx.%{MATCHED_VAR}=1',chain"
        SecRule &MATCHED_VARS "@le 1000" "setvar:tx.few=1"
        SecRule TX:few "@eq 1" "id:5001,phase:2,pass,nolog,setenv:few=yes""#;
    let (mut inspection, mut transaction) = inspection(&rules);
    let query: String = (0..5000).map(|at| format!("a{at}=x&")).collect();
    transaction.request.set_target(&Bytes::from(format!("/?{query}")));
    evaluate(&mut inspection, RulePhase::RequestHeaders, &transaction);
    evaluate(&mut inspection, RulePhase::RequestBody, &transaction);
    assert_eq!(inspection.matches().len(), 1000);
    assert_eq!(inspection.environment().len(), 1);
}

fn cases(text: &str) -> impl Iterator<Item = Case> {
    let text = format!("\n{text}");
    let all: Vec<String> = text.split(CASE).skip(1).map(str::to_owned).collect();
    all.into_iter().map(|text| case(&text))
}

fn case(text: &str) -> Case {
    let mut parts = text.split(PART);
    let (name, rules) = parts.next().unwrap().split_once('\n').expect("rules after the name");
    let (name, rules) = (name.to_owned(), rules.to_owned());
    let mut case =
        Case { name, rules, requests: Vec::new(), response: None, expected: String::new() };
    for part in parts {
        let (kind, text) = part.split_once('\n').unwrap_or((part, ""));
        match kind.trim() {
            "request" => case.requests.push(text.to_owned()),
            "response" => case.response = Some(text.to_owned()),
            "found" => case.expected = text.trim_end().to_owned() + "\n",
            other => panic!("{}: what is `{other}`?", case.name),
        }
    }
    assert!(!case.expected.is_empty(), "{}: nothing is expected", case.name);
    case
}

/// What comes of a case, one line a fact; that of its last request.
fn run(case: &Case) -> String {
    let profile = match profile(&case.name, &case.rules) {
        Ok(profile) => profile,
        Err(faults) => return faults,
    };
    let collections = Arc::new(Collections::default());
    let mut found = String::new();
    for request in &case.requests {
        found = exchange(case, &profile, &collections, request);
    }
    if found.is_empty() { "nothing\n".to_owned() } else { found }
}

fn profile(name: &str, rules: &str) -> Result<Arc<Profile>, String> {
    let source = seclang::source(name, rules.as_bytes());
    let (directives, mut faults) = seclang::parse(&source, rules.as_bytes());
    let compiled = compile(&directives, &Scripts);
    faults.extend(compiled.diagnostics);
    let plan = compiled.plan.ok_or_else(|| render(&faults))?;
    let engine = plan.settings.engine.unwrap_or(Engine::On);
    Ok(Arc::new(Profile::plain(Arc::new(plan), engine)))
}

/// Every script is there, and no other file.
struct Scripts;

impl Files for Scripts {
    fn read(&self, path: &Path) -> std::io::Result<Vec<u8>> {
        let script = path.extension().is_some_and(|end| end == "lua");
        if script { Ok(Vec::new()) } else { Err(std::io::ErrorKind::NotFound.into()) }
    }
}

fn exchange(
    case: &Case,
    profile: &Arc<Profile>,
    collections: &Arc<Collections>,
    request: &str,
) -> String {
    let (mut transaction, body) = transaction(request);
    // Sunday, 2 August 2026, 10:20:30 UTC.
    let now = UNIX_EPOCH + Duration::from_secs(1_785_666_030);
    transaction.begin_at(now - Duration::from_millis(1500));
    let world = World { now, collections: Arc::clone(collections), tables: Arc::default() };
    let mut inspection = Inspection::new(Arc::clone(profile), world);
    let mut ended = String::new();
    for phase in RulePhase::ALL {
        before(phase, case, &mut inspection, &mut transaction, &body);
        let outcome = evaluate(&mut inspection, phase, &transaction);
        if let Outcome::Interrupt(interruption) = outcome {
            writeln!(ended, "phase {}: {}", phase.number(), shown(&interruption)).unwrap();
        }
    }
    facts(&inspection) + &ended
}

fn before(
    phase: RulePhase,
    case: &Case,
    inspection: &mut Inspection,
    transaction: &mut Transaction,
    body: &[u8],
) {
    match phase {
        RulePhase::RequestBody => give_body(inspection, transaction, body),
        RulePhase::ResponseHeaders => {
            transaction.response = case.response.as_deref().map(|text| response(text).0);
        }
        RulePhase::ResponseBody => {
            if let Some((limit, _)) = inspection.response_plan(transaction) {
                let body = response(case.response.as_deref().unwrap_or_default()).1;
                let limit = body.len().min(limit as usize);
                inspection.take_response_body(body[..limit].to_vec(), limit < body.len());
            }
        }
        RulePhase::RequestHeaders | RulePhase::Logging => {}
    }
}

fn give_body(inspection: &mut Inspection, transaction: &Transaction, body: &[u8]) {
    let Some(plan) = inspection.body_plan(transaction) else { return };
    let seen = &body[..body.len().min(plan.limit as usize)];
    let content_type = transaction.request.headers.get("content-type").cloned().unwrap_or_default();
    let parsed = match plan.format {
        Some(format) => {
            let mut parser = Parser::new(format, &content_type, plan.limits.clone());
            parser.feed(seen);
            parser.finish()
        }
        None => moongate::transaction::args::Parsed::default(),
    };
    let bytes = if plan.keep { seen.to_vec() } else { Vec::new() };
    inspection.take_body(bytes, parsed, body.len() as u64, seen.len() < body.len());
}

/// Questions are answered with yes, but for names and scripts that begin with `no`.
fn evaluate(inspection: &mut Inspection, phase: RulePhase, transaction: &Transaction) -> Outcome {
    loop {
        match inspection.evaluate(phase, transaction) {
            Outcome::Ask(question) => {
                let answer = match &question {
                    Question::Resolves(name) => !name.starts_with("no"),
                    Question::Script { value, .. } => !value.starts_with(b"no"),
                };
                inspection.answer(question, answer);
            }
            Outcome::Pause => {}
            outcome => return outcome,
        }
    }
}

fn facts(inspection: &Inspection) -> String {
    let mut facts: String = inspection.matches().iter().map(fact).collect();
    if let Some(interruption) = inspection.would_have() {
        writeln!(facts, "would have: {}", shown(interruption)).unwrap();
    }
    let scores = inspection.scores();
    if scores != moongate::transaction::Scores::default() {
        writeln!(facts, "scores: {} {}", scores.inbound, scores.outbound).unwrap();
    }
    for (name, value) in inspection.environment() {
        let (name, value) = (String::from_utf8_lossy(name), String::from_utf8_lossy(value));
        writeln!(facts, "env: {name}={value}").unwrap();
    }
    facts
}

/// `id variable=value`, message, data, as far as there is any.
fn fact(found: &Match) -> String {
    let text = |bytes: &[u8]| bytes.escape_ascii().to_string();
    let mut line = found.id.to_string();
    if !found.variable.is_empty() {
        write!(line, " {}={}", text(&found.variable), text(&found.value)).unwrap();
    }
    for said in [&found.message, &found.data] {
        if !said.is_empty() {
            write!(line, " | {}", text(said)).unwrap();
        }
    }
    line + "\n"
}

fn shown(interruption: &Interruption) -> String {
    let rule = interruption.rule;
    match &interruption.answer {
        Answer::Close => format!("close by {rule}"),
        Answer::Redirect(status, to) => {
            format!("{status} to {} by {rule}", String::from_utf8_lossy(to))
        }
        Answer::Status(status) => format!("{status} by {rule}"),
    }
}

/// A transaction, and its body. Lines of the head end in CRLF on the wire, and so do those of a
/// multipart body.
fn transaction(text: &str) -> (Transaction, Vec<u8>) {
    let (head, body) = text.split_once("\n\n").unwrap_or((text.trim_end(), ""));
    let raw_head = Bytes::from(head.replace('\n', "\r\n") + "\r\n\r\n");
    let mut lines = head.lines();
    let line = lines.next().expect("a request line");
    let mut words = line.split(' ');
    let mut word = || Bytes::copy_from_slice(words.next().unwrap_or_default().as_bytes());
    let (method, target) = (word(), word());
    let headers = headers(lines);
    let body = body.strip_suffix('\n').unwrap_or(body);
    let multipart = headers.get_str("content-type").is_some_and(|is| is.starts_with("multipart"));
    let body = if multipart { body.replace('\n', "\r\n") } else { body.to_owned() };
    let mut request = Request::new(method, target, Version::Http11, headers);
    request.raw_head = raw_head;
    (begun(request), body.into_bytes())
}

fn response(text: &str) -> (Response, Vec<u8>) {
    let (head, body) = text.split_once("\n\n").unwrap_or((text.trim_end(), ""));
    let mut lines = head.lines();
    let status = lines.next().unwrap_or_default().split(' ').nth(1).unwrap_or("200");
    let status = status.parse().expect("a status");
    let body = body.strip_suffix('\n').unwrap_or(body);
    (Response { status, headers: headers(lines) }, body.as_bytes().to_vec())
}

fn headers<'a>(lines: impl Iterator<Item = &'a str>) -> Headers {
    let mut headers = Headers::default();
    for line in lines {
        let (name, value) = line.split_once(':').expect("a field");
        headers.append(name.to_owned(), value.trim().to_owned());
    }
    headers
}
