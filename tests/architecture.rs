//! The tree as designed: who may use whom, where foreign crates live, how long things may get.

use std::fs;
use std::path::{Path, PathBuf};

use regex::Regex;

/// Foreign crates and the modules that may name them.
const HOMES: &[(&str, &[&str])] = &[
    ("aho_corasick", &["config", "detection"]),
    ("maxminddb", &["detection"]),
    ("mlua", &["script"]),
    ("pingora_core", &["server", "proxy", "upstream"]),
    ("pingora_error", &["server", "proxy", "upstream"]),
    ("pingora_http", &["server", "proxy", "upstream"]),
    ("prometheus", &["telemetry"]),
    ("quick_xml", &["transaction"]),
    ("regex_syntax", &["detection", "script"]),
    ("ruzstd", &["transaction"]),
    ("rusqlite", &["cli", "shared"]),
    ("tar", &["cli"]),
    // The sockets of scripts, the listeners, and what both need.
    ("tokio_rustls", &["script", "server", "shared", "upstream"]),
    ("tracing", &["telemetry"]),
    ("tracing_subscriber", &["telemetry"]),
    ("ureq", &["cli"]),
    ("x509_cert", &["shared"]),
    ("x509_ocsp", &["shared"]),
];

/// Pages that a newcomer is sent to.
const PAGES: &[&str] = &[
    "LICENSE",
    "README.md",
    "docs/architecture.md",
    "docs/changelog.md",
    "docs/contributing.md",
    "docs/decisions/0001-drive-pingora-core-directly.md",
    "docs/decisions/0002-own-accept-loops.md",
    "docs/performance.md",
    "docs/seclang.md",
];

const LONGEST_FILE: usize = 500;
const MEDIAN_FILE: usize = 150;
const LONG_FUNCTION: usize = 30;

struct File {
    /// Relative to the project's root.
    path: String,
    /// The first folder or file below `src`.
    module: String,
    text: String,
}

impl File {
    /// Without the tests at its end; nothing of a file that has only tests.
    fn code(&self) -> &str {
        if self.path.ends_with("/tests.rs") {
            return "";
        }
        let tests =
            Regex::new(r"\n#\[cfg\(test\)\]\n(?:#.*\n)*(?:pub(?:\(.*\))? )?mod \w+ \{").unwrap();
        tests.split(&self.text).next().unwrap_or_default()
    }

    /// Without comments: these may speak of what stands above.
    fn uncommented(&self) -> String {
        let lines = self.text.lines().filter(|line| !line.trim_start().starts_with("//"));
        lines.collect::<Vec<_>>().join("\n")
    }
}

fn root() -> PathBuf {
    env!("CARGO_MANIFEST_DIR").into()
}

fn sources() -> Vec<File> {
    let mut paths = Vec::new();
    collect(&root().join("src"), &mut paths);
    assert!(paths.len() > 30, "the sources are found");
    paths.iter().map(|path| file(path)).collect()
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, paths);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            paths.push(path);
        }
    }
}

fn file(path: &Path) -> File {
    let path_below = path.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
    let module = path_below.split('/').nth(1).unwrap().trim_end_matches(".rs").to_owned();
    File { path: path_below, module, text: fs::read_to_string(path).unwrap() }
}

/// The modules in the order of `lib.rs`.
fn order() -> Vec<String> {
    let text = fs::read_to_string(root().join("src/lib.rs")).unwrap();
    let modules = text.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'));
    let modules: Vec<String> = modules.map(str::to_owned).collect();
    assert!(modules.len() >= 13, "{modules:?}");
    modules
}

/// Nothing is wrong.
fn none(faults: &[String]) {
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

/// The modules that a file names as `crate::module` or `crate::{module, …}`.
fn used(file: &File) -> Vec<String> {
    let one = Regex::new(r"\bcrate::(\w+)").unwrap();
    let many = Regex::new(r"\bcrate::\{([^;]*)\}").unwrap();
    let text = file.uncommented();
    let mut names: Vec<String> =
        one.captures_iter(&text).map(|found| found[1].to_owned()).collect();
    for group in many.captures_iter(&text) {
        names.extend(top_level(&group[1]));
    }
    names
}

/// The first name of each part of `a::{b, c}, d`.
fn top_level(group: &str) -> Vec<String> {
    let mut depth = 0;
    let mut parts = vec![String::new()];
    for character in group.chars() {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => parts.push(String::new()),
            _ if depth == 0 => parts.last_mut().unwrap().push(character),
            _ => {}
        }
    }
    let names = parts.iter().map(|part| part.trim().split("::").next().unwrap().to_owned());
    names.filter(|name| !name.is_empty()).collect()
}

#[test]
fn a_module_uses_only_modules_below_it() {
    let order = order();
    let place = |name: &str| order.iter().position(|module| module == name);
    let mut faults = Vec::new();
    for file in sources() {
        let Some(own) = place(&file.module) else { continue };
        for name in used(&file) {
            if place(&name).is_some_and(|used| used < own) {
                faults
                    .push(format!("{} uses `{name}`, which stands above it in lib.rs", file.path));
            }
        }
    }
    none(&faults);
}

#[test]
fn every_folder_of_src_is_in_the_list() {
    let order = order();
    let known = |module: &String| order.contains(module) || module == "lib" || module == "main";
    let faults: Vec<String> = sources()
        .iter()
        .filter(|file| !known(&file.module))
        .map(|file| file.path.clone())
        .collect();
    none(&faults);
}

