//! Too much of everything: arguments, depth, parts, entities, cookies, bytes.

use std::time::Duration;

use super::{Attack, Upstream, send, serves, told, usual, with_base, with_crs};
use crate::support::Moongate;

/// What the process may hold while it looks at any of them: the longest body that rules look at is
/// 12.5 MiB, and it is held a few times over.
const MEMORY: usize = 400 << 20;

const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";
const MULTIPART: &str = "multipart/form-data; boundary=b";
const XML: &str = "text/xml";

/// Something much, and how many times a usual request it may cost before all rules of CRS. Where it
/// is thousands, the request has thousands of values, or a megabyte of them.
fn floods() -> Vec<(Attack, u32)> {
    let attack = Attack::new;
    let times = |piece: &str, count: usize| piece.repeat(count);
    let part = "--b\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n";
    let file = "--b\r\nContent-Disposition: form-data; name=a; filename=f\r\n\r\n1\r\n";
    let nested = |open: &str, close: &str, depth| open.repeat(depth) + &close.repeat(depth);
    let laughs: String = (1..30)
        .map(|n| format!("<!ENTITY e{n} \"&e{m};&e{m};&e{m};&e{m};\">", m = n - 1))
        .collect();
    let laughs = format!("<!DOCTYPE a [<!ENTITY e0 \"ha\">{laughs}]><a>&e29;</a>");
    let quadratic = format!(
        "<!DOCTYPE a [<!ENTITY e \"{}\">]><a>{}</a>",
        times("a", 50_000),
        times("&e;", 50_000)
    );
    vec![
        (attack("a million arguments").body(FORM, times("a&", 1_000_000)), 30_000),
        (attack("a million named arguments").body(FORM, times("a=1&", 1_000_000)), 30_000),
        (attack("a name of ten megabytes").body(FORM, times("a", 10 << 20)), 4000),
        (attack("ten megabytes of percent signs").body(FORM, times("%", 10 << 20)), 4000),
        (attack("a query of arguments").target(format!("/?{}", times("a&", 4000))), 30_000),
        (attack("a path of dots").target(times("/..", 2700)), 6_000),
        (attack("a path of escapes").target(format!("/{}", times("%25", 2700))), 6_000),
        (attack("cookies").field("Cookie", times("a;", 15_000)), 30_000),
        (attack("one long cookie").field("Cookie", times("a", 30_000)), 6_000),
        (
            (0..90).fold(attack("ninety fields"), |attack, number| {
                attack.field(format!("x-{number}"), times("'", 300))
            }),
            2000,
        ),
        (attack("JSON arrays, 100,000 deep").body(JSON, nested("[", "]", 100_000)), 6_000),
        (attack("JSON objects, 100,000 deep").body(JSON, nested("{\"a\":", "}", 100_000)), 6_000),
        (attack("JSON, unclosed").body(JSON, times("[", 1_000_000)), 6_000),
        (
            attack("JSON of a million numbers")
                .body(JSON, format!("[{}1]", times("1,", 1_000_000))),
            30_000,
        ),
        (
            attack("JSON with long names, deep")
                .body(JSON, nested(&format!("{{\"{}\":", times("n", 1000)), "}", 500)),
            6_000,
        ),
        (attack("a million parts").body(MULTIPART, times(part, 200_000) + "--b--\r\n"), 30_000),
        (
            attack("a hundred thousand files").body(MULTIPART, times(file, 100_000) + "--b--\r\n"),
            30_000,
        ),
        (
            attack("a part of a million headers")
                .body(MULTIPART, format!("--b\r\n{}", times("a: 1\r\n", 1_000_000))),
            6_000,
        ),
        (
            attack("ten megabytes that look like boundaries")
                .body(MULTIPART, times("\r\n--", 2 << 20)),
            6_000,
        ),
        (attack("a billion laughs").body(XML, laughs), 200),
        (attack("a quadratic blow-up").body(XML, quadratic), 6_000),
        (attack("XML, 100,000 deep").body(XML, nested("<a>", "</a>", 100_000)), 6_000),
        (
            attack("a million attributes")
                .body(XML, format!("<a {}/>", times("b=\"\" ", 1_000_000))),
            2000,
        ),
        (
            attack("a million elements").body(XML, format!("<a>{}</a>", times("<b/>c", 1_000_000))),
            30_000,
        ),
        (
            attack("an XML comment without an end")
                .body(XML, format!("<!--{}", times("-", 1_000_000))),
            6_000,
        ),
        (
            attack("ten megabytes of nothing known")
                .body("application/x-unknown", times("'", 10 << 20)),
            6_000,
        ),
        (attack("past all limits").body(FORM, times("a", 20 << 20)), 6_000),
    ]
}

