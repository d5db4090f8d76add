//! Rule files that nobody should write: each is read in bounded time, and every fault of it is told
//! in a few kilobytes.

use std::collections::BTreeMap;
use std::io::{Error, ErrorKind, Result};
use std::path::{Path, PathBuf};
use std::time::Duration;

use moongate::config::Files;
use moongate::detection::compile;
use moongate::diagnostic::{Diagnostic, render};
use moongate::seclang::load;

/// Files that are not on the disk.
struct Fake(BTreeMap<PathBuf, Vec<u8>>);

impl Files for Fake {
    fn read(&self, path: &Path) -> Result<Vec<u8>> {
        self.0.get(path).cloned().ok_or_else(|| Error::from(ErrorKind::NotFound))
    }

    fn matching(&self, pattern: &Path) -> Result<Vec<PathBuf>> {
        Ok(self.0.keys().filter(|path| *path == pattern).cloned().collect())
    }
}

/// CPU time of this thread.
fn cpu() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(text.split(' ').next().unwrap().parse().unwrap())
}

/// All that is wrong with rules, as a person sees it, and what telling it cost.
fn told(files: &[(&str, Vec<u8>)]) -> (Vec<Diagnostic>, String, Duration) {
    let files = files.iter().map(|(path, text)| (PathBuf::from(path), text.clone())).collect();
    let files = Fake(files);
    let before = cpu();
    let (directives, mut found) = load(&["/r/a.conf".into()], &files);
    let compiled = compile(&directives, &files);
    found.extend(compiled.diagnostics);
    let shown = render(&found);
    (found, shown, cpu() - before)
}

/// Ten megabytes, or a quarter of one where each word is a fault.
fn texts() -> Vec<(&'static str, String)> {
    let long = |piece: &str| piece.repeat((10 << 20) / piece.len());
    let many = |line: &str| line.repeat((256 << 10) / line.len());
    let rule = |operator: &str| format!("SecRule ARGS \"{operator}\" \"id:1,phase:1,pass\"\n");
    vec![
        ("a comment", format!("#{}", long("a"))),
        ("one word", long("a")),
        ("one word after good ones", format!("SecRule ARGS {}", long("a"))),
        ("a directive with words", format!("SecRule {}", long("a "))),
        ("an open quote", format!("SecRule ARGS \"{}", long("\\\""))),
        ("backslashes", long("\\")),
        ("lines that go on", long("\\\n")),
        ("lines that go on and say something", format!("SecRule ARGS{}", long("\\\n  a"))),
        ("targets", format!("SecRule {} a \"id:1,phase:1,pass\"", long("ARGS|"))),
        ("members", format!("SecRule {} a \"id:1,phase:1,pass\"", many("ARGS:a|"))),
        ("expressions of members", format!("SecRule ARGS:/{}/ a \"id:1,phase:1,pass\"", long("a"))),
        ("no variables", format!("SecRule {} a \"id:1,phase:1,pass\"", many("NONE|"))),
        ("phrases", rule(&format!("@pm {}", long("abc ")))),
        (
            "other phrases",
            rule(&format!("@pm {}", (0..300_000).map(|n| format!("{n:x} ")).collect::<String>())),
        ),
        (
            "phrases in phrases",
            rule(&format!("@pm {}", (1..2000).map(|n| "a".repeat(n) + " ").collect::<String>())),
        ),
        ("a phrase of a megabyte", rule(&format!("@pm {}", "a".repeat(1 << 20)))),
        ("one phrase", rule(&format!("@pm {}", long("a")))),
        ("addresses", rule(&format!("@ipMatch {}", long("192.0.2.1,")))),
        ("no addresses", rule(&format!("@ipMatch {}", many("a,")))),
        ("an expression of letters", rule(&long("a"))),
        ("an expression of groups", rule(&long("("))),
        ("an expression of alternatives", rule(&long("a|"))),
        ("an expression of classes", rule(&long("["))),
        ("an expression of repetitions", rule(&many("a{1000}"))),
        ("nested repetitions", rule("((((((a{1000}){1000}){1000}){1000}){1000}){1000})")),
        ("macros", rule(&format!("@streq {}", long("%{tx.a}")))),
        ("macros that are not closed", rule(&format!("@streq {}", long("%{")))),
        ("unknown macros", rule(&format!("@streq {}", many("%{none}")))),
        ("actions", format!("SecAction \"id:1,phase:1,{}pass\"", long("nolog,"))),
        ("unknown actions", format!("SecAction \"id:1,phase:1,{}pass\"", many("none,"))),
        ("transformations", format!("SecAction \"id:1,phase:1,{}pass\"", many("t:lowercase,"))),
        ("tags", format!("SecAction \"id:1,phase:1,{}pass\"", long("tag:a,"))),
        ("a message", format!("SecAction \"id:1,phase:1,pass,msg:'{}'\"", long("é"))),
        ("an id", format!("SecAction \"id:{},phase:1,pass\"", long("1"))),
        ("a severity", format!("SecAction \"id:1,phase:1,pass,severity:{}\"", long("x"))),
        ("ids to be removed", format!("SecRuleRemoveById {}", long("1-2 "))),
        ("rules to be removed", format!("SecRuleRemoveByTag \"{}\"", long("("))),
        ("a chain", many("SecRule ARGS a \"id:1,phase:1,pass,chain\"\n")),
        (
            "a chain without ids",
            "SecRule ARGS a \"id:1,phase:1,pass,chain\"\n".to_owned()
                + &many("SecRule ARGS a chain\n"),
        ),
        ("markers", many("SecMarker a\n")),
        ("the same id", many("SecAction \"id:1,phase:1,pass\"\n")),
        ("rules", (1..20_000).map(|id| format!("SecAction \"id:{id},phase:1,pass\"\n")).collect()),
        (
            "skips",
            (1..5_000)
                .map(|id| format!("SecAction \"id:{id},phase:1,pass,skipAfter:z\"\n"))
                .collect(),
        ),
        ("defaults", many("SecDefaultAction \"phase:1,pass\"\n")),
        ("lines of nothing", long("\n")),
        ("a million faults", "x\n".repeat(1_000_000)),
        ("includes of itself", many("Include a.conf\n")),
        ("includes of nothing", many("Include none.conf\n")),
        ("a data set", format!("SecDataset a `\n{}", long("a\n"))),
        ("control characters", (0..32_u8).map(char::from).collect::<String>().repeat(1 << 15)),
    ]
}

