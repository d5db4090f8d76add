//! What the prefilter passes over would not have matched: every test request of CRS, and requests
//! made of parts of them, come to the same with it and without.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, UNIX_EPOCH};

use bytes::Bytes;
use moongate::config::{Engine, Files};
use moongate::detection::{Inspection, Outcome, Plan, Profile, World, compile};
use moongate::seclang;
use moongate::shared::Collections;
use moongate::transaction::args::Parser;
use moongate::transaction::{Client, Headers, Request, Response, RulePhase, Transaction, Version};

use super::crs::{case, request};
use super::support;

const DEBIAN: &str = "/usr/share/modsecurity-crs";
const SETUP: &str = r#"
SecRequestBodyAccess On
SecResponseBodyAccess On
SecResponseBodyMimeType text/plain text/html text/xml application/json
SecAction "id:900005,phase:1,nolog,pass,setvar:tx.paranoia_level=4,setvar:tx.blocking_paranoia_level=4,setvar:tx.crs_validate_utf8_encoding=1,setvar:tx.arg_length=400"
"#;

struct Disk;

impl Files for Disk {
    fn read(&self, path: &Path) -> std::io::Result<Vec<u8>> {
        std::fs::read(path)
    }
}

#[test]
fn debians_rules_find_the_same_with_and_without_a_prefilter() {
    let setup = PathBuf::from("/etc/modsecurity/crs/crs-setup.conf");
    check(Path::new(DEBIAN), &setup, &support::shared("crs-3.3.4-tests"), 2500);
}

#[test]
fn rules_of_crs_4_find_the_same_with_and_without_a_prefilter() {
    let Some(tree) = std::env::var_os("CRS_DIR").map(PathBuf::from) else {
        eprintln!("skipped: CRS_DIR names no tree of CRS 4");
        return;
    };
    let own = tree.join("tests/regression/tests");
    let tests = if own.exists() { own } else { support::shared("crs-4-tests") };
    check(&tree, &tree.join("crs-setup.conf.example"), &tests, 2500);
}

fn check(rules: &Path, setup: &Path, tests: &Path, least: usize) {
    let with = profile(plan(rules, setup));
    let without = profile(plan(rules, setup).plainly());
    let requests = requests(tests);
    let (mut compared, mut matches) = (0, 0);
    for bytes in requests.iter().cloned().chain(mixed(&requests)) {
        let (one, other) = (facts(&with, &bytes), facts(&without, &bytes));
        assert_eq!(one.0, other.0, "{}", bytes.escape_ascii());
        compared += 1;
        matches += one.1;
    }
    eprintln!("{compared} requests compared, {matches} matches");
    assert!(compared >= least && matches >= compared, "{compared} requests, {matches} matches");
}

fn plan(rules: &Path, setup: &Path) -> Plan {
    let folder = std::fs::read_dir(rules.join("rules")).expect("a folder of rules");
    let mut files: Vec<PathBuf> = folder.map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|end| end == "conf"));
    files.sort();
    files.insert(0, setup.to_owned());
    let mut directives =
        seclang::parse(&seclang::source("setup", SETUP.as_bytes()), SETUP.as_bytes()).0;
    for file in files {
        let text = std::fs::read(&file).expect("a file of rules");
        let source = seclang::source(file.to_string_lossy(), &text);
        directives.extend(seclang::parse(&source, &text).0);
    }
    compile(&directives, &Disk).plan.expect("rules without a fault")
}

fn profile(plan: Plan) -> Arc<Profile> {
    Arc::new(Profile::plain(Arc::new(plan), Engine::Detect))
}

fn requests(tests: &Path) -> Vec<Vec<u8>> {
    let cases = case::below(tests);
    let stages = cases.iter().flat_map(|case| case.stages.iter().map(|stage| (case.old, stage)));
    stages.map(|(old, stage)| request::bytes(&stage.input, old, ("X-Test", "1"))).collect()
}

/// The head of each tenth request with the body of another, and bytes of it changed.
fn mixed(requests: &[Vec<u8>]) -> impl Iterator<Item = Vec<u8>> + '_ {
    let mut seed = 0x2545_F491_4F6C_DD1D_u64;
    let mut next = move |most: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        (seed % most.max(1) as u64) as usize
    };
    const ODD: &[u8] = b"'\"<>%&;(){}\\/\0\n .-+=*$|`aA0\xff";
    requests.iter().step_by(10).map(move |one| {
        let other = &requests[next(requests.len())];
        let cut = next(other.len());
        let mut made = [&one[..], &other[cut..]].concat();
        for _ in 0..8 {
            let at = next(made.len());
            if let Some(byte) = made.get_mut(at) {
                *byte = ODD[next(ODD.len())];
            }
        }
        made
    })
}

