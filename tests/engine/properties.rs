//! What holds for any rules and any request: no panic, the same answer again, no word from a
//! neighbour.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use moongate::config::{DiskFiles, Engine};
use moongate::detection::{Exclusion, Plan, Profile, Which, compile};
use moongate::seclang;
use moongate::shared::Collections;

use super::{Case, exchange};

const DEBIAN: &str = "/usr/share/modsecurity-crs/owasp-crs.load";
const BASE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/rules/base");

/// Numbers that look random and are the same each time.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound.max(1) as u64) as usize
    }

    fn one<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> &'a T {
        of[self.below(of.len())]
    }
}

/// Good and bad, plain and coded, cut and nested.
const VALUES: &[&str] = &[
    "hello",
    "",
    "1",
    "a+b",
    "%",
    "%zz",
    "%00",
    "%ff%fe",
    "%2527",
    "%u0041",
    "1'%20or%201=1--",
    "<script>alert(1)</script>",
    "../../etc/passwd",
    "${jndi:ldap://x/a}",
    ";cat%20/etc/passwd",
    "{{7*7}}",
    "http://169.254.169.254/",
    "O:8:%22stdClass%22:0:{}",
    "aGVsbG8=",
    "()%20{%20:;}",
    "%0d%0aSet-Cookie:%20a",
    "union%20select%20*",
    "\u{fc}\u{4e2d}",
    "&&==;;",
    "%{tx.0}",
];
const NAMES: &[&str] = &["a", "id", "q", "A", "a[b]", "_ga", "", "json.a", "%00", "password"];
const FIELDS: &[&str] = &["User-Agent", "Cookie", "Referer", "X-Forwarded-For", "Range", "X_A"];
const TYPES: &[(&str, &str)] = &[
    ("application/x-www-form-urlencoded", "N=V&N=V"),
    ("application/json", "{\"N\":[\"V\",{\"N\":1e9}],\"N\":null}"),
    ("application/json", "{\"N\":\"V"),
    ("text/xml", "<N a=\"V\">V<b>V</b></N>"),
    ("text/xml", "<s><b c='V'>V</b>"),
    (
        "multipart/form-data; boundary=B",
        "--B\nContent-Disposition: form-data; name=\"N\"\n\nV\n--B--\n",
    ),
    (
        "multipart/form-data; boundary=B",
        "--B\nContent-Disposition: form-data; filename=\"V\"\n\nV\n--",
    ),
    ("text/plain", "V"),
];

fn filled(random: &mut Random, template: &str) -> String {
    let mut filled = String::new();
    for letter in template.chars() {
        match letter {
            'N' => filled.push_str(random.one(NAMES)),
            'V' => filled.push_str(random.one(VALUES)),
            other => filled.push(other),
        }
    }
    filled
}

fn request(random: &mut Random) -> String {
    let method = random.one(&["GET", "POST", "PUT", "HEAD", "X"]);
    let target = random.one(&["/", "/V?N=V", "/a/V.php?N=V&N=V&N", "/?V", "/x%2fV?N[N]=V"]);
    let mut text = format!("{method} {} HTTP/1.1\nHost: localhost\n", filled(random, target));
    for _ in 0..random.below(4) {
        let (name, value) = (random.one(FIELDS), random.one(&["V", "N=V; N=V", "bytes=1-2,V"]));
        text += &format!("{name}: {}\n", filled(random, value));
    }
    if method != "GET" && method != "HEAD" {
        let (kind, body) = TYPES[random.below(TYPES.len())];
        text += &format!("Content-Type: {kind}\n\n{}", filled(random, body));
    }
    text
}

const RESPONSE: &str = "HTTP/1.1 200 OK\nContent-Type: text/html\n\nhello";

/// What comes of a request; nothing is remembered of one before.
fn judged(profile: &Arc<Profile>, request: &str) -> String {
    let case = Case {
        name: String::new(),
        rules: String::new(),
        requests: Vec::new(),
        response: Some(RESPONSE.to_owned()),
        expected: String::new(),
    };
    exchange(&case, profile, &Arc::new(Collections::default()), request)
}

/// Our own rules, and Debian's where they are.
fn plans() -> Vec<Arc<Plan>> {
    let paths = [BASE, DEBIAN].map(PathBuf::from);
    let there = paths.into_iter().filter(|path| path.exists());
    there
        .map(|path| {
            let (directives, _) = seclang::load(&[path], &DiskFiles);
            Arc::new(compile(&directives, &DiskFiles).plan.expect("rules without a fault"))
        })
        .collect()
}

#[test]
fn the_same_request_is_judged_the_same_whatever_came_between() {
    let mut random = Random(20_260_802);
    let requests: Vec<String> = (0..120).map(|_| request(&mut random)).collect();
    for plan in plans() {
        let profile = Arc::new(Profile::plain(plan, Engine::On));
        let first: Vec<String> = requests.iter().map(|it| judged(&profile, it)).collect();
        for (request, first) in requests.iter().zip(&first).rev() {
            assert_eq!(judged(&profile, request), *first, "{request}");
        }
        let refused = first.iter().filter(|it| it.contains("phase ")).count();
        assert!((20..115).contains(&refused), "{refused} of {} refused", first.len());
    }
}