/// Seconds of CPU time for any of them, in a program that is not optimised.
const MOST: Duration = Duration::from_secs(25);
/// Bytes of what is told: ten thousand faults, each in a few lines.
const LONGEST: usize = 16 << 20;

#[test]
fn a_rule_file_of_any_kind_is_read_in_bounded_time_and_every_fault_is_shown_short() {
    for (name, text) in texts() {
        let size = text.len();
        let (found, shown, took) = told(&[("/r/a.conf", text.into_bytes())]);
        eprintln!(
            "{name:36} {:>6} KiB {took:>8.0?} {:>6} faults {:>6} KiB",
            size >> 10,
            found.len(),
            shown.len() >> 10
        );
        assert!(took < MOST, "{name}: {took:?}");
        assert!(shown.len() < LONGEST, "{name}: {} bytes are shown", shown.len());
        assert!(found.len() <= 20_002, "{name}: {} faults", found.len());
    }
}

#[test]
fn any_bytes_are_no_more_than_faults() {
    let mut state = 1_u64;
    let mut random = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    const PIECES: &[&[u8]] = &[
        b"SecRule",
        b"SecAction",
        b" ",
        b" ",
        b"\"",
        b"\"",
        b"'",
        b"\\",
        b"\n",
        b"ARGS",
        b"&",
        b"!",
        b"|",
        b":",
        b"/",
        b"id:1",
        b",",
        b"phase:2",
        b"chain",
        b"@rx ",
        b"@pm ",
        b"(",
        b"[",
        b"%{",
        b"}",
        b"\xff",
        b"\0",
        b"ctl:ruleRemoveById=1",
        b"setvar:tx.a=+1",
        b"SecRuleUpdateTargetById 1",
        b"SecMarker",
        b"`",
        b"t:none",
        b"SecDefaultAction",
        b"skipAfter:a",
        b"*",
        b"{2,3}",
        b"XML:/*",
        b"REQUEST_HEADERS",
    ];
    for _ in 0..3000 {
        let pieces = (0..random() % 40).map(|_| PIECES[(random() >> 11) as usize % PIECES.len()]);
        let text = pieces.collect::<Vec<_>>().concat();
        told(&[("/r/a.conf", text)]);
    }
}

#[test]
fn a_file_that_includes_itself_is_one_fault_that_names_the_way() {
    let files = [
        ("/r/a.conf", b"SecRuleEngine On\nInclude b.conf\n".to_vec()),
        ("/r/b.conf", b"Include ./a.conf\n".to_vec()),
    ];
    let (found, shown, _) = told(&files);
    assert_eq!(found.len(), 1, "{shown}");
    assert!(shown.contains("`/r/a.conf` includes `/r/b.conf` includes `/r/a.conf`"), "{shown}");
}