fn flood(moongate: &mut Moongate, told_of: fn(u16) -> bool) {
    let usual = usual(moongate);
    let mut sent = Vec::new();
    for (mark, (attack, most)) in floods().into_iter().enumerate() {
        let outcome = send(moongate, &attack, mark);
        let factor = outcome.cpu.as_secs_f64() / usual.as_secs_f64();
        let memory = moongate.rss();
        eprintln!(
            "{:40} {} {:>8.0?} {factor:>8.1} times {} MiB",
            attack.name,
            outcome.status,
            outcome.cpu,
            memory >> 20
        );
        assert!(factor < f64::from(most), "{}: {factor} times a usual request", attack.name);
        assert!(memory < MEMORY, "{}: {} MiB", attack.name, memory >> 20);
        serves(moongate);
        sent.push((attack.name, outcome.status));
    }
    let told = told(moongate);
    let untold: Vec<_> = sent
        .iter()
        .enumerate()
        .filter(|(mark, (_, status))| told_of(*status) && !told.contains_key(mark))
        .map(|(_, attack)| attack)
        .collect();
    assert!(untold.is_empty(), "no event of {untold:?}");
}

#[test]
fn too_much_of_everything_before_all_rules_of_crs_costs_bounded_time_and_memory() {
    let upstream = Upstream::start();
    flood(&mut with_crs(&upstream), |_| true);
}

#[test]
fn too_much_of_everything_before_our_own_rules_is_refused() {
    let upstream = Upstream::start();
    flood(&mut with_base(&upstream), |status| status != 200);
}

