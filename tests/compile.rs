//! Whole rule sets become plans without a fault.

use std::path::{Path, PathBuf};

use moongate::config::DiskFiles;
use moongate::detection::{self, Compiled, Plan};
use moongate::diagnostic::{Diagnostic, render};
use moongate::seclang;

const DEBIAN: &str = "/usr/share/modsecurity-crs/owasp-crs.load";

fn compiled(paths: &[PathBuf]) -> Compiled {
    let (directives, mut found) = seclang::load(paths, &DiskFiles);
    let mut compiled = detection::compile(&directives, &DiskFiles);
    found.append(&mut compiled.diagnostics);
    Compiled { diagnostics: found, ..compiled }
}

fn plan(compiled: Compiled) -> Plan {
    let faults: Vec<Diagnostic> =
        compiled.diagnostics.into_iter().filter(Diagnostic::is_error).collect();
    compiled.plan.unwrap_or_else(|| panic!("{}", render(&faults)))
}

#[test]
fn debians_rule_set_compiles() {
    if !Path::new(DEBIAN).exists() {
        eprintln!("not tried: no {DEBIAN}");
        return;
    }
    let compiled = compiled(&[DEBIAN.into()]);
    println!("{}", render(&compiled.diagnostics));
    let plan = plan(compiled);
    println!(
        "{} rules, {} sets, {} chains, {} tx",
        plan.rules.len(),
        plan.target_sets.len(),
        plan.chains.nodes.len(),
        plan.tx_names.len()
    );
}

#[test]
fn a_tree_of_crs_4_compiles() {
    let Some(tree) = std::env::var_os("CRS_DIR").map(PathBuf::from) else { return };
    let compiled = compiled(&[tree.join("crs-setup.conf.example"), tree.join("rules/*.conf")]);
    println!("{}", render(&compiled.diagnostics));
    let plan = plan(compiled);
    println!(
        "{} rules, {} sets, {} chains, {} tx",
        plan.rules.len(),
        plan.target_sets.len(),
        plan.chains.nodes.len(),
        plan.tx_names.len()
    );
}
