//! The Core Rule Set's own regression tests, over the wire, against its unmodified rules.
//!
//! In CI: Debian's package (3.3.4) and its tests. With `CRS_DIR` any tree of CRS 4 (its tests, or
//! those that are shared with us), and with `CRS_PLUGINS` a folder of CRS's plugins, each of which is
//! put beside those rules. A test may fail only if `tests/crs/overrides.yaml` names it, with
//! the reason, and then it must behave as is said there.

#[path = "crs/case.rs"]
pub mod case;
#[path = "crs/reflector.rs"]
mod reflector;
#[path = "crs/request.rs"]
pub mod request;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use super::support::{self, Client, Moongate, resting_events};
use case::{Case, Expected, Stage};

const MARKER: &str = "X-CRS-Test";
const SENDERS: usize = 4;
/// How long an answer is waited for that should not come.
const SHORT: Duration = Duration::from_secs(2);
const DEBIAN: &str = "/usr/share/modsecurity-crs";

/// As the authors of CRS say to set it up for its tests: `ID` and paranoia differ by version.
const SETUP: &str = r#"
SecResponseBodyAccess On
SecResponseBodyMimeType text/plain text/html text/xml application/json
SecAction "id:900005,phase:1,nolog,pass,ctl:ruleRemoveById=910000,\
  setvar:tx.paranoia_level=4,\
  setvar:tx.blocking_paranoia_level=4,\
  setvar:tx.crs_validate_utf8_encoding=1,\
  setvar:tx.arg_name_length=100,\
  setvar:tx.arg_length=400,\
  setvar:tx.total_arg_length=64000,\
  setvar:tx.max_num_args=255,\
  setvar:tx.max_file_size=64100,\
  setvar:tx.combined_file_sizes=65535"
"#;

/// What a request led to.
#[derive(Debug, Default, Clone)]
struct Result {
    /// None: the connection ended without an answer.
    status: Option<u16>,
    /// Of the rules in the event log.
    ids: HashSet<u64>,
    /// One line for each rule, as ModSecurity would log it.
    lines: Vec<String>,
}

/// A test that ends otherwise here, and why.
#[derive(Deserialize)]
struct Override {
    test: String,
    /// Such as `3.3.4` or `4`: the versions that it is about begin so.
    version: String,
    #[allow(dead_code, reason = "for the reader")]
    reason: String,
    output: Expected,
}

#[test]
fn debians_rules_pass_their_authors_tests() {
    if !Path::new(DEBIAN).exists() {
        panic!("{DEBIAN} is not there: tests/run installs modsecurity-crs");
    }
    check(Path::new(DEBIAN), &support::shared("crs-3.3.4-tests"), "3.3.4");
}

#[test]
fn rules_of_crs_4_pass_their_authors_tests() {
    let Some(tree) = std::env::var_os("CRS_DIR").map(PathBuf::from) else {
        eprintln!("skipped: CRS_DIR names no tree of CRS 4");
        return;
    };
    let own = tree.join("tests/regression/tests");
    let tests = if own.exists() { own } else { support::shared("crs-4-tests") };
    check(&tree, &tests, "4");
}

#[test]
fn plugins_of_crs_4_pass_their_authors_tests() {
    let named = |name| std::env::var_os(name).map(PathBuf::from);
    let (Some(tree), Some(plugins)) = (named("CRS_DIR"), named("CRS_PLUGINS")) else {
        eprintln!("skipped: CRS_DIR and CRS_PLUGINS name no tree of CRS 4 and no plugins");
        return;
    };
    let plugins = std::fs::read_dir(plugins).expect("a folder of plugins");
    let mut plugins: Vec<PathBuf> = plugins.map(|entry| entry.expect("it").path()).collect();
    plugins.sort();
    let tested = plugins.iter().filter(|plugin| plugin.join("tests/regression").exists());
    for plugin in tested {
        eprintln!("{}", plugin.display());
        let beside = tempfile::tempdir().expect("a temporary folder");
        for (folder, name) in
            [(&tree, "rules"), (&tree, "crs-setup.conf.example"), (plugin, "plugins")]
        {
            std::os::unix::fs::symlink(folder.join(name), beside.path().join(name))
                .expect("a link");
        }
        check(beside.path(), &plugin.join("tests/regression"), "4");
    }
}

