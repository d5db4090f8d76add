//! Budgets over the wire: what the client gets, what is told, and who is served meanwhile.

use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::support::{Answer, Client, Moongate, Upstream, resting_events};

/// Each looks at every byte.
fn dear(count: usize) -> String {
    let rule =
        |id| format!("SecRule ARGS \"!@rx ^[a-zA-Z0-9 +%]*$\" \"id:{id},phase:2,pass,nolog\"\n");
    (1..=count).map(rule).collect()
}

fn started(upstream: &Upstream, rules: &str, settings: &str) -> Moongate {
    let config = format!(
        "workers: 1\nevents: events.jsonl\naccess_log: false\nrules:\n  files: [own.conf]\n{settings}"
    );
    Moongate::with_upstream(upstream, &config).file("own.conf", rules).start()
}

fn events(moongate: &Moongate) -> Vec<Value> {
    let text = resting_events(moongate);
    text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
}

fn form(body: &str) -> (Vec<(&'static str, &'static str)>, String) {
    (vec![("Content-Type", "application/x-www-form-urlencoded")], format!("a={body}"))
}

#[test]
fn a_request_that_costs_too_much_is_refused_told_and_counted() {
    let upstream = Upstream::start();
    let settings = "  budget: { work: 64KiB }\nroutes:\n\
        - { match: { path: /lenient/ }, rules: { budget: { exceeded: pass } } }\n\
        - { match: { path: /ample/ }, rules: { budget: { work: 10MiB } } }\n\
        - { match: { path: /watched/ }, rules: { engine: detect } }\n";
    let moongate = started(&upstream, &dear(20), settings);
    let (headers, body) = form(&"x".repeat(10_000));
    let status = |path: &str| moongate.request("POST", path, &headers, &body).status;
    assert_eq!(["/", "/lenient/", "/ample/", "/watched/"].map(status), [403, 200, 200, 200]);
    assert_eq!(moongate.get("/?a=b").status, 200, "what is cheap is served");
    let told = events(&moongate);
    assert_eq!(told.len(), 3, "{told:?}");
    assert_eq!(
        (&told[0]["reason"], &told[0]["verdict"]),
        (&"rules::budget".into(), &"refused".into())
    );
    let outcomes: Vec<_> = told.iter().map(|event| event["budget"]["outcome"].as_str()).collect();
    assert_eq!(outcomes, [Some("refused"), Some("passed"), Some("passed")]);
    let budget = &told[0]["budget"];
    assert_eq!((&budget["phase"], &budget["limit"]), (&2.into(), &65536.into()));
    assert_eq!(budget["part"], "work");
    assert!(budget["rule"].is_u64() && budget["spent"].as_u64() > Some(65536), "{budget}");
    assert!(budget["help"].as_str().unwrap().contains("rules.budget.work"), "{budget}");
    for (series, value) in [
        ("moongate_rule_budget_exceeded_total{outcome=\"refused\",part=\"work\"}", 1.0),
        ("moongate_rule_budget_exceeded_total{outcome=\"passed\",part=\"work\"}", 2.0),
        ("moongate_rule_budget_spent_ratio_count{part=\"work\"}", 5.0),
        ("moongate_rule_work_bytes_count", 5.0),
    ] {
        assert_eq!(moongate.metric(series), value, "{series}");
    }
    moongate.wait_for_log("rules.budget.work");
}

#[test]
fn a_response_that_costs_too_much_does_not_leave() {
    let upstream = Upstream::start();
    let rule = |id| {
        format!("SecRule RESPONSE_BODY \"!@rx ^[a-zA-Z0-9 +%]*$\" \"id:{id},phase:4,pass,nolog\"\n")
    };
    let rules: String = (1..=20).map(rule).collect();
    let moongate = started(&upstream, &rules, "  budget: { work: 64KiB }\n");
    upstream.answer("/page", Answer::html(&"x".repeat(10_000)));
    assert_eq!(moongate.get("/page").status, 502);
    let told = events(&moongate);
    assert_eq!(
        (&told[0]["reason"], &told[0]["budget"]["phase"]),
        (&"rules::budget".into(), &4.into())
    );
}

/// One worker: while it judges ten megabytes, others are served between two slices.
#[test]
fn small_requests_are_served_while_a_large_one_is_judged() {
    let upstream = Upstream::start();
    let rules = format!(
        "SecRequestBodyNoFilesLimit 13107200\n{}SecRule REQUEST_METHOD \"@streq POST\" \"id:99,phase:2,deny,status:418\"\n",
        dear(12)
    );
    let settings = "  budget: { work: 10GiB, time: 60s }\n";
    let moongate = started(&upstream, &rules, settings);
    let field = format!("a={}&", "x".repeat(20_000));
    let body = field.repeat(500);
    let mut large = moongate.connect();
    large.patience(Duration::from_secs(60));
    let head = format!(
        "POST / HTTP/1.1\r\nHost: test\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    );
    large.send(head).send(body);
    let answered = thread::spawn(move || large.read());
    let mut small = moongate.connect();
    let served: Vec<_> = (0..20).map(|_| ask(&mut small)).collect();
    let refused = answered.join().unwrap();
    assert_eq!(refused.status, 418);
    assert!(served.iter().all(|at| *at < refused.head_complete), "they waited for the large one");
}

/// When the answer was there.
fn ask(client: &mut Client) -> std::time::Instant {
    let answer = client.ask("/").read();
    assert_eq!(answer.status, 200);
    answer.body_complete
}