/// All that an exchange came to, and how many rules matched.
fn facts(profile: &Arc<Profile>, bytes: &[u8]) -> (String, usize) {
    let (mut transaction, body) = transaction(bytes);
    let now = UNIX_EPOCH + Duration::from_secs(1_785_666_030);
    transaction.started_at = now;
    let world = World { now, collections: Arc::new(Collections::default()) };
    let mut inspection = Inspection::new(Arc::clone(profile), world);
    let mut said = String::new();
    for phase in RulePhase::ALL {
        before(phase, &mut inspection, &mut transaction, &body);
        loop {
            match inspection.evaluate(phase, &transaction) {
                Outcome::Ask(question) => inspection.answer(question, false),
                Outcome::Pause => {}
                outcome => break said += &format!("{outcome:?}\n"),
            }
        }
    }
    said += &format!("{:#?}\n{:?}\n", inspection.matches(), inspection.scores());
    said += &format!("{:?} {:?}\n", inspection.would_have(), inspection.environment());
    for name in &profile.plan.tx_names {
        said += &format!("{} {:?}\n", name.escape_ascii(), inspection.tx(name));
    }
    let matches = inspection.matches().len();
    (said, matches)
}

fn before(
    phase: RulePhase,
    inspection: &mut Inspection,
    transaction: &mut Transaction,
    body: &[u8],
) {
    match phase {
        RulePhase::RequestBody => give_body(inspection, transaction, body),
        RulePhase::ResponseHeaders => {
            let mut headers = Headers::default();
            headers.append("Content-Type", "text/html");
            transaction.response = Some(Response { status: 500, headers });
        }
        // What was sent comes back, as from the authors' own server.
        RulePhase::ResponseBody => inspection.take_response_body(body.to_vec(), false),
        RulePhase::Logging | RulePhase::RequestHeaders => {}
    }
}

fn give_body(inspection: &mut Inspection, transaction: &Transaction, body: &[u8]) {
    let Some(plan) = inspection.body_plan(transaction) else { return };
    let kind = transaction.request.headers.get("content-type").cloned().unwrap_or_default();
    let parsed = plan.format.map_or_else(Default::default, |format| {
        let mut parser = Parser::new(format, &kind, plan.limits.clone());
        parser.feed(body);
        parser.finish()
    });
    let bytes = if plan.keep { body.to_vec() } else { Vec::new() };
    inspection.take_body(bytes, parsed, body.len() as u64, false);
}

/// Takes anything for a request.
fn transaction(bytes: &[u8]) -> (Transaction, Vec<u8>) {
    let end = memchr::memmem::find(bytes, b"\r\n\r\n").map_or(bytes.len(), |end| end + 4);
    let (head, body) = bytes.split_at(end);
    let mut lines = head.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii_end);
    let mut words = lines.next().unwrap_or_default().split(|byte| *byte == b' ');
    let mut word = || Bytes::copy_from_slice(words.next().unwrap_or_default());
    let (method, target) = (word(), word());
    let mut headers = Headers::default();
    for line in lines.filter(|line| !line.is_empty()) {
        let colon = memchr::memchr(b':', line).unwrap_or(line.len());
        let value = line.get(colon + 1..).unwrap_or_default().trim_ascii();
        headers.append(Bytes::copy_from_slice(&line[..colon]), Bytes::copy_from_slice(value));
    }
    let mut request = Request::new(method, target, Version::Http11, headers);
    request.raw_head = Bytes::copy_from_slice(head);
    let client = Client {
        address: "192.0.2.7".parse().unwrap(),
        port: 40_000,
        socket: "192.0.2.7:40000".parse().unwrap(),
        server: "198.51.100.1:8080".parse().unwrap(),
        connection: 1,
        connection_requests: 1,
        tls: false,
    };
    let id = "00c0ffee00c0ffee".to_owned();
    (Transaction::new(id, Instant::now(), client, request), body.to_vec())
}