fn check(rules: &Path, tests: &Path, version: &str) {
    let mut cases = case::below(tests);
    if let Ok(only) = std::env::var("CRS_ONLY") {
        cases.retain(|case| case.name.starts_with(&only));
    }
    let upstream = reflector::start();
    let config = format!(
        "upstreams: {{ app: {{ peers: [{upstream}] }} }}\nevents: events.jsonl\n\
         rules: {{ engine: detect, files: [setup.conf], crs: {} }}\n",
        rules.display()
    );
    let moongate = Moongate::with(&config).file("setup.conf", SETUP).start();
    let mut overrides = overrides(version);
    let failures = run(&moongate, &cases, &mut overrides);
    let ran = cases.len();
    eprintln!("CRS {version}: {} of {ran} tests pass", ran - failures.len());
    let report: Vec<String> = failures.iter().map(|(name, why)| format!("{name}: {why}")).collect();
    assert!(failures.is_empty(), "{} of {ran} fail:\n{}", failures.len(), report.join("\n"));
    let unused: Vec<&String> = overrides.keys().collect();
    let whole = std::env::var_os("CRS_ONLY").is_none();
    assert!(!whole || unused.is_empty() || version == "4", "no such tests: {unused:?}");
}

fn overrides(version: &str) -> HashMap<String, Expected> {
    let all: Vec<Override> =
        serde_yaml::from_str(include_str!("crs/overrides.yaml")).expect("overrides.yaml");
    let ours: HashMap<_, _> = all
        .into_iter()
        .filter(|one| version.starts_with(&one.version))
        .map(|one| (one.test, one.output))
        .collect();
    assert!(ours.len() <= 15, "{} tests are excused, 15 may be", ours.len());
    ours
}

/// Sends every request, reads what was logged, and judges; a failed test that says `retry_once` is
/// tried once more.
fn run(
    moongate: &Moongate,
    cases: &[Case],
    overrides: &mut HashMap<String, Expected>,
) -> BTreeMap<String, String> {
    let excuses: Vec<Option<Expected>> =
        cases.iter().map(|case| overrides.remove(&case.name)).collect();
    let all: Vec<usize> = (0..cases.len()).collect();
    let results = send(moongate, cases, &all, 1);
    let judge = |results: &HashMap<String, Result>, index: usize, attempt: u32| {
        let case = &cases[index];
        case.stages.iter().enumerate().find_map(|(number, stage)| {
            let result = results.get(&token(index, number, attempt)).expect("it was sent");
            let expected = excuses[index].as_ref().unwrap_or(&stage.output);
            fault(expected, result)
        })
    };
    let mut failures = BTreeMap::new();
    for index in all {
        let Some(why) = judge(&results, index, 1) else { continue };
        let again = cases[index].stages.iter().any(|stage| stage.output.retry_once);
        if again {
            let results = send(moongate, cases, &[index], 2);
            let Some(why) = judge(&results, index, 2) else { continue };
            failures.insert(cases[index].name.clone(), why);
        } else {
            failures.insert(cases[index].name.clone(), why);
        }
    }
    failures
}

fn token(case: usize, stage: usize, attempt: u32) -> String {
    format!("crs-{case}-{stage}-{attempt}-")
}

