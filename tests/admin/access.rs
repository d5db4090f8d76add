//! Who may ask what: roles, owners, tokens that come and go, addresses that guess.

use std::time::Duration;

use crate::support::{Moongate, Response, pause, request, token_entry};
use moongate::admin::{ENDPOINTS, Scope};
use moongate::config::Role;

const SERVES: &str = "content_by_lua_block: ngx.print('served')\n";

fn secret(role: Role, owner: Option<&str>) -> String {
    format!("mg_secret-of-{}-{}", role.as_str(), owner.unwrap_or("nobody"))
}

/// A token of each role, with and without an owner.
fn tokens() -> String {
    let entry = |role: Role, owner: Option<&str>| {
        let name = format!("{}-{}", role.as_str(), owner.unwrap_or("nobody"));
        let owned = owner.map_or(String::new(), |owner| format!(", owner: {owner}"));
        token_entry(&name, &secret(role, owner), &format!("role: {}{owned}", role.as_str()))
    };
    Role::ALL.into_iter().map(|role| entry(role, None) + &entry(role, Some("team-a"))).collect()
}

fn with_tokens() -> Moongate {
    let config = format!("admin: {{ address: 127.0.0.1:0, tokens: tokens.yaml }}\n{SERVES}");
    Moongate::with(&config).file("tokens.yaml", tokens()).start()
}

