//! A change of modules, rules or settings that is tried for some clients, over the wire and under a
//! load: it reaches no more than these, and is given up or in force in the end.

use std::collections::HashSet;
use std::time::Duration;

use serde_json::{Value, json};

use crate::rollout::{Load, ask};
use crate::support::{
    ADMIN_TOKEN, DEADLINE, Moongate, Upstream, command, pause, token_entry, wait_until,
};

const CONFIG: &str = "watch: false\nroutes: [{ access: [guard] }]\n";
const GOOD: &str = "return { access = function() ngx.req.set_header('X-Guard', 'one') end }";
const BETTER: &str = "return { access = function() ngx.req.set_header('X-Guard', 'two') end }";
const FAILS: &str = "return { access = function() error('bad') end }";
const LOOPS: &str = "return { access = function() while true do end end }";
const REFUSES: &str = "return { access = function() return ngx.exit(403) end }";

/// A node whose requests a good module looks at.
fn node(upstream: &Upstream, config: &str) -> Moongate {
    let node = Moongate::with_upstream(upstream, config).file("lua/modules/guard.lua", GOOD);
    node.file(".moongate/tokens.yaml", token_entry("test", ADMIN_TOKEN, "role: admin")).start()
}

/// Has another text of the module tried for a fifth of the users.
fn try_out(node: &Moongate, text: &str, gates: &Value) -> Value {
    node.edit("lua/modules/guard.lua", text);
    let said = json!({ "percent": 20, "sticky": "header:X-User", "gates": gates });
    let told = node.ask_admin_as(ADMIN_TOKEN, "POST", "/policy/reload", said.to_string());
    assert_eq!(told.status, 200, "{}", told.text());
    told.json()
}

fn happened(policy: &Value) -> Vec<&str> {
    let events = policy["history"].as_array().unwrap().iter();
    events.map(|event| event["what"].as_str().unwrap()).collect()
}

