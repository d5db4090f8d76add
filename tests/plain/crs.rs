//! The Core Rule Sets: the authors' own requests, requests of our making, and both with bytes
//! changed; one by one and in sequences.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use moongate::config::{Engine, Files};
use moongate::detection::{Exclusion, Plan, Profile, Which, compile};
use moongate::seclang;

use super::corpus::Corpus;
use super::exchange::{Look, Sent};
use super::random::Random;
use super::{Compared, all, seed};
use crate::crs::{case, request};
use crate::support;

const DEBIAN: &str = "/usr/share/modsecurity-crs";
const SETUP: &str = "
SecRequestBodyAccess On
SecResponseBodyAccess On
SecResponseBodyMimeType text/plain text/html text/xml application/json
SecAction \"id:900005,phase:1,nolog,pass,setvar:tx.crs_validate_utf8_encoding=1,setvar:tx.arg_length=400\"
";

struct Disk;

impl Files for Disk {
    fn read(&self, path: &Path) -> std::io::Result<Vec<u8>> {
        std::fs::read(path)
    }
}

/// A rule set with the authors' tests.
pub struct RuleSet {
    plan: Arc<Plan>,
    pub tests: Vec<Sent>,
}

/// CRS 3.
pub fn debian() -> RuleSet {
    let setup = Path::new("/etc/modsecurity/crs/crs-setup.conf");
    RuleSet::new(Path::new(DEBIAN), setup, &support::shared("crs-3.3.4-tests"))
}

/// CRS 4, where there is one.
pub fn crs_4() -> Option<RuleSet> {
    let Some(tree) = std::env::var_os("CRS_DIR").map(PathBuf::from) else {
        eprintln!("skipped: CRS_DIR names no tree of CRS 4");
        return None;
    };
    let own = tree.join("tests/regression/tests");
    let tests = if own.exists() { own } else { support::shared("crs-4-tests") };
    Some(RuleSet::new(&tree, &tree.join("crs-setup.conf.example"), &tests))
}

impl RuleSet {
    fn new(rules: &Path, setup: &Path, tests: &Path) -> Self {
        let cases = case::below(tests);
        let stages = cases.iter().flat_map(|case| case.stages.iter().map(|it| (case.old, it)));
        let tests = stages.map(|(old, stage)| Sent {
            request: request::bytes(&stage.input, old, ("X-Test", "1")),
            status: 500,
            fields: vec![("Content-Type", "text/html")],
            // What was sent comes back, as from the authors' own server.
            body: None,
            meddlings: Vec::new(),
        });
        Self { tests: tests.collect(), plan: Arc::new(plan(rules, setup)) }
    }

    /// Each `step`th of the authors' requests, the first being the one at `from`.
    fn some(&self, from: usize, step: usize) -> impl Iterator<Item = &Sent> {
        self.tests.iter().skip(from).step_by(if all() { 1 } else { step })
    }

    fn corpus(&self, seed: u64) -> Vec<Sent> {
        let harvest: Vec<Vec<u8>> = self.tests.iter().map(|sent| sent.request.clone()).collect();
        let mut corpus = Corpus { random: Random(seed), harvest: &harvest };
        let count = if all() { 3000 } else { 60 };
        let mut made: Vec<Sent> = (0..count).map(|_| corpus.sent()).collect();
        for at in 0..count {
            let of_tests = corpus.random.once_in(2);
            let from = if of_tests { &self.tests } else { &made };
            let one = &from[corpus.random.below(from.len())];
            let mutated = corpus.mutated(one, &made[at]);
            made.push(mutated);
        }
        made
    }

    fn profile(&self, level: u8, engine: Engine, exclusions: &[Exclusion]) -> Arc<Profile> {
        let names = ["paranoia_level", "blocking_paranoia_level", "detection_paranoia_level"];
        let names = names.into_iter().chain(["executing_paranoia_level"]);
        let presets: Vec<_> = names.map(|name| (name.to_owned(), level.to_string())).collect();
        let (profile, told) = Profile::new(Arc::clone(&self.plan), engine, &presets, exclusions);
        assert!(told.iter().all(|told| !told.fault), "{told:?}");
        Arc::new(profile)
    }
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

/// The four ways in which the rules are used by turns.
pub fn profiles(rules: &RuleSet) -> [Arc<Profile>; 4] {
    let out = |from, to, target: Option<&str>| Exclusion {
        which: Which::Ids(vec![(from, to)]),
        target: target.map(str::to_owned),
    };
    let exclusions = [
        out(942_000, 942_299, None),
        out(941_000, 942_999, Some("ARGS:/^(id|q)$/")),
        out(930_000, 933_999, Some("REQUEST_HEADERS")),
        out(920_000, 920_999, Some("ARGS_NAMES")),
        out(932_000, 932_999, Some("REQUEST_COOKIES:/^_ga/")),
    ];
    [
        rules.profile(1, Engine::Detect, &[]),
        rules.profile(4, Engine::Detect, &[]),
        rules.profile(4, Engine::On, &[]),
        rules.profile(3, Engine::Detect, &exclusions),
    ]
}

fn check_tests(rules: &RuleSet, step: usize) {
    let mut compared = Compared::default();
    for (from, profile) in profiles(rules).iter().enumerate() {
        for (number, sent) in rules.some(from, step).enumerate() {
            let look = if number % 10 == 0 { Look::AtAll } else { Look::AtChanges };
            compared.compare(profile, sent, look, "a test of the authors");
        }
    }
    compared.told(400);
}

fn check_corpus(rules: &RuleSet, seed: u64) {
    let mut compared = Compared::default();
    let profiles = profiles(rules);
    for (number, sent) in rules.corpus(seed).iter().enumerate() {
        let look = if number % 10 == 0 { Look::AtAll } else { Look::AtChanges };
        compared.compare(&profiles[number % 4], sent, look, "a request of our making");
    }
    compared.told(100);
}

impl Compared {
    pub fn told(&self, least: usize) {
        let Self { exchanges, matches, interruptions } = self;
        eprintln!("{exchanges} exchanges compared, {matches} matches, {interruptions} refused");
        assert!(*exchanges >= least && matches >= exchanges, "too few");
    }
}

#[test]
fn tests_of_debians_rules_come_to_the_same() {
    check_tests(&debian(), 20);
}

#[test]
fn tests_of_crs_4_come_to_the_same() {
    if let Some(rules) = crs_4() {
        check_tests(&rules, 36);
    }
}

#[test]
fn debians_rules_find_the_same_in_requests_of_our_making() {
    check_corpus(&debian(), seed(20_260_802));
}

#[test]
fn rules_of_crs_4_find_the_same_in_requests_of_our_making() {
    if let Some(rules) = crs_4() {
        check_corpus(&rules, seed(4_711));
    }
}
