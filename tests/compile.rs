//! Rules become a plan: how each fault is told, and whole rule sets without one.
//!
//! Each `tests/compile/NAME.conf` has its answer beside it in `NAME.txt`; `UPDATE_SNAPSHOTS=1`
//! writes the answers anew.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use moongate::config::{DiskFiles, Files};
use moongate::detection::{self, Compiled, Plan};
use moongate::diagnostic::{Diagnostic, render};
use moongate::seclang;

const DEBIAN: &str = "/usr/share/modsecurity-crs/owasp-crs.load";

/// No file is there.
struct Nothing;

impl Files for Nothing {
    fn read(&self, _: &Path) -> std::io::Result<Vec<u8>> {
        Err(std::io::ErrorKind::NotFound.into())
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/compile")
}

fn cases() -> Vec<String> {
    let entries = std::fs::read_dir(folder()).expect("the folder of cases");
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut names: Vec<String> =
        names.filter_map(|name| Some(name.strip_suffix(".conf")?.to_owned())).collect();
    names.sort();
    names
}

fn told(name: &str) -> Vec<Diagnostic> {
    let file = format!("{name}.conf");
    let bytes = std::fs::read(folder().join(&file)).expect("the case is there");
    let source = seclang::source(file, &bytes);
    let (directives, mut found) = seclang::parse(&source, &bytes);
    let compiled = detection::compile(&directives, &Nothing);
    assert_eq!(
        compiled.plan.is_none(),
        compiled.diagnostics.iter().any(Diagnostic::is_error),
        "{name}: a plan if and only if there is no fault"
    );
    found.extend(compiled.diagnostics);
    found
}

#[test]
fn every_fault_is_told_as_written_beside_it() {
    let mut differences = Vec::new();
    let mut faults = 0;
    for name in cases() {
        let found = told(&name);
        faults += found.len();
        let answer = folder().join(format!("{name}.txt"));
        if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
            std::fs::write(&answer, render(&found)).expect("the answer is written");
        }
        if render(&found) != std::fs::read_to_string(&answer).unwrap_or_default() {
            differences.push(format!("{name}:\n{}", render(&found)));
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    assert!(faults > 80, "only {faults} faults");
}

fn compiled(paths: &[PathBuf]) -> Compiled {
    let (directives, mut found) = seclang::load(paths, &DiskFiles);
    let mut compiled = detection::compile(&directives, &DiskFiles);
    found.append(&mut compiled.diagnostics);
    Compiled { diagnostics: found, ..compiled }
}

/// A plan, if nothing at all is to be said of its rules; what it holds is consistent.
fn faultless(paths: &[PathBuf]) -> Plan {
    let compiled = compiled(paths);
    assert!(compiled.diagnostics.is_empty(), "{}", render(&compiled.diagnostics));
    let plan = compiled.plan.expect("no fault");
    let ids: HashSet<u64> = plan.rules.iter().map(|rule| rule.id).collect();
    assert_eq!(ids.len(), plan.rules.len(), "ids are unique");
    assert_eq!(plan.phases.iter().map(Vec::len).sum::<usize>(), plan.rules.len());
    for link in plan.rules.iter().flat_map(|rule| &rule.links) {
        assert!((link.chain.0 as usize) < plan.chains.nodes.len());
        assert!(link.targets.is_none_or(|set| (set.0 as usize) < plan.target_sets.len()));
    }
    plan
}

#[test]
fn debians_rule_set_compiles_without_a_word() {
    if !Path::new(DEBIAN).exists() {
        eprintln!("not tried: no {DEBIAN}");
        return;
    }
    let plan = faultless(&[DEBIAN.into()]);
    let rules = plan.rules.len();
    let by_phase = plan.phases.map(|phase| phase.len());
    assert_eq!(by_phase.iter().sum::<usize>(), rules);
    assert!(by_phase.iter().all(|rules| *rules > 10), "{by_phase:?}");
}

#[test]
fn a_tree_of_crs_4_compiles_without_a_word() {
    let Some(tree) = std::env::var_os("CRS_DIR").map(PathBuf::from) else {
        eprintln!("not tried: CRS_DIR is not set");
        return;
    };
    let plan = faultless(&[tree.join("crs-setup.conf.example"), tree.join("rules/*.conf")]);
    assert!(plan.rules.len() > 600, "{} rules", plan.rules.len());
    assert!(plan.target_sets.len() * 2 < plan.rules.len(), "{} sets", plan.target_sets.len());
}