#[test]
fn super_does_not_climb_out_of_its_module() {
    let climb = Regex::new(r"\buse ((?:super::)+)").unwrap();
    let mut faults = Vec::new();
    for file in sources() {
        let depth = file.path.matches('/').count() - usize::from(file.path.ends_with("mod.rs"));
        for found in climb.captures_iter(file.code()) {
            if found[1].matches("super").count() >= depth {
                faults
                    .push(format!("{}: `{}` leads out of `{}`", file.path, &found[0], file.module));
            }
        }
    }
    none(&faults);
}

#[test]
fn foreign_crates_stay_at_home() {
    let mut faults = Vec::new();
    for (name, homes) in HOMES {
        let named = Regex::new(&format!(r"\b{name}::")).unwrap();
        for file in sources() {
            if named.is_match(&file.uncommented()) && !homes.contains(&file.module.as_str()) {
                faults.push(format!("{} names `{name}`, at home in {homes:?}", file.path));
            }
        }
    }
    none(&faults);
}

#[test]
fn every_file_begins_by_saying_what_it_is() {
    let says = |file: &File| file.text.starts_with("//! ");
    none(&sources().iter().filter(|file| !says(file)).map(|f| f.path.clone()).collect::<Vec<_>>());
}

#[test]
fn files_stay_short() {
    let mut lengths: Vec<(usize, String)> =
        sources().into_iter().map(|file| (file.text.lines().count(), file.path)).collect();
    lengths.sort();
    let too_long = lengths.iter().filter(|(lines, _)| *lines > LONGEST_FILE);
    none(&too_long.map(|(lines, path)| format!("{path}: {lines} lines")).collect::<Vec<_>>());
    let (median, _) = &lengths[lengths.len() / 2];
    assert!(*median <= MEDIAN_FILE, "half of the files are longer than {median} lines");
}

#[test]
fn nine_functions_of_ten_stay_short() {
    let mut lengths: Vec<usize> =
        sources().iter().flat_map(|file| function_lengths(file.code())).collect();
    assert!(lengths.len() > 100, "the functions are found");
    lengths.sort_unstable();
    let ninth = lengths[lengths.len() * 9 / 10];
    assert!(ninth <= LONG_FUNCTION, "one of ten functions is longer than {ninth} lines");
}

/// Lines from `fn` to the brace that closes it at the same depth of indentation.
fn function_lengths(code: &str) -> Vec<usize> {
    let begin =
        Regex::new(r"^( *)(?:pub(?:\(\w+\))? )?(?:const )?(?:async )?(?:unsafe )?fn \w+").unwrap();
    let lines: Vec<&str> = code.lines().collect();
    let mut lengths = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let Some(found) = begin.captures(line) else { continue };
        let end = format!("{}}}", &found[1]);
        lengths.extend(lines[at..].iter().position(|line| *line == end).map(|length| length + 1));
    }
    lengths
}

#[test]
fn no_code_unwraps() {
    let unwrap = Regex::new(r"\.unwrap\(\)").unwrap();
    let faults = sources().into_iter().flat_map(|file| {
        let found = file.code().lines().filter(|line| !line.trim_start().starts_with("//"));
        let found = found.filter(|line| unwrap.is_match(line));
        found.map(|line| format!("{}: {}", file.path, line.trim())).collect::<Vec<_>>()
    });
    none(&faults.collect::<Vec<_>>());
}

#[test]
fn nothing_is_left_for_later_without_a_word() {
    let later =
        Regex::new(r"todo!\(|unimplemented!\(|\bTODO\b|\bFIXME\b|allow\(dead_code").unwrap();
    let faults = sources().into_iter().filter(|file| later.is_match(&file.text));
    none(&faults.map(|file| file.path).collect::<Vec<_>>());
}

#[test]
fn the_pages_that_newcomers_are_sent_to_are_there() {
    let missing = PAGES.iter().filter(|page| !root().join(page).is_file());
    none(&missing.map(|page| (*page).to_owned()).collect::<Vec<_>>());
}

#[test]
fn places_named_in_the_pages_are_there() {
    let place = Regex::new(r"`((?:src|tests|lua|docs|dashboards|rules)/[\w./-]*)`").unwrap();
    let mut faults = Vec::new();
    for page in PAGES.iter().filter(|page| page.ends_with(".md")) {
        let text = fs::read_to_string(root().join(page)).unwrap_or_default();
        for found in place.captures_iter(&text) {
            // Capitals stand for a name of the reader's choice.
            let chosen = found[1].contains(|letter: char| letter.is_ascii_uppercase());
            if !chosen && !root().join(&found[1]).exists() {
                faults.push(format!("{page}: {}", &found[1]));
            }
        }
    }
    none(&faults);
}

#[test]
fn links_between_pages_lead_somewhere() {
    let link = Regex::new(r"\]\(([^)#:]+)(?:#[^)]*)?\)").unwrap();
    let mut faults = Vec::new();
    for page in PAGES.iter().filter(|page| page.ends_with(".md")) {
        let path = root().join(page);
        for found in link.captures_iter(&fs::read_to_string(&path).unwrap_or_default()) {
            if !path.parent().unwrap().join(&found[1]).exists() {
                faults.push(format!("{page}: {}", &found[1]));
            }
        }
    }
    none(&faults);
}
