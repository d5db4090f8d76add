//! A second rule set that judges requests beside the first, without effect.

use serde_json::Value;

use crate::support::{DEADLINE, Moongate, Upstream, wait_until};

const FIRST: &str = "SecRuleEngine On\nSecRequestBodyAccess On\n\
    SecRule ARGS \"@contains both\" \"id:1,phase:2,deny,status:403,log\"\n\
    SecRule ARGS \"@contains first\" \"id:2,phase:1,deny,status:403,log\"\n";
const SECOND: &str = "SecRuleEngine On\nSecRequestBodyAccess On\n\
    SecAction \"id:10,phase:1,pass,nolog,initcol:ip=%{REMOTE_ADDR}\"\n\
    SecAction \"id:11,phase:1,pass,nolog,setvar:ip.seen=+1\"\n\
    SecRule ARGS \"@contains both\" \"id:1,phase:2,deny,status:403,log\"\n\
    SecRule ARGS \"@contains second\" \"id:3,phase:2,deny,status:406,log\"\n\
    SecRule ARGS \"@contains told\" \"id:4,phase:2,pass,log\"\n";

fn node(upstream: &Upstream, config: &str) -> Moongate {
    let node = Moongate::with_upstream(upstream, config);
    node.file("first.conf", FIRST).file("second.conf", SECOND).start()
}

/// Waits until so many requests were judged twice; what came of it.
fn differences(node: &Moongate, requests: u64, query: &str) -> Value {
    let ask = || node.ask_admin("GET", &format!("/rules/differences?limit=100{query}")).json();
    let number = |told: &Value, name: &str| told["summary"][name].as_u64().unwrap_or_default();
    let all = |told: Value| number(&told, "compared") + number(&told, "left_out") >= requests;
    assert!(wait_until(DEADLINE, || all(ask())), "{}", ask());
    ask()
}

#[test]
fn what_other_rules_would_have_said_is_told_and_not_done() {
    let upstream = Upstream::start();
    let config = "rules: { files: [first.conf], shadow: { files: [second.conf] } }\n";
    let node = node(&upstream, config);
    let cases = [
        ("/?q=plain", 200, "", None, None),
        ("/?q=both", 403, "", Some(403), Some(403)),
        ("/?q=first", 403, "status, headers", Some(403), None),
        ("/?q=second", 200, "status, headers", None, Some(406)),
        ("/?q=told", 200, "headers", None, None),
    ];
    for (number, (path, status, what, live, candidate)) in cases.iter().enumerate() {
        assert_eq!(node.get(path).status, *status, "{path}");
        let told = differences(&node, number as u64 + 1, "");
        if what.is_empty() {
            continue;
        }
        let last = &told["last"][0];
        let found: Vec<&str> =
            last["what"].as_array().unwrap().iter().map(|one| one.as_str().unwrap()).collect();
        assert_eq!(found.join(", "), *what, "{last}");
        assert_eq!(last["live"]["status"], serde_json::json!(live), "{last}");
        assert_eq!(last["candidate"]["status"], serde_json::json!(candidate), "{last}");
    }
    assert_eq!(node.post("/", "x=1").status, 200);
    let form = [("Content-Type", "application/x-www-form-urlencoded")];
    assert_eq!(node.request("POST", "/", &form, "q=second").status, 200);
    let told = differences(&node, 7, "");
    assert_eq!(told["last"][0]["candidate"]["status"], 406, "bodies are judged too: {told}");
    let rules = told["last"][0]["candidate"]["headers"].to_string();
    assert!(rules.contains(r#"["rules","3"]"#), "{rules}");
    let policy = node.ask_admin("GET", "/rules").json();
    let shadow = &policy[0]["shadow"];
    assert_eq!((&shadow["mode"], &shadow["rules"]), (&"shadow".into(), &5.into()), "{policy}");
}

#[test]
fn a_second_rule_set_is_for_its_share_and_its_route() {
    let upstream = Upstream::start();
    let config = "rules: { files: [first.conf] }\nroutes:\n  - match: { path: /new }\n    \
        name: new\n    rules: { shadow: { files: [second.conf], sample: 25% } }\n";
    let node = node(&upstream, config);
    let mut client = node.connect();
    for _ in 0..400 {
        assert_eq!(client.ask("/new?q=second").read().status, 200);
        client.ask("/old?q=second").read();
    }
    let told = differences(&node, 55, "&route=new");
    let summary = &told["summary"];
    let drawn = summary["compared"].as_u64().unwrap() + summary["left_out"].as_u64().unwrap();
    // 100 on average; 8.7 is the standard deviation.
    assert!((55..145).contains(&drawn), "{drawn}");
    assert!(told["last"].as_array().unwrap().iter().all(|one| one["path"] == "/new"));
    let refused = node.ask_admin("GET", "/rules/differences?route=default");
    assert_eq!(refused.status, 404, "{}", refused.text());
}

#[test]
fn what_is_compared_stays_when_something_else_changes() {
    let upstream = Upstream::start();
    let config = "watch: false\nrules: { files: [first.conf], shadow: { files: [second.conf] } }\n";
    let node = node(&upstream, config);
    node.get("/?q=second");
    differences(&node, 1, "");
    let text = node.read("moongate.yaml");
    node.edit("moongate.yaml", format!("{text}grace: 3s\n"));
    assert_eq!(node.reload().json()["changed"], true);
    assert_eq!(differences(&node, 1, "")["summary"]["differing"], 1);
    node.edit("second.conf", SECOND.replace("second", "other"));
    assert_eq!(node.reload().json()["changed"], true);
    let now = node.ask_admin("GET", "/rules/differences").json();
    assert_eq!(now["summary"]["compared"], 0, "other rules begin anew");
}