/// A path of a pattern.
fn path(pattern: &str) -> String {
    let segment =
        |segment: &'static str| if segment.starts_with('{') { "no-such" } else { segment };
    let pattern: &'static str = pattern.to_owned().leak();
    pattern.split('/').map(segment).collect::<Vec<_>>().join("/")
}

#[test]
fn every_role_is_answered_where_the_table_says_so_and_nowhere_else() {
    let moongate = with_tokens();
    let mut asked = 0;
    for endpoint in ENDPOINTS {
        let path = path(endpoint.pattern);
        for role in Role::ALL {
            for owner in [None, Some("team-a")] {
                let token = secret(role, owner);
                let answer = moongate.ask_admin_as(&token, endpoint.method, &path, "");
                let denied =
                    role < endpoint.role || (endpoint.scope == Scope::Node && owner.is_some());
                let denied = denied && endpoint.scope != Scope::Public;
                let what = format!("{} {path} by {role:?} of {owner:?}", endpoint.method);
                if denied {
                    assert_eq!(answer.status, 403, "{what}: {}", answer.text());
                } else {
                    assert_ne!(answer.status, 401, "{what}");
                    // An owner's things may still be another's.
                    assert!(answer.status != 403 || owner.is_some(), "{what}: {}", answer.text());
                }
                asked += 1;
            }
        }
    }
    assert!(asked >= 72, "{asked}");
}

#[test]
fn who_has_no_token_is_told_nothing_but_that_it_serves() {
    let moongate = with_tokens();
    for endpoint in ENDPOINTS {
        let host = moongate.admin.to_string();
        let headers = [("Host", host.as_str())];
        let path = path(endpoint.pattern);
        let answer = request(moongate.admin, endpoint.method, &path, &headers, "");
        let open = endpoint.scope == Scope::Public;
        assert_eq!(answer.status, if open { 200 } else { 401 }, "{} {path}", endpoint.method);
        assert_eq!(answer.header("www-authenticate").is_some(), !open, "{path}");
    }
    let nowhere = request(moongate.admin, "GET", "/nowhere", &[], "");
    assert_eq!(nowhere.status, 401, "not even what there is not");
}

#[test]
fn without_any_token_nothing_is_changed_and_how_to_make_one_is_told() {
    let moongate = Moongate::start(SERVES);
    for endpoint in ENDPOINTS {
        let path = path(endpoint.pattern);
        let answer = moongate.ask_admin(endpoint.method, &path);
        if endpoint.method == "GET" && endpoint.role == Role::Read {
            assert_ne!(answer.status, 403, "{path}");
        } else {
            assert_eq!(answer.status, 403, "{} {path}", endpoint.method);
            let help = answer.json()["help"].as_str().unwrap().to_owned();
            assert!(help.contains("moongate tokens add"), "{help}");
        }
    }
    assert_eq!(moongate.generation(), 1);
}

#[test]
fn whose_token_it_is_is_told() {
    let moongate = with_tokens();
    let token = secret(Role::Publish, Some("team-a"));
    let who = moongate.ask_admin_as(&token, "GET", "/whoami", "").json();
    let expected =
        serde_json::json!({ "name": "publish-team-a", "role": "publish", "owner": "team-a" });
    assert_eq!(who, expected);
}

#[test]
fn tokens_come_and_go_with_the_next_request() {
    let moongate = Moongate::start(SERVES);
    let status = |token: &str| moongate.ask_admin_as(token, "GET", "/policy", "").status;
    assert_eq!(status("any"), 200, "there are none yet");
    moongate.edit(".moongate/tokens.yaml", token_entry("a", "mg_a", "role: read"));
    assert_eq!((status("mg_a"), status("mg_b")), (200, 401));
    let expired = "role: read, expires_at: '2026-01-02T00:00:00Z'";
    let both = token_entry("a", "mg_a", expired) + &token_entry("b", "mg_b", "role: read");
    moongate.edit(".moongate/tokens.yaml", both);
    assert_eq!((status("mg_a"), status("mg_b")), (401, 200));
    moongate.edit(".moongate/tokens.yaml", "- nonsense\n");
    assert_eq!((status("mg_a"), status("mg_b")), (401, 401), "a faulty file lets nobody in");
    moongate.wait_for_log("nobody is known by it");
}

#[test]
fn a_named_file_that_is_gone_lets_nobody_in() {
    let moongate = with_tokens();
    let token = secret(Role::Admin, None);
    assert_eq!(moongate.ask_admin_as(&token, "GET", "/policy", "").status, 200);
    std::fs::remove_file(moongate.path("tokens.yaml")).unwrap();
    assert_eq!(moongate.ask_admin_as(&token, "GET", "/policy", "").status, 401);
}

#[test]
fn who_guesses_too_often_is_not_heard_for_a_while() {
    let moongate = with_tokens();
    let good = secret(Role::Admin, None);
    let ask = |token: &str| moongate.ask_admin_as(token, "GET", "/policy", "");
    let answers: Vec<Response> = (0..30).map(|number| ask(&format!("mg_{number}"))).collect();
    let refused = answers.iter().filter(|answer| answer.status == 401).count();
    assert!((10..=15).contains(&refused), "{refused}");
    let last = answers.last().unwrap();
    assert_eq!(last.status, 429);
    let wait: u64 = last.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=6).contains(&wait), "{wait}");
    assert_eq!(ask(&good).status, 429, "a right guess would tell them");
    assert_eq!(moongate.ask_admin_as(&good, "GET", "/healthz", "").status, 200);
    pause(Duration::from_secs(wait + 1));
    assert_eq!(ask(&good).status, 200);
    let denied = |reason| moongate_denied(&moongate, &good, reason);
    assert!(denied("unknown_token") >= 10.0 && denied("too_many_failures") >= 10.0);
}

fn moongate_denied(moongate: &Moongate, token: &str, reason: &str) -> f64 {
    let text = moongate.ask_admin_as(token, "GET", "/metrics", "").text();
    let series = format!("moongate_admin_denied_total{{reason=\"{reason}\"}} ");
    let line = text.lines().find_map(|line| line.strip_prefix(&series).map(str::to_owned));
    line.expect("it is counted").parse().unwrap()
}

#[test]
fn a_faulty_file_of_tokens_is_told_by_check() {
    let config = format!("admin: {{ tokens: tokens.yaml }}\n{SERVES}");
    let faulty = "- { name: ci, rol: read }\n";
    let said = Moongate::with(&config).file("tokens.yaml", faulty).check();
    assert_eq!(said.code, 1);
    assert!(said.stdout.contains("tokens.yaml:1:15"), "{}", said.stdout);
    assert!(said.stdout.contains("did you mean `role`?"), "{}", said.stdout);
    let said = Moongate::with(&config).check();
    assert!(said.stdout.contains("moongate tokens add"), "{}", said.stdout);
}
