//! The audit log: what is in it, who may read it, and that no secret is anywhere.

use std::time::Duration;

use crate::support::{ADMIN_TOKEN, Moongate, request, token_entry, wait_until};

const SERVES: &str = "watch: false\ncontent_by_lua_block: ngx.print('served')\n";

fn entries(moongate: &Moongate) -> Vec<serde_json::Value> {
    let text = moongate.read(".moongate/audit.jsonl");
    text.lines().map(|line| serde_json::from_str(line).expect("a whole line")).collect()
}

#[test]
fn a_reload_is_recorded_with_what_was_and_what_is() {
    let moongate = Moongate::start(SERVES);
    let before = moongate.policy()["digest"].clone();
    moongate.edit("moongate.yaml", SERVES.replace("served", "changed"));
    assert_eq!(moongate.reload().status, 200);
    let after = moongate.policy()["digest"].clone();
    let entries = entries(&moongate);
    assert_eq!(entries.len(), 1, "{entries:?}");
    let entry = &entries[0];
    for (key, value) in [
        ("who", "test"),
        ("role", "admin"),
        ("from", "127.0.0.1"),
        ("what", "policy.reload"),
        ("target", "policy 2"),
        ("outcome", "done"),
    ] {
        assert_eq!(entry[key], value, "{entry}");
    }
    assert_eq!((&entry["before"], &entry["after"]), (&before, &after));
    assert!(entry["at"].as_str().unwrap().ends_with('Z'));
    assert_eq!(moongate.ask_admin("GET", "/audit").json(), serde_json::json!(entries));
}

#[test]
fn what_was_refused_is_recorded_with_the_reason() {
    let moongate = Moongate::start(SERVES);
    assert_eq!(moongate.ask_admin("POST", "/policy/reload").status, 403);
    moongate.edit("moongate.yaml", "watch: false\nlisen: 1\n");
    assert_eq!(moongate.reload().status, 422);
    let more = token_entry("reader", "mg_reader", "role: read");
    let tokens = moongate.read(".moongate/tokens.yaml");
    moongate.edit(".moongate/tokens.yaml", tokens + &more);
    assert_eq!(moongate.ask_admin_as("mg_reader", "POST", "/policy/reload", "").status, 403);
    assert_eq!(moongate.ask_admin_as("mg_guess", "GET", "/policy", "").status, 401);
    let told: Vec<_> = entries(&moongate)
        .iter()
        .map(|entry| {
            let text = |key: &str| entry[key].as_str().unwrap_or_default().to_owned();
            [text("who"), text("what"), text("outcome"), text("error")]
        })
        .collect();
    let reload = "POST /policy/reload";
    assert_eq!(
        told,
        [
            ["(unknown)", reload, "no_tokens", ""],
            ["test", reload, "refused", "the policy was refused"],
            ["reader", reload, "role", ""],
            ["(unknown)", "GET /policy", "unknown_token", ""],
        ]
    );
}

#[test]
fn edits_and_signals_are_recorded_too() {
    let moongate = Moongate::start(SERVES);
    moongate.edit("moongate.yaml", SERVES.replace("served", "changed"));
    moongate.signal("HUP");
    moongate.wait_past(1);
    let recorded = || entries(&moongate).iter().any(|entry| entry["who"] == "(signal)");
    assert!(wait_until(Duration::from_secs(5), recorded), "{}", moongate.log());
}

#[test]
fn it_is_read_in_parts_and_by_admins_only() {
    let moongate = Moongate::start(SERVES);
    for number in 0..5 {
        moongate.edit("moongate.yaml", SERVES.replace("served", &number.to_string()));
        assert_eq!(moongate.reload().status, 200);
    }
    let ask = |path| moongate.ask_admin("GET", path);
    let targets = |path| -> Vec<String> {
        let entries = ask(path).json();
        let entries = entries.as_array().expect("a list").iter();
        entries.map(|entry| entry["target"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(targets("/audit?limit=2"), ["policy 5", "policy 6"]);
    assert_eq!(targets("/audit").len(), 5);
    assert_eq!(targets("/audit?since=2999-01-01T00:00:00Z"), [""; 0]);
    for path in ["/audit?limit=1001", "/audit?limit=x", "/audit?since=now", "/audit?limt=1"] {
        let refused = ask(path);
        assert_eq!(refused.status, 400, "{path}");
        assert!(!refused.json()["help"].as_str().unwrap().is_empty(), "{path}");
    }
}

#[test]
fn where_it_cannot_be_written_nothing_is_changed() {
    let moongate = Moongate::start(SERVES);
    moongate.admit_admin();
    // Not even root can write a file where a folder stands.
    std::fs::create_dir(moongate.path(".moongate/audit.jsonl")).unwrap();
    let refused = moongate.reload();
    assert_eq!(refused.status, 503, "{}", refused.text());
    assert!(refused.json()["help"].as_str().unwrap().contains("state_dir"));
    assert_eq!(moongate.ask_admin("GET", "/policy").status, 200);
}

#[test]
fn no_output_has_a_token_in_it() {
    const SETTING: &str = "0123456789-of-the-settings";
    let config =
        format!("admin: {{ address: 127.0.0.1:0, token: {SETTING} }}\n{SERVES}events: e.jsonl\n");
    let moongate = Moongate::start(&config);
    moongate.admit_admin();
    let guess = "mg_a-guess-that-is-nearly-right";
    let mut said = String::new();
    for token in [SETTING, ADMIN_TOKEN, guess] {
        for path in ["/", "/policy", "/whoami", "/upstreams", "/metrics", "/audit", "/nowhere"] {
            said += &moongate.ask_admin_as(token, "GET", path, "").text();
        }
        let body = format!(r#"{{ "sticky": "header:{token}" }}"#);
        said += &moongate.ask_admin_as(token, "POST", "/policy/reload", body).text();
    }
    moongate.edit("moongate.yaml", config.replace("events", "evnts"));
    said += &moongate.ask_admin_as(SETTING, "POST", "/policy/reload", "").text();
    moongate.edit(".moongate/tokens.yaml", "- { nam: x }\n");
    said += &request(moongate.admin, "GET", "/policy", &[], "").text();
    said += &moongate.ask_admin_as(SETTING, "GET", "/audit", "").text();
    said += &moongate.read(".moongate/audit.jsonl");
    said += &(moongate.log() + &moongate.output() + &moongate.read("e.jsonl"));
    assert!(said.contains("policy.reload") && said.contains("unknown_token"), "{said}");
    for secret in [SETTING, ADMIN_TOKEN, guess] {
        assert!(!said.contains(secret), "{secret} in {said}");
    }
}
