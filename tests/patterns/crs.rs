//! Every expression of the rules that are here, on every text of their authors' tests: those of
//! Debian's package where it is installed, and those of the tree that `CRS_DIR` names.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use moongate::config::DiskFiles;
use moongate::seclang::{self, DirectiveKind};

use super::{Compared, Numbers, Pair, none_differs};
use crate::support::shared;

const DEBIAN: [&str; 2] = ["/usr/share/modsecurity-crs/rules", "/etc/modsecurity/crs"];
/// Comparisons in a run: texts are left out evenly beyond that. `PATTERNS_ALL` compares them all.
const COMPARISONS: usize = 400_000;

#[test]
fn expressions_of_rules_find_what_pcre_finds() {
    let expressions = expressions();
    if expressions.is_empty() {
        eprintln!("not tried: no rules are here");
        return;
    }
    let texts = texts();
    assert!(expressions.len() > 200 && texts.len() > 5000, "{} {}", expressions.len(), texts.len());
    let whole = expressions.len() * texts.len();
    let all = std::env::var_os("PATTERNS_ALL").is_some();
    let every = if all { 1 } else { whole.div_ceil(COMPARISONS) };
    let (mut compared, mut found, mut backtracking, mut cuts) = (0, 0, 0, Vec::new());
    let mut differences = Vec::new();
    for (number, written) in expressions.iter().enumerate() {
        let pair = Pair::new(written);
        backtracking += usize::from(pair.ours.needs_backtracking());
        for text in texts.iter().skip(number % every).step_by(every) {
            compared += 1;
            match pair.compare(text) {
                Compared::Same => found += usize::from(pair.theirs.is_match(text).unwrap_or(false)),
                Compared::Cut => cuts.push(format!("cut: {}", written.escape_ascii())),
                Compared::Different(told) => differences.push(told),
            }
        }
    }
    eprintln!(
        "{} expressions ({backtracking} backtrack), {} texts, {compared} of {whole} comparisons, \
         {found} found, {} cuts",
        expressions.len(),
        texts.len(),
        cuts.len(),
    );
    assert!(found > compared / 100, "{found} of {compared}");
    assert!(backtracking < 10, "{backtracking}");
    none_differs(differences);
    none_differs(cuts);
}

/// All different expressions, those with macros left out.
fn expressions() -> BTreeSet<Vec<u8>> {
    let given = std::env::var_os("CRS_DIR").map(|root| PathBuf::from(root).join("rules"));
    let folders: Vec<PathBuf> = DEBIAN.map(PathBuf::from).into_iter().chain(given).collect();
    let folders: Vec<PathBuf> = folders.into_iter().filter(|folder| folder.is_dir()).collect();
    let (directives, _) = seclang::load(&folders, &DiskFiles);
    let written = directives.iter().filter_map(|directive| match &directive.kind {
        DirectiveKind::Rule(rule) if rule.operator.name.is("rx") => {
            Some(rule.operator.argument.text.clone())
        }
        _ => None,
    });
    written.filter(|written| !written.windows(2).any(|pair| pair == b"%{")).collect()
}

/// All different texts of the tests: as they stand, decoded, in lower case, and changed a little.
fn texts() -> Vec<Vec<u8>> {
    let mut files = Vec::new();
    for folder in ["crs-3.3.4-tests", "crs-4-tests"] {
        files_in(&shared(folder), "yaml", &mut files);
    }
    let mut texts = BTreeSet::new();
    for path in files {
        if let Ok(tests) = serde_yaml::from_slice(&fs::read(&path).unwrap()) {
            collect(&tests, &mut texts);
        }
    }
    let mut numbers = Numbers(0x6372_7321);
    let written: Vec<Vec<u8>> = texts.iter().cloned().collect();
    for text in &written {
        let decoded: Vec<u8> = percent_encoding::percent_decode(text).collect();
        texts.insert(decoded.to_ascii_lowercase());
        texts.insert(changed(&decoded, &written, &mut numbers));
        texts.insert(decoded);
    }
    texts.into_iter().collect()
}

/// The texts of a test's `input`, at any depth.
fn collect(value: &serde_yaml::Value, texts: &mut BTreeSet<Vec<u8>>) {
    match value {
        serde_yaml::Value::String(text) => {
            texts.insert(text.clone().into_bytes());
        }
        serde_yaml::Value::Sequence(values) => {
            values.iter().for_each(|value| collect(value, texts))
        }
        serde_yaml::Value::Mapping(members) => {
            members.values().for_each(|value| collect(value, texts));
        }
        _ => {}
    }
}

/// A text with something of another in it, or with a byte more, less or changed.
fn changed(text: &[u8], others: &[Vec<u8>], numbers: &mut Numbers) -> Vec<u8> {
    let mut text = text.to_vec();
    for _ in 0..=numbers.below(3) {
        let at = numbers.below(text.len() + 1);
        match numbers.below(4) {
            0 => text.insert(at, *numbers.one_of(b"\n\r\0 '\"<>()|&;\x80\xe2\xff")),
            1 => text.truncate(at),
            2 => {
                text.get_mut(at).into_iter().for_each(|byte| *byte = numbers.below(256) as u8);
            }
            _ => {
                let other = numbers.one_of(others);
                let from = numbers.below(other.len() + 1);
                text.splice(at..at, other[from..].iter().take(40).copied());
            }
        }
    }
    text
}

fn files_in(folder: &Path, extension: &str, files: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files_in(&path, extension, files);
        } else if path.extension().is_some_and(|found| found == extension) {
            files.push(path);
        }
    }
    files.sort();
}