#[test]
fn what_one_route_leaves_out_others_still_see() {
    let mut random = Random(7);
    let requests: Vec<String> = (0..60).map(|_| request(&mut random)).collect();
    let out = |target: Option<&str>| Exclusion {
        which: Which::Ids(vec![(0, u64::MAX)]),
        target: target.map(str::to_owned),
    };
    let leaves_out = [vec![], vec![out(Some("ARGS"))], vec![out(None)]];
    for plan in plans() {
        let route = |exclusions: &Vec<Exclusion>| {
            let made = Profile::new(Arc::clone(&plan), Engine::On, &[], exclusions);
            Arc::new(made.0)
        };
        let alone: Vec<Vec<String>> = leaves_out
            .iter()
            .map(|it| requests.iter().map(|request| judged(&route(it), request)).collect())
            .collect();
        let together: Vec<_> = leaves_out.iter().rev().map(route).collect();
        let mut differ = 0;
        for (at, request) in requests.iter().enumerate() {
            for (profile, alone) in together.iter().zip(alone.iter().rev()) {
                assert_eq!(judged(profile, request), alone[at], "{request}");
            }
            differ += usize::from(alone[0][at] != alone[1][at]);
            assert_eq!(alone[2][at], "", "all rules are left out");
        }
        assert!(differ > 10, "{differ} requests only are judged by their arguments");
    }
}

/// Every directive as it is written in the rule files.
fn directives() -> Vec<String> {
    let folders = [BASE, "/usr/share/modsecurity-crs/rules"].map(Path::new);
    let files = folders.into_iter().filter_map(|it| std::fs::read_dir(it).ok()).flatten();
    let mut files: Vec<PathBuf> = files.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|end| end == "conf"));
    files.sort();
    let text = files.iter().map(|path| std::fs::read_to_string(path).unwrap() + "\n");
    let text = text.collect::<String>().replace("\\\n", " ");
    text.lines().filter(|line| line.trim_start().starts_with("Sec")).map(str::to_owned).collect()
}

/// What stands in rules anywhere.
const WORDS: &[&str] = &[
    "\"",
    "'",
    ",",
    "|",
    "!",
    "&",
    ":",
    "/",
    "%{",
    "}",
    "@",
    "@rx ",
    "@pm ",
    "@eq ",
    "chain,",
    "t:",
    "setvar:tx.x=+%{MATCHED_VAR},",
    "skip:1,",
    "multiMatch,",
    "capture,",
    "ARGS:/a/|",
    "!ARGS:a|",
    "&TX:/./|",
    "MATCHED_VARS|",
    "(?:",
    ")",
    "[",
    "{1,9}",
    "\\",
    "*",
    "block,",
    "allow,",
    "phase:3,",
    "XML:/*|",
    "initcol:ip=%{REMOTE_ADDR},",
    "ctl:ruleEngine=Off,",
    "%{tx.1}",
    "status:302,",
];

/// A directive, changed at a few places; its parts come from anywhere.
fn mutated(random: &mut Random, directive: &str) -> String {
    let mut letters: Vec<char> = directive.chars().collect();
    for _ in 0..random.below(4) {
        let at = random.below(letters.len());
        match random.below(4) {
            0 => letters.truncate(at.max(20)),
            1 => drop(letters.drain(at..(at + random.below(6)).min(letters.len()))),
            2 => letters.insert(at, char::from(random.below(128) as u8)),
            _ => drop(letters.splice(at..at, random.one(WORDS).chars())),
        }
    }
    letters.into_iter().collect()
}

fn plan(text: &str) -> Option<Plan> {
    let source = seclang::source("rules.conf", text.as_bytes());
    let (directives, faults) = seclang::parse(&source, text.as_bytes());
    let compiled = compile(&directives, &super::Scripts);
    compiled.plan.filter(|_| !faults.iter().any(moongate::diagnostic::Diagnostic::is_error))
}

#[test]
fn rules_that_nobody_would_write_do_no_harm() {
    let directives = directives();
    let mut random = Random(4_711);
    let mut ran = 0;
    for _ in 0..2200 {
        let count = 1 + random.below(2);
        let texts = (0..count).map(|_| {
            let at = random.below(directives.len());
            mutated(&mut random, &directives[at])
        });
        let text = texts.collect::<Vec<_>>().join("\n") + "\n";
        let Some(plan) = plan(&text) else { continue };
        let profile = Arc::new(Profile::plain(Arc::new(plan), Engine::On));
        for _ in 0..2 {
            let request = request(&mut random);
            assert_eq!(judged(&profile, &request), judged(&profile, &request), "{text}{request}");
            ran += 1;
        }
    }
    assert!(ran > 500, "{ran} exchanges only");
}
