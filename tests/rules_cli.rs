//! `moongate rules` over Debian's Core Rule Set: what it lists, finds, shows and says.

use crate::support::{Output, command};

const DEBIAN: &str = "/usr/share/modsecurity-crs";
const SETUP: &str = "/etc/modsecurity/crs/crs-setup.conf";

/// What `moongate rules` says of Debian's rules.
fn rules(arguments: &[&str]) -> Output {
    let settings = ["--rules", DEBIAN, "--upstream", "http://127.0.0.1:3000"];
    command(&[&["rules"], arguments, &settings].concat())
}

/// The text of every rule file of the package.
fn texts() -> Vec<String> {
    let folder = std::fs::read_dir(format!("{DEBIAN}/rules")).expect("tests/run installs it");
    let paths = folder.map(|entry| entry.expect("a file").path());
    let paths = paths.filter(|path| path.extension().is_some_and(|end| end == "conf"));
    let paths = paths.chain([SETUP.into()]);
    paths.map(|path| std::fs::read_to_string(path).expect("rules are text")).collect()
}

#[test]
fn every_rule_is_listed_once() {
    let id = regex::Regex::new(r#"(?m)^[^#\n]*\bid:'?(\d+)"#).expect("a pattern");
    let texts = texts();
    let found = texts.iter().flat_map(|text| id.captures_iter(text));
    let mut written: Vec<u64> = found.map(|found| found[1].parse().expect("a number")).collect();
    let said = rules(&["list"]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    let mut lines: Vec<&str> = said.stdout.lines().collect();
    let summary = lines.pop().expect("a summary");
    let first = |line: &&str| line.split_whitespace().next().and_then(|id| id.parse().ok());
    let mut listed: Vec<u64> = lines.iter().map(|line| first(line).expect("an id")).collect();
    written.sort_unstable();
    listed.sort_unstable();
    assert!(written.len() > 500, "only {} rules were found in the files", written.len());
    assert_eq!(listed, written);
    assert_eq!(summary, format!("{0} of {0} rules", written.len()));
}

#[test]
fn a_line_tells_phase_level_severity_message_and_place() {
    let said = rules(&["list"]);
    let line = said.stdout.lines().find(|line| line.trim_start().starts_with("942100 "));
    let line = line.expect("it is listed");
    for told in ["phase 2", "PL 1", "critical", "libinjection", "SQLI.conf:"] {
        assert!(line.contains(told), "{told} is not in {line}");
    }
}

#[test]
fn all_words_must_be_found_in_any_case_in_id_message_tag_or_file() {
    for (words, ids) in [
        (&["LIBINJECTION", "sql"][..], &["942100", "942101"][..]),
        (&["942100"], &["942100"]),
        (&["attack-fixation", "referer"], &["943110", "943120"]),
        (&["no-rule-says-this"], &[]),
    ] {
        let said = rules(&[&["search"], words].concat());
        assert_eq!(said.code, 0, "{}", said.stderr);
        let lines: Vec<&str> = said.stdout.lines().collect();
        let (summary, lines) = lines.split_last().expect("a summary");
        let told: Vec<&str> =
            lines.iter().filter_map(|line| line.split_whitespace().next()).collect();
        assert_eq!(told, ids, "{words:?}");
        assert!(summary.starts_with(&format!("{} of ", ids.len())), "{summary}");
    }
}

#[test]
fn a_rule_is_shown_as_written_with_every_link_of_its_chain() {
    for (id, links) in [("942100", 1), ("920180", 4), ("920240", 3), ("932190", 1)] {
        let said = rules(&["show", id]);
        assert_eq!(said.code, 0, "{id}: {}", said.stderr);
        let (place, shown) = said.stdout.split_once('\n').expect("a place, then the rule");
        let shown = shown.trim_end();
        assert!(place.starts_with(&format!("# {DEBIAN}/rules/")), "{place}");
        assert!(texts().iter().any(|text| text.contains(shown)), "it is not so written: {shown}");
        assert!(shown.contains(&format!("\"id:{id},")), "{shown}");
        assert_eq!(shown.matches("SecRule ").count(), links, "{shown}");
        assert!(shown.ends_with('"'), "it is cut: {shown}");
    }
}

#[test]
fn a_rule_that_is_not_loaded_is_told() {
    let said = rules(&["show", "1"]);
    assert_ne!(said.code, 0);
    assert!(said.stderr.contains("has the id 1"), "{}", said.stderr);
    assert!(said.stderr.contains("moongate rules list"), "{}", said.stderr);
}

#[test]
fn faults_in_rules_end_every_command_that_reads_them() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("own.conf");
    std::fs::write(&path, "SecRule ARGS \"@rx (\" \"id:1,phase:2,deny\"\n").expect("it is ours");
    let path = path.to_str().expect("its name is text");
    for arguments in [&["list"][..], &["search", "sql"], &["show", "1"]] {
        let settings = ["--rules", path, "--upstream", "http://127.0.0.1:3000"];
        let said = command(&[&["rules"], arguments, &settings].concat());
        assert_eq!(said.code, 1, "{arguments:?}: {said:?}");
        let told = said.stdout + &said.stderr;
        assert!(told.contains("own.conf:1:"), "{arguments:?}: {told}");
    }
}

#[test]
fn each_kind_of_word_is_described_and_others_have_a_nearest() {
    for (word, told) in [
        ("SecRule", "SecRule, a directive"),
        ("secrule", "SecRule, a directive"),
        ("ARGS", "ARGS, a collection"),
        ("ARGS:name", "ARGS, a collection"),
        ("@detectSQLi", "@detectSQLi, an operator"),
        ("!@rx", "@rx, an operator"),
        ("t:urlDecodeUni", "t:urlDecodeUni, a transformation"),
        ("SecTmpDir", "passed over"),
    ] {
        let said = command(&["rules", "describe", word]);
        assert_eq!(said.code, 0, "{word}: {said:?}");
        assert!(said.stdout.contains(told), "{word}: {}", said.stdout);
    }
    let said = command(&["rules", "describe", "t:urlDecodeUno"]);
    assert_ne!(said.code, 0);
    assert!(said.stderr.contains("`urlDecodeUni` is"), "{}", said.stderr);
}