/// CPU time does not grow faster than what is sent, whatever it is.
#[test]
fn twice_as_much_costs_twice_as_much() {
    let upstream = Upstream::start();
    let mut moongate = with_crs(&upstream);
    serves(&moongate);
    type Growing = (&'static str, fn(usize) -> String);
    let forms: [Growing; 8] = [
        (FORM, |size| format!("a={}", "'\"<".repeat(size / 3))),
        (FORM, |size| (0..size / 10).map(|n| format!("n{n}=1&")).collect()),
        (JSON, |size| format!("[{}1]", "\"a\",".repeat(size / 4))),
        (JSON, |size| format!("{}{}", "[".repeat(size / 2), "]".repeat(size / 2))),
        (XML, |size| format!("<a>{}</a>", "<b>c</b>".repeat(size / 8))),
        (XML, |size| format!("<a {}/>", "b=\"\" ".repeat(size / 5))),
        (XML, |size| format!("<!--{}", "-".repeat(size))),
        (MULTIPART, |size| format!("--b\r\n{}", "a: 1\r\n".repeat(size / 6))),
    ];
    for (number, (media_type, body)) in forms.into_iter().enumerate() {
        let mut cost = |size: usize| -> Duration {
            let attack = Attack::new("growing").body(media_type, body(size));
            send(&mut moongate, &attack, 0).cpu
        };
        let (small, large) = (cost(100_000), cost(400_000));
        let ratio = large.as_secs_f64() / small.as_secs_f64();
        eprintln!("{number} {media_type}: {small:?} {large:?} {ratio:.1}");
        assert!(ratio < 10.0, "{number} {media_type}: four times as much costs {ratio} times");
    }
}

/// What hides behind the thousandth argument is not seen by rules: somebody must say so.
#[test]
fn arguments_past_the_limit_never_pass_unseen() {
    let upstream = Upstream::start();
    let past = |count: usize| format!("{}q=attack", "a&".repeat(count));
    let judging = |rules: &str| {
        let config = "workers: 1\nevents: events.jsonl\nrules: { files: [own.conf] }\n";
        Moongate::with_upstream(&upstream, config).file("own.conf", rules).start()
    };
    let blind = "SecRule ARGS \"@contains attack\" \"id:1,phase:2,deny\"\n";
    let seeing = format!(
        "{blind}SecRule REQBODY_ERROR \"!@eq 0\" \"id:2,phase:2,deny,status:409,logdata:'%{{REQBODY_ERROR_MSG}}'\"\n"
    );
    for (rules, status) in [(blind, 400), (&*seeing, 409)] {
        let moongate = judging(rules);
        let form = [("Content-Type", FORM)];
        for count in [1000, 2000] {
            let query = moongate.get(&format!("/?{}", past(count)));
            assert_eq!(query.status, status, "{count} in a query");
            let body = moongate.request("POST", "/", &form, past(count));
            assert_eq!(body.status, status, "{count} in a body");
        }
        let json = [("Content-Type", JSON)];
        assert_eq!(moongate.request("POST", "/", &json, "{\"a\":1,").status, status);
        assert_eq!(moongate.request("POST", "/", &json, "{\"a\":1}").status, 200);
        for (count, status) in [(1000, 200), (1001, status)] {
            let fields = [("Cookie", &*"a;".repeat(count))];
            assert_eq!(moongate.request("GET", "/", &fields, "").status, status, "{count} cookies");
        }
        assert_eq!(moongate.get(&format!("/?{}", past(999))).status, 403);
        assert_eq!(moongate.get(&format!("/?{}", "a&".repeat(1000))).status, 200);
        assert_eq!(super::resting_events(&moongate).lines().count(), 7);
    }
}

/// An operator may let heads be a megabyte long.
#[test]
fn a_head_of_a_megabyte_costs_bounded_time_too() {
    let upstream = Upstream::start();
    let limits = "limits: { head_bytes: 1MiB, target_bytes: 1MiB, headers: 250 }\n";
    let config = format!("{limits}{}", super::settings("detect", super::CRS_RULES));
    let mut moongate = Moongate::before(&upstream, &config);
    let usual = usual(&moongate);
    let much = |piece: &str| piece.repeat(1_000_000 / piece.len());
    let heads = [
        Attack::new("a query").target(format!("/?{}", much("a&"))),
        Attack::new("a path").target(format!("/{}", much("../"))),
        Attack::new("cookies").field("Cookie", much("a;")),
        Attack::new("one cookie").field("Cookie", format!("a={}", much("'"))),
        Attack::new("one field").field("User-Agent", much("(")),
        Attack::new("a field's name").field(much("a"), "1"),
        Attack::new("media types").field("Content-Type", much("a/b;")),
        Attack::new("a range").field("Range", format!("bytes={}", much("0-1,"))),
        (0..240).fold(Attack::new("fields"), |attack, _| attack.field("Accept", "'".repeat(4000))),
    ];
    for (mark, attack) in heads.iter().enumerate() {
        let outcome = send(&mut moongate, attack, mark);
        let factor = outcome.cpu.as_secs_f64() / usual.as_secs_f64();
        eprintln!(
            "{:16} {} {:>8.0?} {factor:>8.1} times",
            attack.name, outcome.status, outcome.cpu
        );
        assert!(factor < 15_000.0, "{}: {factor} times a usual request", attack.name);
        serves(&moongate);
    }
}
