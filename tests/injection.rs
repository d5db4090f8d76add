//! Our reading of values as SQL and as HTML, held to libinjection's own: the library that
//! ModSecurity carries judges the same values.
//!
//! SQL: the same verdict and the same fingerprint for every value. HTML: the same verdict, but for
//! the two cases that the doc of `detection::injection` names, where only we may find something.

use moongate::detection::injection;

use oracle::Oracle;
use values::Values;

mod oracle;
mod values;

/// Values that are made up for each of the two.
const MADE_UP: usize = 150_000;

/// Values that everybody in the field knows, and their fingerprints.
const KNOWN: &[(&str, Option<&str>)] = &[
    ("-1839' or '1'='1", Some("s&sos")),
    ("-1839\" or \"1\"=\"2", Some("s&sos")),
    ("1 OR 1=1", Some("1&1")),
    ("1 or sleep(5)#", Some("1&f(1")),
    ("1' UNION SELECT user, password FROM users -- ", Some("sUEnk")),
    ("1;DROP TABLE users", Some("1;Tnn")),
    ("1/*!00000union*/select 2", Some("X")),
    ("1--", Some("1c")),
    ("admin'--", Some("sc")),
    ("benchmark(1000000,md5(1))", Some("f(1,f")),
    ("1-1", None),
    ("It's all or nothing", None),
    ("Select a seat and pay", None),
    ("Union Square, New York", None),
    ("rock 'n' roll", None),
];

#[test]
fn known_values_have_their_fingerprints() {
    for (value, expected) in KNOWN {
        let found = injection::is_sqli(value.as_bytes()).map(|found| text(found.as_bytes()));
        assert_eq!(found.as_deref(), *expected, "{value}");
    }
}

#[test]
fn sql_is_judged_as_by_libinjection() {
    let Some(oracle) = Oracle::load() else { return };
    let mut injections = 0;
    let mut faults = Vec::new();
    let made_up = Values::of_sql().take(MADE_UP).chain(Values::of_text().take(MADE_UP));
    for value in made_up.chain(values::recorded()) {
        let theirs = oracle.is_sqli(&value);
        let ours = injection::is_sqli(&value).map(|found| found.as_bytes().to_vec());
        injections += usize::from(theirs.is_some());
        if ours != theirs {
            faults.push(fault(&value, ours.map(|found| text(&found)), theirs.map(|f| text(&f))));
        }
    }
    assert!(injections > MADE_UP / 50, "only {injections} values are injections");
    assert!(faults.is_empty(), "{} differences:\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn html_is_judged_as_by_libinjection() {
    let Some(oracle) = Oracle::load() else { return };
    let mut scripts = 0;
    let mut faults = Vec::new();
    for value in Values::of_html().take(MADE_UP).chain(values::recorded()) {
        let theirs = oracle.is_xss(&value);
        let ours = injection::is_xss(&value);
        scripts += usize::from(theirs);
        if ours != theirs && !(ours && may_be_overlooked(&value)) {
            faults.push(fault(&value, ours, theirs));
        }
    }
    assert!(scripts > MADE_UP / 50, "only {scripts} values run a script");
    assert!(faults.is_empty(), "{} differences:\n{}", faults.len(), faults.join("\n"));
}

/// What libinjection reads past: a tag after an end tag with a blank, and all after a byte 0xFF.
fn may_be_overlooked(value: &[u8]) -> bool {
    value.contains(&0xFF) || value.windows(2).any(|pair| pair == b"</")
}

fn fault(value: &[u8], ours: impl std::fmt::Debug, theirs: impl std::fmt::Debug) -> String {
    format!("{}: ours {ours:?}, theirs {theirs:?}", value.escape_ascii())
}

fn text(fingerprint: &[u8]) -> String {
    String::from_utf8_lossy(fingerprint).into_owned()
}