fn send(
    moongate: &Moongate,
    cases: &[Case],
    chosen: &[usize],
    attempt: u32,
) -> HashMap<String, Result> {
    let next = AtomicUsize::new(0);
    let statuses = Mutex::new(HashMap::new());
    std::thread::scope(|scope| {
        for _ in 0..SENDERS {
            scope.spawn(|| {
                while let Some(index) = chosen.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let case = &cases[*index];
                    for (number, stage) in case.stages.iter().enumerate() {
                        let token = token(*index, number, attempt);
                        let status = exchange(moongate.address, stage, case.old, &token);
                        let result = Result { status, ..Result::default() };
                        statuses.lock().unwrap().insert(token, result);
                    }
                }
            });
        }
    });
    let mut results = statuses.into_inner().unwrap();
    let expected: usize = chosen.iter().map(|index| cases[*index].stages.len()).sum();
    assert_eq!(results.len(), expected, "every stage was sent");
    read_events(moongate, &mut results);
    results
}

fn exchange(address: SocketAddr, stage: &Stage, old: bool, token: &str) -> Option<u16> {
    let request = request::bytes(&stage.input, old, (MARKER, token));
    let mut client = Client::connect(address);
    // Refused early, the rest may find nobody: the response tells.
    let _ = client.try_send(&request);
    // A body that is shorter than it says: the server waits for the rest, we do not.
    if request::is_cut(&request) {
        client.patience(SHORT);
    }
    client.try_read(request.starts_with(b"HEAD ")).ok().map(|response| response.status)
}

fn read_events(moongate: &Moongate, results: &mut HashMap<String, Result>) {
    let pattern = regex::Regex::new(r"crs-\d+-\d+-\d+-").expect("a pattern");
    for line in resting_events(moongate).lines() {
        let Some(token) = pattern.find(line) else { continue };
        let Some(result) = results.get_mut(token.as_str()) else { continue };
        let event: Value = serde_json::from_str(line).expect("a line of JSON");
        for rule in event["rules"].as_array().into_iter().flatten() {
            let Some(id) = rule["id"].as_u64() else { continue };
            let text = |key: &str| rule[key].as_str().unwrap_or_default();
            result.ids.insert(id);
            let line =
                format!("[id \"{id}\"] [msg \"{}\"] [data \"{}\"]", text("msg"), text("data"));
            result.lines.push(escaped(&line));
        }
    }
}

/// Control characters as ModSecurity writes them.
fn escaped(line: &str) -> String {
    let one = |letter: char| match letter {
        '\0'..='\x1f' | '\x7f' => format!("\\x{:02x}", letter as u32),
        letter => letter.to_string(),
    };
    line.chars().map(one).collect()
}

/// What is otherwise than expected.
fn fault(expected: &Expected, result: &Result) -> Option<String> {
    let Result { status, ids, lines } = result;
    if expected.expect_error {
        return status.map(|status| format!("status {status} where an error is expected"));
    }
    let Some(status) = status else { return Some("no answer".to_owned()) };
    if !expected.status.is_empty() && !expected.status.contains(status) {
        return Some(format!("status {status} instead of {:?}", expected.status));
    }
    let logged = |pattern: &str| {
        let pattern = regex::Regex::new(pattern)
            .or_else(|_| regex::Regex::new(&regex::escape(pattern)))
            .expect("a pattern");
        lines.iter().any(|line| pattern.is_match(line))
    };
    let log = &expected.log;
    let wanted = log.match_regex.as_ref().or(expected.log_contains.as_ref());
    if let Some(pattern) = wanted.filter(|pattern| !logged(pattern)) {
        return Some(format!(
            "no log line matches {pattern}; ids {}, status {status}",
            sorted(ids)
        ));
    }
    let unwanted = log.no_match_regex.as_ref().or(expected.no_log_contains.as_ref());
    if let Some(pattern) = unwanted.filter(|pattern| logged(pattern)) {
        return Some(format!("a log line matches {pattern}"));
    }
    if let Some(id) = log.expect_ids.iter().find(|id| !ids.contains(id)) {
        return Some(format!("{id} did not match; ids {}, status {status}", sorted(ids)));
    }
    let hit = log.no_expect_ids.iter().find(|id| ids.contains(id))?;
    Some(format!("{hit} matched; ids {}", sorted(ids)))
}

fn sorted(ids: &HashSet<u64>) -> String {
    let mut ids: Vec<_> = ids.iter().collect();
    ids.sort();
    format!("{ids:?}")
}