/// A bad module is tried for a fifth of the clients under a load: why it was given up.
fn rolled_back(bad: &str, gates: &Value, status: u16) -> String {
    let upstream = Upstream::start();
    let node = node(&upstream, CONFIG);
    let load = Load::on(&node);
    let begun = try_out(&node, bad, gates);
    assert_eq!((&begun["generation"], &begun["tried"]), (&json!(2), &json!(true)));
    let given_up = || node.policy()["candidate"].is_null();
    assert!(wait_until(DEADLINE, given_up), "{}", node.policy());
    let answers = load.end();
    let (good, met): (Vec<_>, Vec<_>) =
        answers.iter().partition(|(_, answer)| answer.status == 200);
    let users: HashSet<usize> = met.iter().map(|(user, _)| *user).collect();
    let statuses: HashSet<u16> = met.iter().map(|(_, answer)| answer.status).collect();
    assert_eq!(statuses, HashSet::from([status]));
    // 40 users on average; 5.7 is the standard deviation.
    assert!(users.len() < 75, "{} of 200 users met it", users.len());
    assert!(met.len() * 100 < answers.len() * 38, "{} of {}", met.len(), answers.len());
    assert!(!good.is_empty());
    let mut client = node.connect();
    assert!((0..200).all(|user| ask(&mut client, user).status == 200), "nobody meets it any more");
    let after = node.policy();
    assert_eq!(after["generation"], 1);
    assert_eq!(happened(&after), ["rolled_back", "began"]);
    assert_eq!(after["history"][0]["by"], "gate");
    node.wait_for_log("rolled_back (by gate)");
    assert_eq!(node.metric(r#"moongate_policy_rollouts_total{what="rolled_back"}"#), 1.0);
    let audit = node.ask_admin("GET", "/audit").text();
    assert!(audit.contains("policy.rolled_back") && audit.contains("policy.canary"), "{audit}");
    let again = node.reload();
    assert_eq!(again.status, 422, "the same files come in force only if somebody says so");
    assert!(again.text().contains("given up"), "{}", again.text());
    after["history"][0]["why"].as_str().unwrap().to_owned()
}

#[test]
fn a_module_that_fails_reaches_its_share_and_is_rolled_back() {
    let why = rolled_back(FAILS, &json!({ "errors": 0.05, "min_samples": 20 }), 503);
    assert!(why.starts_with("errors: 100.00 %"), "{why}");
}

#[test]
fn a_module_that_loops_reaches_its_share_and_is_rolled_back() {
    let why = rolled_back(LOOPS, &json!({ "kills": 5, "errors": null }), 503);
    assert!(why.starts_with("kills: "), "{why}");
}

#[test]
fn a_module_that_refuses_what_was_not_refused_is_rolled_back() {
    let why = rolled_back(REFUSES, &json!({ "blocks": 0.05, "min_samples": 20 }), 403);
    assert!(why.starts_with("blocks: 100.00 %"), "{why}");
}

#[test]
fn a_rule_that_refuses_what_was_not_refused_is_rolled_back() {
    let upstream = Upstream::start();
    let rules = |more: &str| format!("SecRuleEngine On\n{more}");
    let node = Moongate::with_upstream(&upstream, "watch: false\nrules: { files: [own.conf] }\n");
    let node = node.file("own.conf", rules(""));
    let node =
        node.file(".moongate/tokens.yaml", token_entry("test", ADMIN_TOKEN, "role: admin")).start();
    let load = Load::on(&node);
    let all = "SecRule REQUEST_METHOD \"@streq GET\" \"id:1,phase:1,deny,status:403\"\n";
    node.edit("own.conf", rules(all));
    let said = json!({ "percent": 20, "sticky": "header:X-User",
        "gates": { "blocks": 0.1, "min_samples": 20 } });
    let told = node.ask_admin_as(ADMIN_TOKEN, "POST", "/policy/reload", said.to_string());
    assert_eq!(told.status, 200, "{}", told.text());
    assert!(wait_until(DEADLINE, || node.policy()["candidate"].is_null()), "{}", node.policy());
    let answers = load.end();
    let refused = answers.iter().filter(|(_, answer)| answer.status == 403).count();
    assert!(refused > 0 && refused * 100 < answers.len() * 38, "{refused} of {}", answers.len());
    let policy = node.policy();
    let why = policy["history"][0]["why"].as_str().unwrap();
    assert!(why.starts_with("blocks: 100.00 %"), "{why}");
}

#[test]
fn a_good_change_is_in_force_once_its_gates_held_and_modules_tell_so() {
    let upstream = Upstream::start();
    let node = node(&upstream, CONFIG);
    let load = Load::on(&node);
    let gates = json!({ "min_samples": 20, "window": "1s", "promote": true });
    try_out(&node, BETTER, &gates);
    let promoted = || happened(&node.policy()) == ["promoted", "began"];
    assert!(wait_until(DEADLINE, promoted), "{}", node.policy());
    assert!(load.end().iter().all(|(_, answer)| answer.status == 200), "nobody notices");
    assert_eq!(node.generation(), 2);
    node.get("/");
    assert_eq!(upstream.last().header("x-guard"), Some("two"));
    let modules = node.ask_admin("GET", "/modules").json();
    assert_eq!(modules.as_array().unwrap().len(), 1);
    assert_eq!(node.reload().json()["changed"], false, "it is what the files say");
}

#[test]
fn each_client_stays_with_its_policy_and_people_decide() {
    let upstream = Upstream::start();
    let node = node(&upstream, CONFIG);
    let patient = json!({ "window": "1h" });
    try_out(&node, BETTER, &patient);
    let drawn = || -> HashSet<usize> {
        let mut client = node.connect();
        let is_tried = |user: &usize| {
            ask(&mut client, *user);
            upstream.last().header("x-guard") == Some("two")
        };
        (0..100).filter(is_tried).collect()
    };
    let first = drawn();
    // 20 on average; 4 is the standard deviation.
    assert!((4..40).contains(&first.len()), "{}", first.len());
    assert_eq!(drawn(), first);
    let policy = node.policy();
    assert_eq!(policy["candidate"]["samples"]["candidate"]["calls"], json!(first.len() * 2));
    assert_eq!(policy["candidate"]["standing"]["is"], "waiting");
    let modules = node.ask_admin("GET", "/modules").json();
    let of = |at: usize, name: &str| modules[at]["attached"][0][name].clone();
    assert_eq!((of(0, "mode"), of(1, "mode")), (json!("enforce"), json!("canary")), "{modules}");
    let calls = |at: usize| -> u64 {
        let workers = modules[at]["workers"].as_array().unwrap().iter();
        workers.map(|worker| worker["calls"].as_u64().unwrap()).sum()
    };
    assert_eq!((calls(0) + calls(1), calls(1)), (200, first.len() as u64 * 2));
    let admin = node.admin.to_string();
    node.edit("token", ADMIN_TOKEN);
    let token = node.path("token");
    let policy_command = |deed: &str| {
        command(&["policy", deed, "--admin", &admin, "--token-file", token.to_str().unwrap()])
    };
    let status = policy_command("status");
    assert!(status.stdout.contains("canary 20 % of policy 2"), "{status:?}");
    assert_eq!(policy_command("abort").code, 0);
    assert_eq!(drawn().len(), 0);
    assert_eq!(policy_command("abort").code, 1, "nothing is tried any more");
    try_out(&node, BETTER, &patient);
    assert_eq!(policy_command("promote").code, 0);
    assert_eq!(drawn().len(), 100);
    assert_eq!(happened(&node.policy()), ["promoted", "began", "aborted", "began"]);
    try_out(&node, REFUSES, &patient);
    node.edit("lua/modules/guard.lua", BETTER);
    node.reload();
    assert_eq!(node.policy()["candidate"], Value::Null, "the files are as they were");
    assert_eq!(drawn().len(), 100);
}

#[test]
fn what_is_tried_is_tried_as_its_settings_say_and_not_after_a_restart_if_it_was_given_up() {
    let upstream = Upstream::start();
    let config = "watch: true\nrollout: { canary: 20%, sticky: 'header:X-User', gates: { \
        min_samples: 20, window: 1s } }\nroutes: [{ access: [guard] }]\n";
    let mut node = node(&upstream, config);
    let load = Load::on(&node);
    node.edit("lua/modules/guard.lua", BETTER);
    let promoted = || happened(&node.policy()) == ["promoted", "began"];
    assert!(wait_until(DEADLINE, promoted), "{}", node.policy());
    node.edit("lua/modules/guard.lua", FAILS);
    let given_up = || happened(&node.policy()).first() == Some(&"rolled_back");
    assert!(wait_until(DEADLINE, given_up), "{}", node.policy());
    let answers = load.end();
    let met = answers.iter().filter(|(_, answer)| answer.status != 200).count();
    assert!(met * 100 < answers.len() * 38, "{met} of {}", answers.len());
    pause(Duration::from_millis(600));
    assert_eq!(node.policy()["candidate"], Value::Null, "it is not tried again by itself");
    assert!(node.stop().success());
    let node = node.again().start();
    assert_eq!(node.get("/").status, 200, "the last good policy serves");
    assert_eq!(upstream.last().header("x-guard"), Some("two"));
}

#[test]
fn what_a_rollout_cannot_be_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("moongate.yaml");
    for (rollout, told) in [
        ("{ canary: 5 }", "0.01% to 100%"),
        ("{ sticky: address }", "canary: 5%"),
        ("{ canary: 5%, sticky: session }", "header:NAME"),
        ("{ canary: 5%, gates: { errors: 5 } }", "a share, 0 to 1"),
        ("{ canary: 5%, gates: { error: 0.1 } }", "unknown field"),
    ] {
        let text = format!("upstreams: {{ app: 127.0.0.1:1 }}\nrollout: {rollout}\n");
        std::fs::write(&file, text).unwrap();
        let checked = command(&["check", "-c", file.to_str().unwrap()]);
        assert_eq!(checked.code, 1, "{rollout}: {checked:?}");
        assert!(format!("{checked:?}").contains(told), "{rollout}: {checked:?}");
    }
}
